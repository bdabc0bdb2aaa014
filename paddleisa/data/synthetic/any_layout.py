"""Generated scenes as the download of any data set that describes its layout: rehearsal data for all of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.prepare.sbd import require_scipy
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.classes import classes_of
from paddleisa.datasets.images import write_image, write_label
from paddleisa.datasets.layouts import ListFile, NameLists, PairedFolders
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import UsageError
from paddleisa.registry import DATASETS
from paddleisa.utils.files import atomic_write

# What the eight classes of the scenes are called elsewhere.
_ALSO = {
    "sidewalk": ("pavement",),
    "building": ("building-other", "house"),
    "pole": ("structural-other",),
    "vegetation": ("tree",),
    "sky": ("sky-other",),
}
_FEW = 2  # classes; where the names of fewer agree, scenes' classes are dealt out in turn


@dataclass(frozen=True)
class AnyLayout:
    """Writes scenes by what the class ``kind`` says of its layout and of its labels as they are downloaded."""

    kind: str

    @cached_property
    def data(self) -> type[SegmentationData]:
        """The data set's class; UsageError where it describes no layout."""
        cls = DATASETS.get(self.kind)
        if not issubclass(cls, SegmentationData) or (cls.layout is None and not cls.source.root):
            raise UsageError(f"{self.kind} describes no layout of files", where="--layout", fix="Name another data set")
        return cls

    @property
    def folders(self) -> tuple[str, ...]:
        """What lies in the root."""
        layout = self.data.layout
        if isinstance(layout, PairedFolders):
            both = (layout.images, layout.raw_labels or layout.labels)
            return tuple({p.format(part=part).split("/")[0] for p in both for part in layout.parts.values()})
        if isinstance(layout, NameLists):
            return tuple({layout.images.split("/")[0], layout.lists.split("/")[0]})
        return ("images", "labels")

    def parts(self, train: int, val: int) -> dict[str, int]:
        """Number of pictures for training and validation."""
        return {"train": train, "val": val}

    def modes(self) -> dict[str, tuple[str, ...]]:
        """The parts that make up each mode of the data set."""
        both: dict[str, tuple[str, ...]] = {"train": ("train",), "val": ("val",)}
        lists = isinstance(self.data.layout, NameLists) and "trainval" in self.data.layout.parts
        return {**both, "trainval": ("train", "val")} if lists else both

    def counts(self, parts: dict[str, int]) -> dict[str, int]:
        """Number of images of each mode of the data set."""
        return {mode: sum(parts[part] for part in of) for mode, of in self.modes().items()}

    def classes(self, parts: dict[str, set[int]]) -> dict[str, list[int]]:
        """Class ids of each mode, from those of each part."""
        return {mode: sorted(set.union(*(parts[part] for part in of))) for mode, of in self.modes().items()}

    def next_command(self, root: str | Path) -> str:
        """What makes the labels that training reads, or looks at them."""
        return (
            self.data.source.prepare.format(root=root)
            if self.data.source.prepare
            else (f"paddleisa prepare dataset {self.kind} {root}")
        )

    def require(self) -> None:
        """Raise a UsageError when what writes MATLAB files is missing."""
        if self.data.source.matrix:
            require_scipy()

    def write_lists(self, root: Path, parts: dict[str, int]) -> None:
        """The data set's own lists, as far as it has any."""
        names = {part: [self.name(part, index) for index in range(count)] for part, count in parts.items()}
        names["trainval"] = sorted(names["train"] + names["val"])
        layout = self.data.layout
        if isinstance(layout, NameLists):
            for mode, lists in layout.parts.items():
                name = lists[0][0]
                file = layout.made_of.get(name) or layout.lists.format(list=name)
                write_lines(root / layout.base / file, names[mode])
        elif layout is None:
            for part in parts:
                found = self.data.layout_for({"dataset_root": str(root), "mode": part})
                if isinstance(found, ListFile):
                    lines = [f"images/{n}.jpg{found.separator}labels/{n}.png" for n in names[part]]
                    write_lines(Path(found.path), lines)

    def write_sample(self, root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Write a picture and its label as it is downloaded; the label's class ids."""
        ids = cv2.LUT(label, self._of_scene)
        image_path, label_path = self._paths(root, part, self.name(part, index))
        write_image(image_path, img)
        stored = self._stored[ids]
        if label_path.suffix == ".mat":
            write_matrix(label_path, self.data.source.matrix, stored.astype(np.uint16))
        else:
            write_label(label_path, stored.astype(np.uint8))
        return ids

    @cached_property
    def _of_scene(self) -> np.ndarray:
        """(256,) uint8, the data set's class of each of a scene's; what it has no name for is background or ignored."""
        names = {name: number for number, name in reversed(list(enumerate(self.data.class_names)))}
        found = {}
        for number, name in enumerate(Scenes.class_names):
            known = next((names[other] for other in (name, *_ALSO.get(name, ())) if other in names), None)
            if known is not None:
                found[number] = known
        if len(found) < _FEW:
            found = {number: number % len(self.data.class_names) for number in range(len(Scenes.class_names))}
        rest = 0 if self.data.class_names[0] == "background" else self.data.ignore_index
        table = np.full(256, rest, np.uint8)
        table[list(found)] = list(found.values())
        return table

    @cached_property
    def _stored(self) -> np.ndarray:
        """(256,) the number in a downloaded label of each class; any that is no class for the rest."""
        reads = classes_of(self.data, {}).table()
        if self.data.raw_table is not None:
            reads = reads[self.data.raw_table]
        rest = np.flatnonzero(reads == self.data.ignore_index)
        stored = np.full(256, rest[0] if rest.size else 0)
        for number in range(len(self.data.class_names)):
            stored[number] = np.flatnonzero(reads == number)[0]
        return stored

    def _paths(self, root: Path, part: str, name: str) -> tuple[Path, Path]:
        layout = self.data.layout
        if isinstance(layout, PairedFolders):
            both = (layout.images, layout.raw_labels or layout.labels)
            images, labels = (_filled(pattern.format(part=layout.parts[part]), name) for pattern in both)
            return root / images, root / labels
        if isinstance(layout, NameLists):
            labels = layout.raw_labels or layout.parts[part][0][1]
            return root / layout.base / layout.images.format(name=name), root / layout.base / labels.format(name=name)
        return root / f"images/{name}.jpg", root / f"labels/{name}.png"

    def name(self, part: str, index: int) -> str:
        """The name that a picture and its label share."""
        return f"{part}_{index:06d}"


def _filled(pattern: str, name: str) -> str:
    """A pattern with a name for its last ``*``, and a folder for each ``*`` before it."""
    head, _, ending = pattern.rpartition("*")
    return head.replace("*", "scenes") + name + ending


def write_matrix(path: Path, name: str, values: object) -> None:
    """Write a MATLAB file with one variable."""
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, {name: values}, do_compression=True)
    # The format starts with 116 bytes of free text, where scipy puts the time: equal pictures shall be equal files.
    text = b"MATLAB 5.0 MAT-file, drawn by paddleisa prepare scenes".ljust(116)
    with atomic_write(path) as out:
        out.write(text + stream.getvalue()[len(text) :])


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a list file."""
    with atomic_write(path, "w") as out:
        out.writelines(f"{line}\n" for line in lines)
