"""Checkpoints: folders ``iter_N`` that are whole or not there, and hold all that a run needs to go on.

``model.pdparams`` and ``model.pdopt`` are named as in PaddleSeg; ``ema.pdparams`` is there when the config asks for it;
``checkpoint.json`` holds the rest and the SHA-256 of the other files. Nothing is read by unpickling.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paddleisa.errors import CheckpointError, WeightsError
from paddleisa.training.optimizer_state import structured_arrays
from paddleisa.utils.files import atomic_write, new_folder, remove_folder, sha256_of
from paddleisa.weights import read_weights, save_weights
from paddleisa.weights.state_files import parameter_names, read_optimizer

FORMAT = 1
_NAME = re.compile(r"iter_(\d+)$")


@dataclass
class Checkpoint:
    """State of a training after an iteration.

    Attributes:
        facts: plain numbers and texts: iteration, schedule, scaler, best score, config, versions.
        arrays: tensors by file: ``model.pdparams``, ``model.pdopt``, ``ema.pdparams``.
    """

    facts: dict[str, Any]
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)


def save_checkpoint(save_dir: str | os.PathLike, checkpoint: Checkpoint) -> Path:
    """Write ``save_dir/iter_N``, where N is the iteration; gives the folder.

    Raises:
        WriteError: the disk is full or forbidden; no partial folder is left, and older checkpoints are untouched.
    """
    target = Path(save_dir) / f"iter_{checkpoint.facts['iteration']}"
    with new_folder(target) as filling:
        digests = {}
        for name, state in checkpoint.arrays.items():
            if state:  # plain SGD keeps nothing
                written = save_weights(state, filling / f"{name}.pdparams")  # the suffix chooses the format
                digests[name] = sha256_of(written.rename(filling / name))
        with atomic_write(filling / "checkpoint.json", "w") as stream:
            json.dump({"format": FORMAT, **checkpoint.facts, "sha256": digests}, stream, indent=1)
    return target


def read_checkpoint(folder: str | os.PathLike) -> Checkpoint:
    """Read what ``save_checkpoint``, or PaddleSeg, wrote. PaddleSeg's holds no facts but the iteration.

    Raises:
        CheckpointError: it is no checkpoint, or one of its files is missing or changed.
    """
    folder = Path(folder)
    advice = "Resume from another checkpoint, or let --resume_model auto find one"
    if not (folder / "checkpoint.json").is_file() and (folder / "model.pdparams").is_file():
        return _read_paddleseg(folder)
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


def _read_paddleseg(folder: Path) -> Checkpoint:
    """A folder of PaddleSeg's: ``model.pdparams`` and ``model.pdopt``, the iteration in its name or its schedule."""
    if not (folder / "model.pdopt").is_file():
        raise CheckpointError(
            "the folder holds weights, but no state of an optimizer (model.pdopt) to go on with",
            where=folder,
            fix=f"Start a training from them: --opts model.pretrained={folder}",
        )
    try:
        weights = read_weights(folder / "model.pdparams")
        state, steps = read_optimizer(folder / "model.pdopt")
        optimizer = structured_arrays(state, parameter_names(folder / "model.pdparams")) if state else {}
    except WeightsError as error:
        raise CheckpointError(error.problem, where=error.where, fix=error.fix) from error
    named = _NAME.match(folder.name)
    iteration = int(named[1]) if named else steps
    if iteration is None:
        raise CheckpointError(
            "neither the folder's name nor model.pdopt says the iteration",
            where=folder,
            fix="Name the folder iter_N, as PaddleSeg does",
        )
    return Checkpoint({"iteration": iteration}, {"model.pdparams": weights, "model.pdopt": optimizer})


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


def keep_only(save_dir: str | os.PathLike, iterations: Collection[int], until: int) -> None:
    """Remove the checkpoints of iterations up to ``until`` that are not among ``iterations``. Raises WriteError."""
    for path in checkpoints(save_dir):
        iteration = int(path.name.removeprefix("iter_"))
        if iteration <= until and iteration not in iterations:
            remove_folder(path)
