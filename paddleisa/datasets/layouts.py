"""How data sets lie on disk: folders paired by name, lists of names, lists of files. Each finds a data set's samples.

A layout reads names only. It never stops at what is wrong: the inventory that it gives holds it all, for a data set's
constructor, which refuses to go on, and for ``paddleisa prepare check``, which tells everything.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paddleisa.datasets.image_files import list_lines, read_text, wrong_columns
from paddleisa.datasets.inventory import Inventory
from paddleisa.errors import DataError


@dataclass(frozen=True)
class Source:
    """Where a public data set comes from.

    Attributes:
        root: its default ``dataset_root``, "" where there is none.
        folder: what ``dataset_root`` is to be, for messages: "the folder that holds leftImg8bit".
        images: the archive that holds the images, "" where nobody knows.
        labels: the archive that holds the labels.
        prepare: command that makes the labels which training reads, with {root}; None where the archive has them.
        get: shell commands that bring the data to a machine that has none, with {root} and its {parent}.
        archives: {official archive: folder below the root to unpack it into}, for ``paddleisa prepare``.
        matrix: name of the labels in MATLAB files, where the downloaded labels are such.
    """

    root: str = ""
    folder: str = "the folder that holds the data"
    images: str = ""
    labels: str = ""
    prepare: str | None = None
    get: tuple[str, ...] = ()
    archives: Mapping[str, str] = field(default_factory=dict)
    matrix: str = ""

    def commands(self, root: str | Path) -> list[str]:
        """``get`` for a folder."""
        places = {"root": shlex.quote(str(root)), "parent": shlex.quote(str(Path(root).parent))}
        return [command.format(**places) for command in self.get]

    def make_labels(self, root: str | Path) -> str:
        """Advice for labels that are not there: the command that makes them, or the archive that has them."""
        return again(self.labels) if self.prepare is None else f"Run: {self.prepare.format(root=root)}"

    def absent(self) -> str:
        """Advice for a ``dataset_root`` that is not there."""
        archive = f"; {self.images} has it, see docs/data.md" if self.images else ""
        return f"Set dataset_root to {self.folder}{archive}"


class Layout:
    """Finds the samples of a part of a data set."""

    def survey(self, root: Path, mode: str, source: Source) -> Inventory:
        """The samples of ``mode`` below ``root``, with what is wrong."""
        raise NotImplementedError

    def conversions(self, root: Path) -> list[tuple[Path, Path]]:
        """(downloaded label, label to make of it), of all that are there; empty where labels are read as they are."""
        return []


@dataclass(frozen=True)
class PairedFolders(Layout):
    """Images and labels in folders of their own, paired by what their names share, in the order of the names.

    A pattern is a folder, then ``*`` for each level below it: in ``gtFine/{part}/*/*_labelTrainIds.png``, ``*/*`` is
    the name that image and label share.

    Attributes:
        images: pattern of the images; ``{part}`` stands for the mode's folder.
        labels: pattern of the labels.
        parts: {mode: its folder}.
        raw_labels: pattern of the labels as they are downloaded, where preparation makes others of them.
        unlabelled: modes that have no labels.
    """

    images: str
    labels: str
    parts: Mapping[str, str]
    raw_labels: str | None = None
    unlabelled: tuple[str, ...] = ()

    def survey(self, root: Path, mode: str, source: Source) -> Inventory:
        """The samples of ``mode``, with what is wrong."""
        found, part = Inventory(), self.parts[mode]
        if not root.is_dir():
            found.add("data_set", root, "the data set's folder does not exist", source.absent())
            return found
        images = files_of(root, self.images, part)
        if not images:
            where, form = _folder(root, self.images, part)
            found.add(
                "data_set",
                where,
                f"there are no images {form}",
                f"{again(source.images)}, or {_lower(source.absent())}",
            )
            return found
        if mode in self.unlabelled:
            found.rows = [(images[name], None) for name in sorted(images)]
        else:
            self._pair(found, images, root, part, source)
        found.add_missing(again(source.images))  # links to nowhere
        return found

    def conversions(self, root: Path) -> list[tuple[Path, Path]]:
        """(downloaded label, label to make of it), of all that are there."""
        if self.raw_labels is None:
            return []
        found = []
        for part in dict.fromkeys(self.parts.values()):
            folder, form = _folder(root, self.labels, part)
            for name, path in sorted(files_of(root, self.raw_labels, part).items()):
                found.append((Path(path), folder / (name + form.rpartition("*")[2])))
        return found

    def _pair(self, found: Inventory, images: dict[str, str], root: Path, part: str, source: Source) -> None:
        labels = files_of(root, self.labels, part)
        raw = {} if self.raw_labels is None else files_of(root, self.raw_labels, part)
        (folder, form), ending = _folder(root, self.labels, part), self.images.rpartition("*")[2]
        for number, name in enumerate(sorted(images)):
            if name in labels and name in raw:
                found.raw[labels[name]] = raw[name]
            label = labels.get(name, str(folder / (name + form.rpartition("*")[2])))
            found.rows.append((images[name], label))
            if name not in labels:
                fix = source.make_labels(root)
                if self.raw_labels is not None and name not in raw:
                    fix = f"{again(source.labels)}, then {_lower(fix)}"
                found.absent.add(number)
                found.add("missing_label", label, f"is not there: {name}{ending} has no label", fix, number)
        for name in sorted(labels.keys() - images.keys()):
            fix = f"{again(source.images)}, or remove the label"
            found.add("extra_label", labels[name], f"has no image {name}{ending}", fix)


@dataclass(frozen=True)
class NameLists(Layout):
    """Images and labels by the names in lists, as PASCAL VOC has them.

    Attributes:
        base: folder below the root that holds everything.
        lists: path of a list with {list}.
        images: path of an image with {name}.
        parts: {mode: ((list, path of its labels with {name}), ...)}.
        prepared: lists that preparation makes, each with the list whose names must not be in it.
        raw_labels: path with {name} of the labels as they are downloaded, where preparation makes others of them.
        made_of: {list that preparation makes: list of which it keeps the names that have a raw label}.
    """

    base: str
    lists: str
    images: str
    parts: Mapping[str, tuple[tuple[str, str], ...]]
    prepared: Mapping[str, str] = field(default_factory=dict)
    raw_labels: str | None = None
    made_of: Mapping[str, str] = field(default_factory=dict)

    def survey(self, root: Path, mode: str, source: Source) -> Inventory:
        """The samples of ``mode``, with what is wrong."""
        found, base = Inventory(), root / self.base
        if not base.is_dir():
            found.add("data_set", base, "the data set's folder does not exist", source.absent())
            return found
        for name, labels in self.parts[mode]:
            path, first = base / self.lists.format(list=name), len(found.rows)
            made = name in self.prepared or self.raw_labels is not None
            fix = source.make_labels(root) if made else again(source.images)
            names = self._names(found, path, fix)
            found.rows += [
                (str(base / self.images.format(name=n)), str(base / labels.format(name=n))) for _, n in names
            ]
            found.places += [place for place, _ in names]
            if name in self.prepared:
                self._keep_apart(found, names, base / self.lists.format(list=self.prepared[name]), first, fix)
            found.add_missing(fix, first)
        return found

    def conversions(self, root: Path) -> list[tuple[Path, Path]]:
        """(downloaded label, label to make of it), of the names in the lists that are there."""
        if self.raw_labels is None:
            return []
        found = {}
        for name, labels in {part for parts in self.parts.values() for part in parts}:
            path = root / self.base / self.lists.format(list=name)
            for stem in read_names(path, "") if path.is_file() else ():
                raw = root / self.base / self.raw_labels.format(name=stem)
                if raw.is_file():
                    found[raw] = root / self.base / labels.format(name=stem)
        return sorted(found.items())

    def _names(self, found: Inventory, path: Path, fix: str) -> list[tuple[str, str]]:
        text = _text_of(found, path, fix)
        rows = [(f"{path}:{n}", columns[0]) for n, _, columns in list_lines(text or "")]
        if text is not None and not rows:
            found.add("list_empty", path, "the list names no image", fix)
        return rows

    def _keep_apart(self, found: Inventory, names: list[tuple[str, str]], path: Path, first: int, fix: str) -> None:
        """SBD labels some of VOC's validation images: with them in aug, val scores what was trained on."""
        try:
            apart = set(read_names(path, fix))
        except DataError:
            return  # told where that list is read
        for number, (place, name) in enumerate(names, first):
            if name in apart:
                advice = f"Remove the line. {fix} makes it right"
                found.add("val_in_aug", place, f"{name} is an image of {path.name}", advice, number)


@dataclass(frozen=True)
class ListFile(Layout):
    """The samples in the lines of a list file, ``image label`` (``image_files`` has the details).

    Attributes:
        path: the list, relative to the working folder, as in PaddleSeg, or to the root.
        separator: what stands between image and label in a line.
        labels: whether every line needs a label.
    """

    path: str
    separator: str = " "
    labels: bool = True

    def survey(self, root: Path, mode: str, source: Source) -> Inventory:
        """The samples of the list, with what is wrong; ``mode`` has chosen the list already."""
        found, path = Inventory(), Path(self.path)
        if not root.is_dir():
            found.add("data_set", root, "the data set's folder does not exist", source.absent())
            return found
        path = path if path.exists() or not (root / path).exists() else root / path
        text = _text_of(found, path, f"Names in configs are relative to the working folder or to {root}")
        if text is None:
            return found
        for number, line, columns in list_lines(text, self.separator):
            if len(columns) == 2 or (len(columns) == 1 and not self.labels):
                image, *label = (str(root / column) for column in columns)
                found.rows.append((image, label[0] if label else None))
                found.places.append(f"{path}:{number}")
            else:
                error = wrong_columns(path, number, line, len(columns), self.separator, self.labels)
                found.add("list_columns", error.where, error.problem, error.fix or "")
        if not found.rows and not any(finding.kind == "list_columns" for finding in found.findings):
            found.add("list_empty", path, "the list names no image", "Write a line `image label` for each sample")
        found.add_missing(f"Restore it, or remove its line from {path}; names are relative to {root}")
        return found


def files_of(root: Path, pattern: str, part: str) -> dict[str, str]:
    """{shared name: path} of the files of a pattern of ``PairedFolders``."""
    folder, form = _folder(root, pattern, part)
    ending = form.rpartition("*")[2]
    return {
        path.relative_to(folder).as_posix().removesuffix(ending): str(path)
        for path in folder.glob(form)
        if not path.name.startswith(".")  # macOS leaves ._NAME beside each file in archives
    }


def read_names(path: Path, fix: str) -> list[str]:
    """The image names in one list, in its order; DataError when there are none."""
    names = [columns[0] for _, _, columns in list_lines(read_text(path, fix))]
    if not names:
        raise DataError("the list names no image", where=path, fix=fix)
    return names


def _text_of(found: Inventory, path: Path, fix: str) -> str | None:
    try:
        text = read_text(path, fix)
    except DataError as error:
        kind = "list_encoding" if "UTF" in error.problem else "list_missing"
        found.add(kind, path, error.problem, error.fix or fix)
        return None
    if "\r" in text:
        why = "has Windows line ends: fine here, other programs take them for part of the names"
        found.add("list_crlf", path, why, f"Run: sed -i 's/\\r$//' {path}")
    return text


def _folder(root: Path, pattern: str, part: str) -> tuple[Path, str]:
    """The folder of a pattern, and the rest of it, from the first ``*``."""
    fixed, star, rest = pattern.format(part=part).partition("*")
    return root / fixed, star + rest


def again(archive: str) -> str:
    """Advice to get a lost file back."""
    return f"Unpack {archive} again" if archive else "Restore the files"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
