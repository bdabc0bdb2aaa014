"""Converted models on disk, by content: made once, checked at every use, shared by processes.

``PADDLEISA_HOME/engines/KEY/`` holds the files of one model and ``manifest.json`` with their hashes. An entry is never
changed. One that is damaged is made again, and the least recently used ones go when there are more than ``KEEP``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from paddleisa.utils.environment import home
from paddleisa.utils.files import atomic_write, new_folder, sha256_of, write_error

KEEP = 12
MANIFEST = "manifest.json"


def cache_key(parts: Mapping[str, object]) -> str:
    """Name of the entry that ``parts``, plain values, describe."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cached(parts: Mapping[str, object], build: Callable[[Path], None]) -> tuple[Path, bool]:
    """The folder with the files that ``parts`` describe.

    Args:
        parts: everything that the files depend on; kept in the manifest for people who look there.
        build: fills an empty folder; called when there is no entry, or a damaged one. What it raises goes through.

    Returns:
        (folder, whether it had been there already).

    Raises:
        WriteError: the cache cannot be written.
    """
    root, key = home() / "engines", cache_key(parts)
    folder = root / key
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{key}.lock"):
            warm = _is_whole(folder)
            if not warm:
                _sweep(root, key)
                with new_folder(folder) as filling:
                    build(filling)
                    _describe(filling, parts)
            os.utime(folder)
        if not warm:
            _prune(root)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder, warm


def _describe(folder: Path, parts: Mapping[str, object]) -> None:
    files = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    with atomic_write(folder / MANIFEST, "w") as stream:
        json.dump({"made_from": parts, "files": files}, stream, indent=1)
        stream.write("\n")


def _is_whole(folder: Path) -> bool:
    """Whether every file of an entry is there with its hash."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return bool(files) and all(sha256_of(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _sweep(root: Path, key: str) -> None:
    """What a killed process left half made; the lock is ours, so nobody is making it."""
    for folder in root.glob(f".{key}.*"):
        shutil.rmtree(folder, ignore_errors=True)


def _prune(root: Path) -> None:
    entries = [folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    for folder in sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)[KEEP:]:
        try:
            with FileLock(root / f"{folder.name}.lock", timeout=0):  # not one that somebody is opening
                shutil.rmtree(folder, ignore_errors=True)
        except Timeout:
            continue
