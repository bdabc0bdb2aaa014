"""Where the package's own configs and weights lie: inside the installed package, or beside it in a clone."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def configs_dir() -> Path:
    """Folder of the shipped YAML configs."""
    return _resource("configs")


def pretrained_dir() -> Path:
    """Folder of the catalogue of weights, and of the weights that were fetched or shipped."""
    return _resource("pretrained")


def _resource(name: str) -> Path:
    """A wheel carries ``name`` inside the package; in a clone it is a top-level folder."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
