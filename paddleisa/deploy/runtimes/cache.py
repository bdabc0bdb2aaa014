"""Converted models on disk, by content: made and checked once, looked at again at every use, shared by processes.

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
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from paddleisa import __version__
from paddleisa.deploy import packages
from paddleisa.deploy.export import FORMATS, all_packages
from paddleisa.utils.environment import home
from paddleisa.utils.files import atomic_write, new_folder, sha256_of, write_error

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.deploy.export.calibration import Calibration

KEEP = 12
MANIFEST = "manifest.json"


def converted(model: nn.Layer, format: str) -> tuple[list[Path], dict[str, bool]]:
    """(files, what was found out about them) of ``model`` in float32.

    Raises:
        DeployError: a package is missing, the model cannot be converted, or the files compute something else.
    """
    from paddleisa.deploy.export.formats import write_checked
    from paddleisa.deploy.export.network import SCORES, upsampling_of

    def build(folder: Path) -> dict[str, object]:
        written = write_checked(model, format, folder, output_op=SCORES if upsampling_of(model) else "none")
        accelerators = {"onednn": written.onednn, "tensorrt": written.tensorrt}
        return {"files": [file.name for file in written.files], "accelerators": accelerators}

    return _from(cached(identity(model, format), build)[0])


def quantised(model: nn.Layer, format: str, calibration: Calibration) -> tuple[list[Path], dict[str, bool]]:
    """(files, what was found out about them) of ``model`` in int8, made of the float32 files, which stay cached too.

    Raises:
        DeployError: as `converted`, or int8 is too far from float32. DataError: a calibration image cannot be used.
    """
    kind = FORMATS[format]

    def build(folder: Path) -> dict[str, object]:
        plain = converted(model, format)[0][0]
        assert kind.quantise is not None  # `require_engine` has seen to it
        kind.quantise(plain, calibration, folder, None)
        names = sorted((file.name for file in folder.iterdir()), key=lambda name: name != plain.name)
        return {"files": names, "accelerators": {}}

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


def _from(folder: Path) -> tuple[list[Path], dict[str, bool]]:
    facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["facts"]
    return [folder / name for name in facts["files"]], facts["accelerators"]


def cache_key(parts: Mapping[str, object]) -> str:
    """Name of the entry that ``parts``, plain values, describe."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cached(parts: Mapping[str, object], build: Callable[[Path], object]) -> tuple[Path, bool]:
    """The folder with the files that ``parts`` describe.

    Args:
        parts: everything that the files depend on; kept in the manifest for people who look there.
        build: fills an empty folder and returns plain values that the manifest is to keep; called when there is no
            entry, or a damaged one. What it raises goes through.

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
            warm = is_whole(folder)
            if not warm:
                _sweep(root, key)
                with new_folder(folder) as filling:
                    _describe(filling, parts, build(filling))
            os.utime(folder)
        if not warm:
            _prune(root)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder, warm


def _describe(folder: Path, parts: Mapping[str, object], facts: object) -> None:
    files = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    with atomic_write(folder / MANIFEST, "w") as stream:
        json.dump({"made_from": parts, "facts": facts, "files": files}, stream, indent=1)
        stream.write("\n")


def is_whole(folder: Path) -> bool:
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
