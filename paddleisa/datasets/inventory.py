"""What a data set consists of, by its lists and folders alone, and what is wrong with it, all at once."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from paddleisa.errors import DataError

Row = tuple[str, str | None]  # image, label; None where the data set has none
Level = Literal["error", "warning"]


class Kind(NamedTuple):
    """A kind of finding: its title in reports, whether it must be repaired, and what to do where nothing more is known.

    docs/data.md says more about each.
    """

    title: str
    level: Level = "error"
    fix: str = ""


KINDS = {
    "data_set": Kind("The data set cannot be opened"),
    "list_missing": Kind("List file missing"),
    "list_encoding": Kind("List file is not UTF-8"),
    "list_empty": Kind("List file names no image"),
    "list_columns": Kind("Line of a list with too few or too many columns"),
    "list_crlf": Kind("List file with Windows line ends", "warning"),
    "list_twice": Kind("Image listed twice", "warning", "Remove one"),
    "non_ascii": Kind("Names with letters beyond ASCII", "warning", "Rename the files in plain letters and digits"),
    "same_file": Kind("Image and label are one file", fix="Name the label"),
    "missing_image": Kind("Image missing"),
    "missing_label": Kind("Label missing"),
    "extra_label": Kind("Label without an image"),
    "broken_symlink": Kind("Link to a file that is gone"),
    "unreadable": Kind("File cannot be read"),
    "empty_file": Kind("Empty file"),
    "truncated": Kind("File cut off"),
    "damaged": Kind("File damaged"),
    "not_an_image": Kind("Not an image"),
    "image_mode": Kind("Image of another kind than the others", "warning"),
    "odd_size": Kind("Image of another size than the others", "warning", "Make sure that it belongs here"),
    "exif": Kind("Image with an EXIF orientation"),
    "label_jpeg": Kind("Label saved as JPEG"),
    "label_16_bit": Kind("Label with 16 bits"),
    "label_colours": Kind("Label holds colours instead of class ids"),
    "label_grey_shades": Kind("Label holds shades of grey instead of class ids"),
    "label_stretched": Kind("Class ids stretched for viewing"),
    "label_0_255": Kind("Mask of 0 and 255"),
    "label_one_based": Kind("Classes counted from 1"),
    "label_ids": Kind("Cityscapes labelIds instead of trainIds"),
    "label_255": Kind("255 is a value, and not the ignored one"),
    "class_too_large": Kind("Class id too large"),
    "stale_train_ids": Kind("trainIds that do not belong to the labelIds"),
    "no_class": Kind("Label without any class", "warning"),
    "nothing_labelled": Kind("No label has any class"),
    "one_class": Kind("One class only", "warning"),
    "palette_lost": Kind("Palette lost", "warning"),
    "palette_differs": Kind("Palette of another order"),
    "wrong_size": Kind("Label of another size than its image", fix="Use the label that was made for this image"),
    "swapped_label": Kind("Label of another image", fix="Pair each image with the label that was made for it"),
    "duplicate_across_splits": Kind("Image in both training and validation"),
    "near_duplicate": Kind("Almost the same image in training and validation", "warning"),
    "duplicate": Kind("Image twice in one split", "warning", "Remove one of the two"),
    "val_in_aug": Kind("Validation image in aug.txt"),
    "count": Kind("Another number of images than published", "warning"),
    "class_absent": Kind("Class that never occurs", "warning"),
    "num_classes": Kind("Model and data differ in their classes"),
}


class Problem(NamedTuple):
    """Why a file is of no use: a kind of ``KINDS`` (or "missing"), what is wrong, what to do ("" for the usual)."""

    kind: str
    problem: str
    fix: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that looks so.

    Attributes:
        kind: a key of ``KINDS``.
        level: error: training would fail or learn something wrong; warning: probably not meant.
        file: the file, or the line of a list (``FILE:LINE``).
        problem: what is wrong with it.
        fix: what to do.
        row: number of the sample, for pictures; None where it belongs to no sample.
        split: train or val, where both are looked at.
    """

    kind: str
    level: Level
    file: str
    problem: str
    fix: str
    row: int | None = None
    split: str = ""


@dataclass
class Inventory:
    """The samples of one part of a data set, existing or not.

    Attributes:
        rows: (image, label or None) of every sample.
        places: where each row is named, ``FILE:LINE``; empty where no list names them.
        absent: numbers of rows whose files are not all there; their findings exist already.
        findings: what is wrong so far.
        raw: {label: the downloaded label that it was made from}, where both are there.
    """

    rows: list[Row] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    raw: dict[str, str] = field(default_factory=dict)

    def add(
        self, kind: str, file: object, problem: str, fix: str = "", row: int | None = None, level: Level | None = None
    ) -> None:
        """Note a finding; advice and level are those of its kind unless they are given."""
        usual = KINDS[kind]
        self.findings.append(Finding(kind, level or usual.level, str(file), problem, fix or usual.fix, row))

    def add_missing(self, fix: str, start: int = 0) -> None:
        """Note every file of the rows from ``start`` that is not there; ``fix`` where the reason gives none."""
        gone = missing_files(path for row in self.rows[start:] for path in row if path is not None)
        for number in range(start, len(self.rows)) if gone else ():
            for path, of_label in zip(self.rows[number], (False, True), strict=True):
                if path in gone:
                    self.absent.add(number)
                    self.add_problem(gone[path]._replace(fix=gone[path].fix or fix), number, of_label)

    def add_problem(self, problem: Problem, row: int, of_label: bool, level: Level | None = None) -> None:
        """Note what is wrong with the image or the label of a row."""
        kind = ("missing_image", "missing_label")[of_label] if problem.kind == "missing" else problem.kind
        self.add(kind, self.rows[row][of_label], problem.problem, problem.fix, row, level)

    def require(self) -> list[Row]:
        """The rows; DataError of the first error, which counts the others like it and names two of them."""
        errors = [finding for finding in self.findings if finding.level == "error"]
        if not errors:
            return self.rows
        first, *others = (finding for finding in errors if finding.kind == errors[0].kind)
        more = f" ({len(others)} more: {', '.join(f.file for f in others[:2])}{', ...' * (len(others) > 2)})"
        raise DataError(first.problem + (more if others else ""), where=first.file, fix=first.fix)


def missing_files(paths: Iterable[str]) -> dict[str, Problem]:
    """{path: why} of those files that are not there, each once, in order.

    Each folder is listed once: the same on a local disk as asking for each file, far quicker on a network's.
    """
    folders: dict[Path, dict[str, bool]] = {}
    found: dict[str, Problem] = {}
    for name in dict.fromkeys(paths):
        path = Path(name)
        if path.parent not in folders:
            folders[path.parent] = _entries(path.parent)
        is_link = folders[path.parent].get(path.name)
        # A file system may ignore case or normalise names: ask it before calling a file missing.
        if is_link is not False and not path.exists():
            found[name] = _why(path, list(folders[path.parent]))
    return found


def _entries(folder: Path) -> dict[str, bool]:
    """{name: whether it is a link} of a folder; empty when there is none."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_symlink() for entry in entries}
    except OSError:
        return {}


def _why(path: Path, names: list[str]) -> Problem:
    if path.is_symlink():
        fix = "Restore that file or make the link again"
        return Problem("broken_symlink", f"is a link to {path.readlink()}, which is not there", fix)
    if not path.parent.is_dir():
        slashes = "; write / where the name has \\" if "\\" in str(path) else ""
        return Problem(
            "missing", f"its folder {path.parent} does not exist", f"Correct dataset_root or the name{slashes}"
        )
    if "\\" in path.name:
        return Problem("missing", "its name has \\ between folders", "Write / instead of \\ in the list")
    normal = unicodedata.normalize("NFC", path.name)
    for name in names:
        if unicodedata.normalize("NFC", name) == normal:
            fix = f"Rename the file, or write its name as the folder has it: {name!r}"
            return Problem("missing", "the folder has the same letters in another Unicode form", fix)
        if name.casefold() == path.name.casefold():
            return Problem(
                "missing", f"the folder has {name!r}: capitals differ", "Write the name as the folder has it"
            )
    other = next((name for name in names if Path(name).stem == path.stem), None)
    if other is not None:
        return Problem("missing", f"the folder has {other!r} instead", "Correct the ending in the list or of the file")
    return Problem("missing", "is not there")
