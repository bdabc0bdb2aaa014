"""The data set of a list file, line by line."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from paddleisa.data.check.inventory import Split, Which
from paddleisa.data.prepare.manifest import read_marker
from paddleisa.datasets.base import class_names_of, palette_of
from paddleisa.datasets.listing import list_lines, wrong_columns

_ENDINGS = re.compile(
    r"(_leftImg8bit|_gtFine|_gtCoarse|_labelTrainIds|_labelIds|[_-]?(masks?|labels?|seg|gt|annot|image|img)|_L)$",
    re.IGNORECASE,
)
_MOST = 0.8  # of the lines have names that belong together: then the others look like mistakes


def take(values: dict, which: Which) -> Split:
    """The split that ``values``, a checked config's data set, describes."""
    root, mode, classes = Path(values["dataset_root"]), values["mode"], values["num_classes"]
    names = class_names_of(values.get("class_names"), classes)
    colours = palette_of(values.get("palette"), classes)
    split = Split(which, "Dataset", mode, root, classes, values["ignore_index"], names, colours)
    if not root.is_dir():
        split.add("data_set", root, "the folder does not exist", "Set dataset_root to the folder that holds the data")
        return split
    marker = read_marker(root)
    if marker is not None:
        split.expected, split.by, split.expected_classes = (
            marker.counts.get(mode),
            "generated",
            marker.classes.get(mode),
        )
    given = values.get(f"{mode}_path")
    if given is None:
        split.add("list_missing", root, f"mode is {mode!r} and there is no {mode}_path", f"Give {mode}_path, the list")
        return split
    path = Path(given)
    path = path if path.exists() or not (root / path).exists() else root / path
    places = _read(split, path, root, values["separator"], labels=mode != "test")
    split.add_missing(f"Restore it, or remove its line from {path}")
    _check_names(split, places)
    return split


def _read(split: Split, path: Path, root: Path, separator: str, labels: bool) -> list[str]:
    """Fill ``split.rows``; the place ``FILE:LINE`` of each."""
    try:
        data = path.read_bytes()
    except OSError as error:
        fix = f"Names in configs are relative to the working folder or to {root}"
        split.add("list_missing", path, f"the list cannot be read ({error.strerror or error})", fix)
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "in another encoding than UTF-8"
        split.add("list_encoding", path, f"the list is {kind}", "Save it as UTF-8, or: iconv -t UTF-8 ...")
        return []
    if "\r" in text:
        why = "has Windows line ends: fine here, other programs take them for part of the names"
        split.add("list_crlf", path, why, f"Run: sed -i 's/\\r$//' {path}", level="warning")
    places = []
    for number, line, columns in list_lines(text, separator):
        if len(columns) == 2 or (len(columns) == 1 and not labels):
            split.rows.append((str(root / columns[0]), str(root / columns[1]) if len(columns) == 2 else None))
            places.append(f"{path}:{number}")
        else:
            error = wrong_columns(path, number, line, len(columns), separator, labels)
            split.add("list_columns", error.where, error.problem, error.fix or "")
    if not split.rows and not any(finding.kind == "list_columns" for finding in split.findings):
        split.add("list_empty", path, "the list names no image", "Write a line `image label` for each sample")
    return places


def _check_names(split: Split, places: list[str]) -> None:
    images = Counter(image for image, _ in split.rows)
    strange = []
    for number, (image, label) in enumerate(split.rows):
        if images.pop(image, 1) > 1:
            split.add(
                "list_twice", places[number], f"{image} has another line in this list", "Remove one", number, "warning"
            )
        if image == label:
            split.add("same_file", places[number], "image and label are the same file", "Name the label", number)
        strange += [name for name in (image, label or "") if not name.removeprefix(str(split.root)).isascii()]
    if strange:
        text = f"{len(strange)} names hold letters beyond ASCII: fine here, but archives and other programs change them"
        split.add("non_ascii", strange[0], text, "Rename the files in plain letters and digits", level="warning")
    _check_pairs(split, places)


def _check_pairs(split: Split, places: list[str]) -> None:
    """Lines whose image and label are named alike, but for a few."""
    pairs = [(number, Path(image).stem, Path(label).stem) for number, (image, label) in enumerate(split.rows) if label]
    for alike in (lambda a, b: _core(a) == _core(b), lambda a, b: re.findall(r"\d+", a) == re.findall(r"\d+", b) != []):
        wrong = [(number, a, b) for number, a, b in pairs if not alike(a, b)]
        if len(wrong) <= (1 - _MOST) * len(pairs):
            for number, image, label in wrong:
                fix = "Pair each image with the label that was made for it"
                problem = f"pairs {image} with {label}; in the other lines the names belong together"
                split.add("swapped_label", places[number], problem, fix, number)
            return


def _core(stem: str) -> str:
    while (shorter := _ENDINGS.sub("", stem)) not in ("", stem):
        stem = shorter
    return stem
