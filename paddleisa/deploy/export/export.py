"""Export: a model as files of other runtimes, in a folder that holds all that is needed to run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from paddleisa.config import Config, check
from paddleisa.deploy.export import deploy_yaml
from paddleisa.deploy.export.formats import FORMATS, FREE_SHAPE, Written, require_format, write_checked, write_quantised
from paddleisa.deploy.export.model_digest import weights_digest
from paddleisa.deploy.export.network import OUTPUT_OPS
from paddleisa.deploy.export.serving import check_serving, write_repositories
from paddleisa.errors import UsageError, one_of
from paddleisa.utils.files import new_folder, sha256_of
from paddleisa.utils.process import exclusive

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.deploy.export.calibration import Calibration


@dataclass(frozen=True)
class Exported:
    """An export that was checked and kept: its folder, its ``deploy.yaml``, and what was written in each format."""

    folder: Path
    description: Path
    written: list[Written]
    serving: dict[str, list[Path]] = field(default_factory=dict)  # of each server, the files of its model repository


def export_model(
    model: nn.Layer,
    config: Config,
    save_dir: str | Path,
    *,
    formats: Sequence[str] = ("paddle",),
    input_shape: Sequence[int] | None = None,
    output_op: str | None = None,
    serving: Sequence[str] = (),
    weights: str | Path | None = None,
    calibration: Calibration | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Write ``model`` in every one of ``formats``, compare each with the model, and keep them only if all are right.

    ``save_dir`` changes only at the end, all at once: it is then the new export and nothing else. An earlier export
    there is replaced; a folder with anything else in it is left alone.

    Args:
        model: with weights loaded, on any device; not changed.
        config: that it was built from; its data need not exist.
        save_dir: the folder of the export.
        formats: names of ``FORMATS``.
        input_shape: (N, 3, H, W), -1 for what is free at run time; else the config's ``export``, else all free.
        output_op: ``argmax`` (class ids), ``softmax`` or ``none`` (logits); else the config's ``export``, else argmax.
        serving: names of ``serving.SERVERS``; the folder then holds a model repository for each.
        weights: the file that the weights came from, to name it.
        calibration: images that make it an int8 export, with free sizes, of a format that has int8.
        say: called with a line of progress now and then.

    Raises:
        UsageError: a setting that cannot be used, or a folder that holds other files.
        DeployError: a package is missing, the model cannot be converted, or a file computes something else.
    """
    config = checked = check(config, "val")
    given = checked.settings.export
    output_op = output_op or given.output_op
    input_shape = checked_shape(input_shape or given.input_shape or FREE_SHAPE)
    folder = Path(save_dir).absolute()
    _check_settings(formats, output_op)
    check_serving(serving, formats)
    _check_replaceable(folder)
    for format in formats:
        require_format(format)
    if calibration is not None:
        check_int8_settings(formats, input_shape)
    was_training = model.training
    model.eval()
    written = []
    source = {"digest": weights_digest(model)}
    if weights is not None:
        source.update(file=Path(weights).name, sha256=sha256_of(weights))
    try:
        alone = exclusive(folder, "exporting to this folder", "Wait for it, or give another --save_dir")
        with alone, new_folder(folder) as filling:
            for format in dict.fromkeys(formats):
                if calibration is not None:
                    written.append(write_quantised(model, format, filling, output_op, calibration))
                    say(f"{format} in int8: close to float32 on {len(written[-1].differences)} images")
                    continue
                written.append(write_checked(model, format, filling, input_shape=input_shape, output_op=output_op))
                say(f"{format}: equals the model on {len(written[-1].differences)} sizes")
            tensors = deploy_yaml.tensors(config["model"]["num_classes"], input_shape, output_op)
            repositories = write_repositories(serving, filling, config.name, written, tensors, say)
            deploy_yaml.write_deploy_yaml(filling, config, written, input_shape, output_op, source, repositories)
    finally:
        model.train() if was_training else model.eval()
    moved = [replace(w, files=[folder / f.name for f in w.files]) for w in written]
    served = {name: [folder / file.relative_to(filling) for file in files] for name, files in repositories.items()}
    return Exported(folder, folder / deploy_yaml.FILE, moved, served)


def checked_shape(input_shape: Sequence[int]) -> tuple[int, int, int, int]:
    """``input_shape`` if it is one.

    Raises:
        UsageError: it is not N 3 H W with numbers from 1, or -1 for what is free.
    """
    shape = tuple(input_shape)
    whole = all(isinstance(size, int) and (size == -1 or size > 0) for size in shape)
    if len(shape) != 4 or not whole or shape[1] != 3:
        raise UsageError(
            f"{' '.join(map(str, shape))} is no shape N 3 H W, with -1 for what is free",
            where="--input_shape",
            fix="Write for example -1 3 -1 -1, or 1 3 512 1024",
        )
    return shape


def _check_settings(formats: Sequence[str], output_op: str) -> None:
    for format in formats:
        if format not in FORMATS:
            raise UsageError(f"there is no format {format!r}", where="--format", fix=one_of(format, FORMATS))
    if not formats:
        raise UsageError("no format is given", where="--format", fix=one_of("", FORMATS))
    if output_op not in OUTPUT_OPS:
        raise UsageError(f"there is no output {output_op!r}", where="--output_op", fix=one_of(output_op, OUTPUT_OPS))


def check_int8_settings(formats: Sequence[str], input_shape: Sequence[int]) -> None:
    """Raise UsageError unless there is an int8 export of this kind."""
    able = [format.name for format in FORMATS.values() if format.quantise]
    if not set(formats) <= set(able):
        some = " or ".join(able)
        raise UsageError(f"only the format {some} has int8", where="--precision", fix=f"Give --format {some} alone")
    if tuple(input_shape) != FREE_SHAPE:
        raise UsageError(
            "an int8 export has free sizes",
            where="--input_shape",
            fix="Leave it out, or give -1 3 -1 -1; `reshape` of OpenVINO's model fixes sizes when it is loaded",
        )


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace a folder that holds anything but an earlier export."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError("is a file, not a folder", where=folder, fix="Give another --save_dir")
    known = _files_of_export(folder)
    others = (file for file in folder.rglob("*") if file.relative_to(folder) not in known)
    if some := ", ".join(sorted(file.relative_to(folder).as_posix() for file in islice(others, 3))):
        raise UsageError(
            f"the folder holds files that are no earlier export ({some})", where=folder, fix="Give another --save_dir"
        )


def _files_of_export(folder: Path) -> set[Path]:
    """What an export put into ``folder``, relative to it, with the folders of its model repositories."""
    try:
        about = yaml.safe_load((folder / deploy_yaml.FILE).read_text(encoding="utf-8"))
        names = [file["name"] for entry in about["files"].values() for file in entry["files"]]
        names += [name for served in about.get("serving", {}).values() for name in served]
        files = [Path(name) for name in (deploy_yaml.FILE, *names)]
        return {*files, *(parent for file in files for parent in file.parents)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return set()
