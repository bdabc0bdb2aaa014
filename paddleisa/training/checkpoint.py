"""Checkpoints: folders ``iter_N`` that are whole or not there, and hold all that a run needs to go on.

``model.pdparams`` and ``model.pdopt`` are named as in PaddleSeg; ``ema.pdparams`` is there when the config asks for it;
``checkpoint.json`` holds the rest and the SHA-256 of the other files. Nothing is read by unpickling.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paddleisa.errors import CheckpointError, WeightsError
from paddleisa.utils.files import atomic_write, fsync_folder, sha256_of, write_error
from paddleisa.weights import read_weights, save_weights

FORMAT = 1
_NAME = re.compile(r"iter_(\d+)$")


@dataclass
class Checkpoint:
    """State of a training after an iteration.

    Attributes:
        facts: plain numbers and texts: iteration, schedule, scaler, best score, config, versions.
        arrays: tensors by file: ``model.pdparams``, ``model.pdopt``, ``ema.pdparams``.
    """

    facts: dict[str, object]
    arrays: dict[str, Mapping[str, np.ndarray]] = field(default_factory=dict)


def save_checkpoint(save_dir: str | os.PathLike, checkpoint: Checkpoint) -> Path:
    """Write ``save_dir/iter_N``: first under another name, synced to the disk, then renamed.

    Raises:
        WriteError: the disk is full or forbidden; no partial folder is left, and older checkpoints are untouched.
    """
    target = Path(save_dir) / f"iter_{checkpoint.facts['iteration']}"
    partial = target.with_name(f".{target.name}.part")
    try:
        _remove(partial)
        partial.mkdir(parents=True)
        digests = {}
        for name, state in checkpoint.arrays.items():
            if not state:  # plain SGD keeps nothing
                continue
            save_weights(state, partial / f"{name}.pdparams")  # the suffix chooses the format
            (partial / f"{name}.pdparams").replace(partial / name)
            digests[name] = sha256_of(partial / name)
        with atomic_write(partial / "checkpoint.json", "w") as stream:
            json.dump({"format": FORMAT, **checkpoint.facts, "sha256": digests}, stream, indent=1)
        _remove(target)
        partial.replace(target)
        fsync_folder(target.parent)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def read_checkpoint(folder: str | os.PathLike) -> Checkpoint:
    """Read what ``save_checkpoint`` wrote.

    Raises:
        CheckpointError: it is no checkpoint, or one of its files is missing or changed.
    """
    folder = Path(folder)
    advice = "Resume from another checkpoint, or let --resume_model auto find one"
    if not (folder / "checkpoint.json").is_file():
        what = "holds no checkpoint.json, so it is no checkpoint of paddleisa" if folder.is_dir() else "does not exist"
        raise CheckpointError(f"the folder {what}", where=folder, fix=advice)
    try:
        facts = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
        digests = facts.pop("sha256")
        wrong = facts.pop("format") != FORMAT
    except (ValueError, KeyError, AttributeError, OSError) as error:
        raise CheckpointError("checkpoint.json is damaged", where=folder, fix=advice) from error
    if wrong:
        raise CheckpointError("the checkpoint was written by another version's format", where=folder)
    arrays = {}
    for name, digest in digests.items():
        file = folder / name
        if not file.is_file() or sha256_of(file) != digest:
            raise CheckpointError(f"{name} is {'damaged' if file.exists() else 'missing'}", where=folder, fix=advice)
        try:
            arrays[name] = read_weights(file)
        except WeightsError as error:
            raise CheckpointError(error.problem, where=file, fix=advice) from error
    return Checkpoint(facts, arrays)


def checkpoints(save_dir: str | os.PathLike) -> list[Path]:
    """The checkpoint folders in ``save_dir``, oldest first; only finished ones have such a name."""
    found = [(int(m[1]), p) for p in Path(save_dir).glob("iter_*") if (m := _NAME.match(p.name)) and p.is_dir()]
    return [path for _, path in sorted(found)]


def newest_readable(save_dir: str | os.PathLike) -> tuple[Path, Checkpoint] | None:
    """The last checkpoint that reads whole, or None when there is none; a damaged one is passed over."""
    for path in reversed(checkpoints(save_dir)):
        try:
            return path, read_checkpoint(path)
        except CheckpointError:
            continue
    return None


def keep_newest(save_dir: str | os.PathLike, count: int) -> None:
    """Remove the oldest checkpoints until ``count`` are left; 0 or less keeps all."""
    paths = checkpoints(save_dir)
    for path in paths[: max(len(paths) - count, 0)] if count > 0 else []:
        _remove(path)


def remove_leftovers(save_dir: str | os.PathLike) -> None:
    """Remove what a killed process was writing or removing."""
    for pattern in (".iter_*.part", ".iter_*.removed"):
        for folder in Path(save_dir).glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a folder so that a crash in between leaves no half checkpoint under its name."""
    if folder.exists():
        doomed = folder.with_name(f".{folder.name.lstrip('.')}.removed")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.replace(doomed)
        shutil.rmtree(doomed)
