"""From what a user calls a config to its file: a path, or the name of a shipped config."""

from __future__ import annotations

from pathlib import Path

from paddleisa.errors import ConfigError, nearest
from paddleisa.utils.nodes import shorten
from paddleisa.utils.resources import configs_dir
from paddleisa.utils.yaml_reader import exists

SUFFIXES = (".yml", ".yaml")


def shipped_configs() -> dict[str, Path]:
    """Name -> file of every shipped config that can be run (``_base_`` holds parts only), sorted by path."""
    files = sorted(configs_dir().rglob("*.yml"))
    return {file.stem: file for file in files if file.parent.name != "_base_"}


def find_config(path_or_name: str | Path) -> Path:
    """The file of a config, or the folder of a training. A bare name is a shipped config's or a published model's.

    Raises ConfigError, with the nearest names, when there is none.
    """
    text = str(path_or_name)
    path, shipped = Path(text), shipped_configs()
    if text in shipped:  # first, so that a run's folder of the same name is not in the way
        return shipped[text]
    if exists(path):
        return path
    if path.suffix in SUFFIXES and path.stem in shipped:
        raise ConfigError("does not exist", where=shorten(path), fix=f"The shipped config is named {path.stem}")
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        return path  # reading it says what is wrong, and what lies beside it
    from paddleisa.zoo.catalogue.catalogue import load_catalogue  # needs pydantic, which reading a file does not

    if text in (catalogue := load_catalogue()):
        config = catalogue.get(text).config
        return shipped.get(config, Path(config))
    listing = ", ".join(shipped) or "none"
    raise ConfigError(f"there is no config {ascii(text)}", fix=f"{nearest(text, shipped)} Shipped: {listing}".strip())
