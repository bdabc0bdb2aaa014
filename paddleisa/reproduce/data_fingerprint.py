"""The data behind a measurement: how it is known again, and how it is got."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.datasets.layouts import Source
from paddleisa.registry import DATASETS

if TYPE_CHECKING:
    from paddleisa.datasets.base import SegmentationData


def data_digest(dataset: SegmentationData) -> str:
    """SHA-256 over the names and sizes in bytes of all images and labels, in order.

    Names are relative to the folder that holds them all, so that a copy of the data has the digest of the original.
    The size of a file that is not there, as for drawn data, counts as 0.
    """
    files = [Path(file).absolute() for sample in dataset.samples for file in sample if file is not None]
    root = os.path.commonpath([file.parent for file in files]) if files else "."
    lines = []
    for file in files:
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            size = 0
        lines.append(f"{file.relative_to(root).as_posix()} {size}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def data_commands(dataset: dict) -> list[str]:
    """Commands that bring a public data set into its folder; none for other data, or where something is there already.

    Args:
        dataset: a config's ``val_dataset``.
    """
    source = getattr(DATASETS.get(dataset["type"]), "source", Source())
    root = Path(dataset.get("dataset_root") or source.root)
    return [] if root.is_dir() and any(root.iterdir()) else source.commands(root)
