"""Which of many files are missing, and why."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from paddleisa.data.check.sample_stats import Trouble


def missing(paths: Iterable[str]) -> dict[str, Trouble]:
    """{path: why} of those files that are not there, each once.

    Each folder is listed once: the same on a local disk as asking for each file, far quicker on a network's.
    """
    folders: dict[Path, dict[str, bool]] = {}
    found: dict[str, Trouble] = {}
    for name in dict.fromkeys(paths):
        path = Path(name)
        if path.parent not in folders:
            folders[path.parent] = _entries(path.parent)
        listed = folders[path.parent].get(path.name)
        # A file system may ignore case or normalise names: ask it before calling a file missing.
        if listed is not False and (listed is None or not path.exists()) and not path.exists():
            found[name] = _why(path, list(folders[path.parent]))
    return found


def _entries(folder: Path) -> dict[str, bool]:
    """{name: whether it is a link} of a folder; empty when there is none."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_symlink() for entry in entries}
    except OSError:
        return {}


def _why(path: Path, names: list[str]) -> Trouble:
    if path.is_symlink():
        return Trouble(
            "broken_symlink",
            f"is a link to {path.readlink()}, which is not there",
            "Restore that file or make the link again",
        )
    if not path.parent.is_dir():
        slashes = "; write / where the name has \\" if "\\" in str(path) else ""
        return Trouble(
            "missing", f"its folder {path.parent} does not exist", f"Correct dataset_root or the name{slashes}"
        )
    if "\\" in path.name:
        return Trouble("missing", "its name has \\ between folders", "Write / instead of \\ in the list")
    normal = unicodedata.normalize("NFC", path.name)
    for name in names:
        if unicodedata.normalize("NFC", name) == normal:
            return Trouble(
                "missing",
                "the folder has the same letters in another Unicode form",
                f"Rename the file, or write its name as the folder has it: {name!r}",
            )
        if name.casefold() == path.name.casefold():
            return Trouble(
                "missing", f"the folder has {name!r}: capitals differ", "Write the name as the folder has it"
            )
    other = next((name for name in names if Path(name).stem == path.stem), None)
    if other is not None:
        return Trouble("missing", f"the folder has {other!r} instead", "Correct the ending in the list or of the file")
    return Trouble("missing", "is not there", "")
