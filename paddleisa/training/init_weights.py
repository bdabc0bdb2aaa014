"""The weights that a training starts from. Nothing is fetched when a checkpoint is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleisa.utils.environment import home
from paddleisa.weights import load_backbone, load_weights
from paddleisa.zoo.resolve import weights_file

if TYPE_CHECKING:
    from paddle import nn


def load_initial(model: nn.Layer, given: Mapping[str, Any], reinit_classifier: bool = False) -> list[str]:
    """Load ``model.pretrained`` if the config gives it, else the backbone's ImageNet weights if it gives those.

    Args:
        model: built from the config's ``model``.
        given: the config's ``model``.
        reinit_classifier: with ``model.pretrained``, leave the classifier at its initial values.

    Returns:
        Lines that say what was loaded.

    Raises:
        WeightsError: the file does not fit, or the package that holds it is not installed.
        DownloadError: it is a URL and cannot be fetched.
    """
    if source := given.get("pretrained"):
        return [f"model.pretrained: {load_weights(model, _local(source), reinit_classifier=reinit_classifier)}"]
    if source := (given.get("backbone") or {}).get("pretrained"):
        return [f"model.backbone.pretrained: {load_backbone(model.backbone, _of_backbone(model.backbone, source))}"]
    return ["every weight starts at random: the config names no pretrained file"]


def _of_backbone(backbone: nn.Layer, source: str) -> Path:
    """The file that ``source`` means, which may be a name that the backbone knows (its ``published`` weights)."""
    packaged = getattr(backbone, "published", {}).get(source)
    return packaged.locate() if packaged else _local(source)


def _local(source: str) -> Path:
    """The file that a path, a training's folder, a model's name or an address means."""
    if not source.startswith(("http://", "https://")):
        return weights_file(source, source, download=True)
    from paddleisa.weights.archive import is_archive, read_archive
    from paddleisa.weights.read import read_weights
    from paddleisa.zoo.download.download import fetch

    def check(path: Path) -> None:
        (read_archive if is_archive(path) else read_weights)(path)

    return fetch(source, home() / "backbones", check=check)
