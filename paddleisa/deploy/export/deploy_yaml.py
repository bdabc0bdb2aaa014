"""``deploy.yaml``: everything that is needed to run exported files without this package or its configs.

The section ``Deploy`` has PaddleSeg's keys, for its own deployment scripts; the others are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from paddleisa import __version__
from paddleisa.config import Config, check
from paddleisa.datasets.classes import classes_of
from paddleisa.deploy import packages
from paddleisa.deploy.export import all_packages
from paddleisa.deploy.export.formats import Written
from paddleisa.deploy.export.network import OUTPUT_NAMES
from paddleisa.registry import DATASETS
from paddleisa.utils.files import atomic_write, sha256_of

FILE = "deploy.yaml"
_HEAD = """\
# Written by `paddleisa export`. To run a file: read the image as RGB, apply `transforms` in order (sizes are
# width, height), give it as `input` says, undo the transforms' padding (crop) and resizing on the output, newest first.
# `Normalize` divides the pixels 0..255 by 255 first, then takes `mean` off and divides by `std`, both in 0..1.
"""


class _Dumper(yaml.SafeDumper):
    """Short lists on one line, without anchors for values that occur twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(
    list,
    lambda dumper, value: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", value, flow_style=not any(isinstance(item, dict | list) for item in value)
    ),
)


def write_deploy_yaml(
    folder: Path,
    config: Config,
    written: Sequence[Written],
    input_shape: Sequence[int],
    output_op: str,
    weights: dict[str, str],
    serving: dict[str, list[Path]],
) -> Path:
    """Describe the files in ``folder``.

    Args:
        folder: of the exported files.
        config: that the model was built from.
        written: what was exported.
        input_shape: (N, 3, H, W), -1 for what is free.
        output_op: what the files give.
        weights: ``digest`` of the values, and of the weights' file ``file`` and ``sha256`` where there is one.
        serving: {server: files of its model repository}.
    """
    given, config = _transforms(check(config, "val")), check(config, "val", defaults=True)
    transforms = _transforms(config)
    classes = classes_of(
        DATASETS.get(config["val_dataset"]["type"]), config["val_dataset"], config["model"]["num_classes"]
    )
    content = {
        "Deploy": _paddleseg(written, given, input_shape, output_op),
        "model": {
            "config": config.name,
            "config_digest": config.digest(),
            "type": config["model"]["type"],
            "num_classes": config["model"]["num_classes"],
            "align_corners": bool(config["model"].get("align_corners", False)),
            "weights": weights,
        },
        **tensors(config["model"]["num_classes"], input_shape, output_op),
        "transforms": transforms,
        "padding": [t for t in transforms if str(t.get("type", "")).startswith("Padding")],
        "test": config["test_config"],
        "class_names": classes.names,
        "palette": classes.palette.tolist(),
        "ignore_index": classes.ignore_index,
        "files": {w.format: _files(w) for w in written},
        "serving": {server: [f.relative_to(folder).as_posix() for f in files] for server, files in serving.items()},
        "compared": {w.format: [d.to_dict() for d in w.differences] for w in written},
        "versions": {
            "paddleisa": __version__,
            "paddle": packages.paddle_version(),
            **packages.versions(all_packages()),
        },
    }
    path = folder / FILE
    with atomic_write(path, "w") as stream:
        stream.write(_HEAD)
        yaml.dump(content, stream, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return path


def _transforms(config: Config) -> list[dict]:
    """The config's preprocessing: its ``export.transforms``, else those of ``val_dataset``."""
    return (config.get("export") or {}).get("transforms") or config["val_dataset"].get("transforms") or []


def tensors(num_classes: int, input_shape: Sequence[int], output_op: str) -> dict[str, dict]:
    """The files' ``input`` and ``output``: names, shapes (-1 for what is free) and types."""
    n, _, h, w = input_shape
    return {
        "input": {"name": "x", "shape": list(input_shape), "dtype": "float32", "layout": "NCHW", "colours": "RGB"},
        "output": {
            "name": OUTPUT_NAMES[output_op],
            "op": output_op,
            "shape": [n, h, w] if output_op == "argmax" else [n, num_classes, h, w],
            "dtype": "int32" if output_op == "argmax" else "float32",
        },
    }


def _paddleseg(written: Sequence[Written], transforms: list, input_shape: Sequence[int], output_op: str) -> dict:
    """What PaddleSeg's ``deploy/python/infer.py`` reads; names of the Paddle files where they are exported.

    Transforms have the options that the config gives: PaddleSeg has the same defaults, but not all of our options.
    """
    files = next((w.files for w in written if w.format == "paddle"), None)
    names = {} if files is None else {"model": files[0].name, "params": files[1].name}
    return {
        "input_shape": list(input_shape),
        **names,
        "output_dtype": "int32" if output_op == "argmax" else "float32",
        "output_op": output_op,
        "transforms": [{**step, **_one_value(step)} for step in transforms],
    }


def _one_value(step: dict) -> dict[str, float]:
    """A padding's colour as PaddleSeg takes it, one value for all channels; nothing where channels differ."""
    colour = step.get("im_padding_value")
    return {"im_padding_value": colour[0]} if isinstance(colour, list) and len(set(colour)) == 1 else {}


def _files(written: Written) -> dict[str, object]:
    entry: dict[str, object] = {
        "files": [
            {"name": file.name, "bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in written.files
        ]
    }
    if written.precision != "fp32":
        entry["precision"] = written.precision
    if written.format == "paddle":
        entry["onednn"] = written.onednn
    return entry
