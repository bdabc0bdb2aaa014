"""PASCAL VOC: images and labels by the names in its lists."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from paddleisa.data.check.inventory import Split, Which, new_split
from paddleisa.data.prepare.manifest import read_marker
from paddleisa.datasets.voc import PARTS, PascalVOC, read_names
from paddleisa.errors import DataError

PUBLISHED = {"train": 1464, "val": 1449, "trainval": 2913, "trainaug": 10582}
_AGAIN = "Unpack VOCtrainval_11-May-2012.tar into dataset_root again"


def take(values: dict, which: Which) -> Split:
    """The split that ``values``, a checked config's data set, describes."""
    base, mode = Path(values["dataset_root"]), values["mode"]
    split = new_split(which, values, PascalVOC, base)
    root, prepare = base / "VOC2012", f"Run: paddleisa prepare voc {base}"
    if not root.is_dir():
        fix = f"Set dataset_root to the folder VOCdevkit that holds VOC2012. {prepare} downloads what is missing"
        split.add("data_set", root, "the folder does not exist", fix)
        return split
    marker = read_marker(base)
    split.expected, split.by = PUBLISHED[mode], "published"
    if marker is not None:
        split.expected, split.by = marker.counts.get(mode), "generated"
        split.expected_classes = marker.classes.get(mode)
    for part, folder in PARTS[mode]:
        path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
        fix = prepare if part == "aug" else _AGAIN
        first = len(split.rows)
        names = _names(split, path, fix)
        split.rows += [(str(root / "JPEGImages" / f"{n}.jpg"), str(root / folder / f"{n}.png")) for n in names]
        for name, count in Counter(names).items():
            if count > 1:
                row = first + names.index(name)
                split.add("list_twice", path, f"{name} is listed {count} times", fix, row, "warning")
        if part == "aug":
            _check_aug(split, path, names, first, fix)
        split.add_missing(fix)
    return split


def _names(split: Split, path: Path, fix: str) -> list[str]:
    try:
        data = path.read_bytes()
        names = read_names(path, fix)
    except FileNotFoundError:
        split.add("list_missing", path, "the list does not exist", fix)
        return []
    except (DataError, OSError) as error:
        kind = "list_empty" if "empty" in str(error) else "list_encoding"
        split.add(kind, path, getattr(error, "problem", str(error)), fix)
        return []
    if b"\r" in data:
        text = "has Windows line ends: fine here, other programs take them for part of the names"
        split.add("list_crlf", path, text, f"Run: sed -i 's/\\r$//' {path}", level="warning")
    return names


def _check_aug(split: Split, path: Path, names: list[str], first: int, fix: str) -> None:
    """SBD labels some of VOC's validation images: with them in aug, val scores what was trained on."""
    try:
        val = set(read_names(path.with_name("val.txt"), _AGAIN))
    except DataError:
        return
    for number, name in enumerate(names):
        if name in val:
            split.add(
                "val_in_aug",
                path,
                f"{name} is an image of val.txt",
                f"Remove the line. {fix} makes it right",
                first + number,
            )
