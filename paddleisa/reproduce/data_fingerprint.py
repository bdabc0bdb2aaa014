"""The data behind a measurement: how it is known again, and how it is got."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddleisa.datasets.base import SegmentationData

_ROOTS = {"Cityscapes": "data/cityscapes", "PascalVOC": "data/VOCdevkit", "ADE20K": "data/ADEChallengeData2016"}


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
    if dataset["type"] not in _ROOTS:
        return []
    root = Path(dataset.get("dataset_root") or _ROOTS[dataset["type"]])
    where = shlex.quote(str(root))
    if root.is_dir() and any(root.iterdir()):
        return []
    if dataset["type"] == "Cityscapes":
        return [
            "# Cityscapes needs an account: https://www.cityscapes-dataset.com/register/",
            "pip install cityscapesscripts",
            f"mkdir -p {where} && csDownload -d {where} gtFine_trainvaltest.zip leftImg8bit_trainvaltest.zip",
            f"paddleisa prepare cityscapes {where}",
        ]
    if dataset["type"] == "PascalVOC":
        return [f"paddleisa prepare voc {where}"]  # downloads it
    archive = "ADEChallengeData2016.zip"
    return [
        f"curl -LO http://data.csail.mit.edu/places/ADEchallenge/{archive}",
        f"unzip -q {archive} -d {shlex.quote(str(root.parent))}",
    ]
