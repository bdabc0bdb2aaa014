"""From what a user calls weights to their file: a path, a training's folder, or a model's name. Nothing imports paddle.

Raises everywhere: WeightsError with what to do, at once, before anything slow begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.errors import UsageError, WeightsError, nearest
from paddleisa.zoo.catalogue.catalogue import Catalogue, load_catalogue
from paddleisa.zoo.download.hub import HUB
from paddleisa.zoo.download.locate import cached_weights, entry_weights, local_weights

if TYPE_CHECKING:
    import numpy as np
    from paddle import nn

    from paddleisa.weights.report import LoadReport

FILES = ("model.pdparams", "model.safetensors")
_ITERATION = re.compile(r"iter_(\d+)$")


def weights_file(named: str | Path | None, config_name: str, *, download: bool = False) -> Path:
    """The file of the weights that a user means.

    Args:
        named: a file; the folder of a training, whose best model is taken, else its newest checkpoint; a model's name;
            None for the weights named like the config, in a ``pretrained`` folder or in the download cache.
        config_name: the config's name.
        download: fetch what a name means and is not on this machine.
    """
    if named is None:
        return _of_name(config_name, load_catalogue(), download, "no weights are given, and ")
    path = Path(named)
    if path.is_file():
        return path
    if path.is_dir() and (found := in_run(path)):
        return found
    catalogue = load_catalogue()
    if len(path.parts) == 1 and (str(named) in catalogue or local_weights(str(named))):
        return _of_name(str(named), catalogue, download, "")
    if path.is_dir():
        problem = f"is a folder without {FILES[0]}, best_model or iter_N, so it is no model and no training's folder"
        raise WeightsError(problem, where=path, fix="Name the file of the weights")
    raise WeightsError("there is no such file", where=path, fix=f"Check the path. {_beside(path, catalogue)}".strip())


def config_of(named: str | Path | None) -> str | Path:
    """What names the config that weights belong to: of a published model its config's name, else the training's folder.

    Raises UsageError where neither is known; WeightsError as `weights_file`.
    """
    if named is None:
        raise UsageError(
            "neither a config nor a model is named", fix="Give --config, or --model_path with a training's folder"
        )
    catalogue = load_catalogue()
    if str(named) in catalogue:
        return catalogue.get(str(named)).config
    weights = weights_file(named, str(named))
    if run_record(weights) is None:
        raise UsageError(
            "which config these weights belong to is not known", where=weights, fix="Name the config too: --config"
        )
    return weights.parent


def require_weights(named: str | Path) -> None:
    """WeightsError when ``named`` is neither an address, nor weights on this machine, nor a model of the catalogue."""
    if not str(named).startswith(("http://", "https://", HUB)) and str(named) not in load_catalogue():
        weights_file(named, str(named))


def load_weights(
    model: nn.Layer, source: str | Path | Mapping[str, np.ndarray], *, reinit_classifier: bool = False
) -> LoadReport:
    """Give ``model`` the weights that ``source`` names; strict: both hold the same names and shapes.

    Args:
        model: as ``build_model`` gives it.
        source: a weights file; the folder of a training, whose best model is taken; the name of a published model,
            which is downloaded unless it is here; or a state dict of numpy arrays.
        reinit_classifier: leave the classifier as it is, to start from weights for other classes.

    Returns:
        The report of :func:`paddleisa.weights.load_weights`.

    Raises:
        WeightsError: there are none, they cannot be read, or they do not fit; the model is then unchanged.
        DownloadError: they cannot be fetched.
    """
    from paddleisa.weights import load_weights as load

    if isinstance(source, str | Path):
        source = weights_file(source, str(source), download=True)
    return load(model, source, reinit_classifier=reinit_classifier)


def in_run(folder: Path) -> Path | None:
    """The weights that a folder holds: its own, a training's best model, or that of its newest checkpoint."""
    checkpoints = sorted(
        (int(match[1]), child) for child in folder.iterdir() if (match := _ITERATION.match(child.name))
    )
    for place in (folder, folder / "best_model", *(child for _, child in reversed(checkpoints))):
        for name in FILES:
            if (place / name).is_file():
                return place / name
    return None


def run_record(weights: Path) -> Path | None:
    """The ``checkpoint.json``, which holds the config, of the training that a weights file belongs to."""
    run = weights.parent if _ITERATION.match(weights.parent.name) else weights.parent.parent
    found = [weights.parent / "checkpoint.json", run / "checkpoint.json", *run.glob("iter_*/checkpoint.json")]
    return next((path for path in found if path.is_file()), None)


def _of_name(name: str, catalogue: Catalogue, download: bool, problem: str) -> Path:
    if path := local_weights(name):
        return path
    if name not in catalogue:
        raise WeightsError(f"{problem}none of that name lie in pretrained/", where=name, fix="Give --model_path FILE")
    entry = catalogue.get(name)
    if download and (fetched := entry_weights(entry)) is not None:
        return fetched
    if (path := cached_weights(entry)).is_file():
        return path
    raise WeightsError(
        "the weights are not on this machine",
        where=name,
        fix=f"Get them with `paddleisa zoo download {name}`, or give --model_path FILE",
    )


def _beside(path: Path, catalogue: Catalogue) -> str:
    if len(path.parts) == 1 and not path.suffix:
        return nearest(str(path), [entry.name for entry in catalogue])
    there = sorted(file.name for file in path.parent.glob("*")) if path.parent.is_dir() else []
    return nearest(path.name, there) or (f"Beside it lie: {', '.join(there[:5])}" if there else "")
