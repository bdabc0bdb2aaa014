"""Cityscapes: images and labels by name."""

from __future__ import annotations

from pathlib import Path

from paddleisa.data.check.inventory import Split, Which, new_split
from paddleisa.data.prepare.manifest import read_marker
from paddleisa.datasets.cityscapes import IMAGE, LABEL, RAW_LABEL, Cityscapes, files_by_name

PUBLISHED = {"train": 2975, "val": 500, "test": 1525}


def take(values: dict, which: Which) -> Split:
    """The split that ``values``, a checked config's data set, describes."""
    root, mode = Path(values["dataset_root"]), values["mode"]
    split = new_split(which, values, Cityscapes, root)
    if not (root / "leftImg8bit" / mode).is_dir():
        where = root / "leftImg8bit" / mode if root.is_dir() else root
        fix = "Set dataset_root to the folder that holds leftImg8bit, or run: paddleisa prepare cityscapes ROOT"
        split.add("data_set", where, "the folder does not exist", fix)
        return split
    marker = read_marker(root)
    split.expected, split.by = PUBLISHED[mode], "published"
    if marker is not None:
        split.expected, split.by = marker.counts.get(mode), "generated"
        split.expected_classes = marker.classes.get(mode)
    images = files_by_name(root / "leftImg8bit" / mode, IMAGE)
    if mode == "test":
        split.rows = [(images[name], None) for name in sorted(images)]
        split.add_missing("Unpack leftImg8bit_trainvaltest.zip again")
        return split
    truth = root / "gtFine" / mode
    labels, raw = files_by_name(truth, LABEL), files_by_name(truth, RAW_LABEL)
    for number, name in enumerate(sorted(images)):
        split.rows.append((images[name], labels.get(name, str(truth / f"{name}{LABEL}"))))
        if name not in labels:
            split.absent.add(number)
            prepare = f"Run: paddleisa prepare cityscapes {root}"
            fix = (
                prepare
                if name in raw
                else f"Unpack gtFine_trainvaltest.zip again, then {prepare[0].lower()}{prepare[1:]}"
            )
            split.add(
                "missing_label", truth / f"{name}{LABEL}", f"is not there, {name}{IMAGE} has no label", fix, number
            )
    for name in sorted(labels.keys() - images.keys()):
        fix = "Unpack leftImg8bit_trainvaltest.zip again, or remove the label"
        split.add("extra_label", labels[name], f"there is no image {name}{IMAGE}", fix)
    split.add_missing("Unpack the archive again")
    return split
