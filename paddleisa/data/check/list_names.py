"""What the names in a list tell: samples listed twice, labels of another image, names that do not travel well."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from paddleisa.data.check.split import Split

_ENDINGS = re.compile(
    r"(_leftImg8bit|_gtFine|_gtCoarse|_labelTrainIds|_labelIds|[_-]?(masks?|labels?|seg|gt|annot|image|img)|_L)$",
    re.IGNORECASE,
)
_MOST = 0.8  # of the lines have names that belong together: then the others look like mistakes


def check_names(split: Split) -> None:
    """Add what is wrong with the lines of a list; nothing where no list names the samples."""
    if not split.places:
        return
    images = Counter(image for image, _ in split.rows)
    strange = []
    for number, (image, label) in enumerate(split.rows):
        place = split.places[number]
        if images.pop(image, 1) > 1:
            split.add("list_twice", place, f"{image} is listed more than once", "Remove one", number, "warning")
        if image == label:
            split.add("same_file", place, "image and label are the same file", "Name the label", number)
        strange += [name for name in (image, label or "") if not name.removeprefix(str(split.root)).isascii()]
    if strange:
        text = f"{len(strange)} names hold letters beyond ASCII: fine here, but archives and other programs change them"
        split.add("non_ascii", strange[0], text, "Rename the files in plain letters and digits", level="warning")
    _check_pairs(split)


def _check_pairs(split: Split) -> None:
    """Lines whose image and label are named alike, but for a few."""
    pairs = [(number, Path(image).stem, Path(label).stem) for number, (image, label) in enumerate(split.rows) if label]
    for alike in (lambda a, b: core(a) == core(b), lambda a, b: re.findall(r"\d+", a) == re.findall(r"\d+", b) != []):
        wrong = [(number, a, b) for number, a, b in pairs if not alike(a, b)]
        if len(wrong) <= (1 - _MOST) * len(pairs):
            for number, image, label in wrong:
                fix = "Pair each image with the label that was made for it"
                problem = f"pairs {image} with {label}; in the other lines the names belong together"
                split.add("swapped_label", split.places[number], problem, fix, number)
            return


def core(stem: str) -> str:
    """A file's name without what says image or label: ``frame_07_mask`` and ``frame_07`` are one."""
    while (shorter := _ENDINGS.sub("", stem)) not in ("", stem):
        stem = shorter
    return stem
