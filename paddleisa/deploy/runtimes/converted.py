"""A model's files for a runtime, from the cache; converted and checked where they are not there yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa import __version__
from paddleisa.deploy import packages
from paddleisa.deploy.export.table import FORMATS, all_packages
from paddleisa.deploy.runtimes.cache import cached

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.deploy.export.calibration import Calibration

FACTS = "facts.json"


def converted(model: nn.Layer, format: str) -> tuple[list[Path], dict[str, bool]]:
    """(files, what was found out about them) of ``model`` in float32.

    Raises:
        DeployError: a package is missing, the model cannot be converted, or the files compute something else.
    """
    from paddleisa.deploy.export.formats import write_checked
    from paddleisa.deploy.export.network import SCORES, upsampling_of

    def build(folder: Path) -> None:
        written = write_checked(model, format, folder, output_op=SCORES if upsampling_of(model) else "none")
        _describe(folder, [file.name for file in written.files], onednn=written.onednn, tensorrt=written.tensorrt)

    return _from(cached(identity(model, format), build)[0])


def quantised(model: nn.Layer, format: str, calibration: Calibration) -> tuple[list[Path], dict[str, bool]]:
    """(files, what was found out about them) of ``model`` in int8, made of the float32 files, which stay cached too.

    Raises:
        DeployError: as `converted`, or int8 is too far from float32. DataError: a calibration image cannot be used.
    """
    kind = FORMATS[format]

    def build(folder: Path) -> None:
        plain = converted(model, format)[0][0]
        assert kind.quantise is not None  # `require_engine` has seen to it
        kind.quantise(plain, calibration, folder, None)
        names = sorted((file.name for file in folder.iterdir()), key=lambda name: name != plain.name)
        _describe(folder, names)

    parts = {
        **identity(model, format),
        "precision": "int8",
        "calibration": calibration.digest,
        "tried": calibration.tried,
        "quantiser": packages.versions(kind.quantised_packages),
    }
    return _from(cached(parts, build)[0])


def identity(model: nn.Layer, format: str) -> dict[str, object]:
    """All that the converted files depend on."""
    from paddleisa.deploy.export.model_digest import code_digest, weights_digest

    return {
        "weights": weights_digest(model),
        "format": format,
        "code": code_digest(Path(__file__).parents[1]),
        **kind_of(model),
    }


def kind_of(model: nn.Layer) -> dict[str, object]:
    """All that the time of a forward pass depends on, but for the processor: not the weights."""
    import paddle

    from paddleisa.deploy.export.model_digest import structure_digest

    return {
        "structure": structure_digest(model),
        "device": paddle.get_device().partition(":")[0],
        "versions": {
            "paddleisa": __version__,
            "paddle": packages.paddle_version(),
            **packages.versions(all_packages()),
        },
    }


def _describe(folder: Path, files: list[str], **accelerators: bool) -> None:
    (folder / FACTS).write_text(json.dumps({"files": files, "accelerators": accelerators}), encoding="utf-8")


def _from(folder: Path) -> tuple[list[Path], dict[str, bool]]:
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return [folder / name for name in facts["files"]], facts["accelerators"]
