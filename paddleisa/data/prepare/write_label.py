"""Writing a label that preparation makes: never over another one unless asked to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from paddleisa.datasets.images import read_label, write_label
from paddleisa.errors import DataError

Made = Literal["made", "kept"]


@dataclass
class Prepared:
    """How many labels were made, and how many were there already and right."""

    made: int = 0
    kept: int = 0


def make_label(
    target: Path, label: np.ndarray, source: str | Path, *, palette: np.ndarray | None = None, overwrite: bool = False
) -> Made:
    """Write a label, or keep the equal one that is there.

    Args:
        target: the PNG to write.
        label: (H, W) uint8 class ids.
        source: the file that it was made from, for messages.
        palette: (K, 3) uint8 for a palette PNG.
        overwrite: replace a file that is there and different.

    Raises:
        DataError: a file is there and different.
    """
    if target.is_symlink() or target.exists():
        problem = _difference(target, label)
        if problem is None:
            return "kept"
        if not overwrite:
            raise DataError(
                f"{problem} what {Path(source).name} gives",
                where=target,
                fix="Give --overwrite to make it again, or move it away if it is yours",
            )
    write_label(target, label, palette)
    return "made"


def _difference(target: Path, label: np.ndarray) -> str | None:
    """How the file differs from ``label``, None if it does not."""
    try:
        present = read_label(target)
    except DataError as error:
        return f"is there and unusable ({error.problem}), unlike"
    if present.shape != label.shape:
        return "is there and has another size than"
    wrong = int(np.count_nonzero(present != label))
    return f"is there and differs in {wrong} pixels from" if wrong else None
