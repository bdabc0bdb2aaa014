"""Generated scenes as the download of a data set: of any that describes its layout, and more of Cityscapes and VOC."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paddleisa.data.prepare.labels import require_scipy
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.cityscapes import ID_OF_TRAIN_ID, TO_LABEL_ID, TO_TRAIN_ID, Cityscapes
from paddleisa.datasets.classes import classes_of, lookup
from paddleisa.datasets.image_files import write_lines
from paddleisa.datasets.images import write_image, write_label
from paddleisa.datasets.layouts import ListFile, NameLists, PairedFolders
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import UsageError
from paddleisa.registry import DATASETS
from paddleisa.utils.files import atomic_write
from paddleisa.visual.overlay import colorize
from paddleisa.visual.palette import bit_colours

# What the eight classes of the scenes are called elsewhere.
_ALSO = {
    "sidewalk": ("pavement",),
    "building": ("building-other", "house"),
    "pole": ("structural-other", "bottle"),
    "vegetation": ("tree", "pottedplant"),
    "sky": ("sky-other",),
}
_FEW = 2  # classes; where the names of fewer agree, scenes' classes are dealt out in turn
CITIES = {"train": ("aachen", "bremen", "ulm"), "val": ("frankfurt", "lindau", "munster")}
_HOOD, _WITH_INSTANCES = 1, (24, 26)  # labelIds of the camera's car ("ego vehicle"), of persons and cars
SBD = Path("benchmark_RELEASE/dataset")
_YEARS = {"train": 2007, "val": 2009, "aug": 2011}
_BORDER = 3  # pixels around objects that VOC ignores, in pictures 500 wide
Polygon = list[list[int]]


def writer_of(layout: str) -> AnyLayout:
    """What writes a layout; UsageError, ConfigError where there is no such layout."""
    own = {"cityscapes": CityscapesDownload, "voc": VocDownload}  # with more in them than their classes say
    return own[layout]() if layout in own else AnyLayout(layout)


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
    def folders(self) -> set[str]:
        """What lies in the root."""
        root = Path()
        return {path.parts[0] for part in ("train", "val") for path in self.paths(root, part, self.name(part, 0))}

    def parts(self, train: int, val: int) -> dict[str, int]:
        """Number of pictures for training and validation."""
        return {"train": train, "val": val}

    def modes(self) -> dict[str, tuple[str, ...]]:
        """The parts that make up each mode of the data set."""
        both: dict[str, tuple[str, ...]] = {"train": ("train",), "val": ("val",)}
        lists = isinstance(self.data.layout, NameLists) and "trainval" in self.data.layout.parts
        return {**both, "trainval": ("train", "val")} if lists else both

    def next_command(self, root: str | Path) -> str:
        """What makes the labels that training reads, or looks at them."""
        return (self.data.source.prepare or f"paddleisa prepare dataset {self.kind} {{root}}").format(root=root)

    def require(self) -> None:
        """Raise a UsageError when what writes MATLAB files is missing."""
        if self.data.source.matrix:
            require_scipy()

    def name(self, part: str, index: int) -> str:
        """The name that a picture and its label share."""
        return f"{part}_{index:06d}"

    def write_lists(self, root: Path, parts: dict[str, int]) -> None:
        """The data set's own lists, as far as it has any."""
        names = {part: [self.name(part, index) for index in range(count)] for part, count in parts.items()}
        names["trainval"] = sorted(names["train"] + names["val"])
        layout = self.data.layout
        if isinstance(layout, NameLists):
            for mode in names.keys() & layout.parts.keys():
                name = layout.parts[mode][0][0]
                file = layout.made_of.get(name) or layout.lists.format(list=name)
                write_lines(root / layout.base / file, names[mode])
        elif layout is None:
            for part in parts:
                found = self.data.layout_for({"dataset_root": str(root), "mode": part})
                if isinstance(found, ListFile):
                    write_lines(found.path, (f"images/{n}.jpg{found.separator}labels/{n}.png" for n in names[part]))

    def write_sample(self, root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Write a picture and its label as it is downloaded; the label's class ids."""
        ids = cv2.LUT(label, self._of_scene)
        image_path, label_path = self.paths(root, part, self.name(part, index))
        write_image(image_path, img)
        stored = self._stored[ids]
        if label_path.suffix == ".mat":
            _write_matrix(label_path, self.data.source.matrix, stored.astype(np.uint16))
        else:
            write_label(label_path, stored.astype(np.uint8))
        return ids

    def paths(self, root: Path, part: str, name: str) -> tuple[Path, Path]:
        """Where an image and its label as it is downloaded lie."""
        layout = self.data.layout
        if isinstance(layout, PairedFolders):
            both = (layout.images, layout.raw_labels or layout.labels)
            images, labels = (_filled(pattern.format(part=layout.parts[part]), name) for pattern in both)
            return root / images, root / labels
        if isinstance(layout, NameLists):
            base, labels = root / layout.base, layout.raw_labels or layout.parts[part][0][1]
            return base / layout.images.format(name=name), base / labels.format(name=name)
        return root / f"images/{name}.jpg", root / f"labels/{name}.png"

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
        return lookup(found, rest)

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


@dataclass(frozen=True)
class CityscapesDownload(AnyLayout):
    """Cityscapes' two folders: colours, instances and polygons beside the labelIds, no train ids."""

    kind: str = "Cityscapes"

    def name(self, part: str, index: int) -> str:
        """``CITY/CITY_SEQUENCE_FRAME`` of a picture."""
        city = CITIES[part][index % len(CITIES[part])]
        return f"{city}/{city}_{index // len(CITIES[part]):06d}_000019"

    def write_sample(self, root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Write a picture and its annotations; its train ids."""
        train_ids = cv2.LUT(label, self._of_scene)
        polygons = outlines(np.where(train_ids == 255, np.uint8(_HOOD), TO_LABEL_ID[train_ids]))
        height, width = label.shape
        ids = draw(polygons, (width, height))  # drawn from the polygons, as the official files were
        train_ids, truth = TO_TRAIN_ID[ids], root / "gtFine" / part / f"{self.name(part, index)}_gtFine_"
        write_image(root / "leftImg8bit" / part / f"{self.name(part, index)}_leftImg8bit.png", img)
        write_label(Path(f"{truth}labelIds.png"), ids)
        write_image(Path(f"{truth}color.png"), colorize(train_ids, Cityscapes.palette))
        _write_instances(Path(f"{truth}instanceIds.png"), ids)
        with atomic_write(Path(f"{truth}polygons.json"), "w") as stream:
            names = {_HOOD: "ego vehicle", **dict(zip(ID_OF_TRAIN_ID, Cityscapes.class_names, strict=True))}
            objects = [{"label": names[number], "polygon": points} for number, points in polygons]
            json.dump({"imgHeight": height, "imgWidth": width, "objects": objects}, stream)
        return train_ids


@dataclass(frozen=True)
class VocDownload(AnyLayout):
    """VOC2012 with palette PNGs, and SBD's MATLAB files beside it."""

    kind: str = "PascalVOC"

    @property
    def folders(self) -> set[str]:
        """What lies in the root."""
        return {"VOC2012", "benchmark_RELEASE"}

    def require(self) -> None:
        """Raise a UsageError when what writes MATLAB files is missing."""
        require_scipy()

    def parts(self, train: int, val: int) -> dict[str, int]:
        """Number of pictures of each list; SBD adds as many as train has."""
        return {"train": train, "val": val, "aug": train}

    def modes(self) -> dict[str, tuple[str, ...]]:
        """The lists that make up each mode of the data set."""
        return {**super().modes(), "trainaug": ("train", "aug")}

    def name(self, part: str, index: int) -> str:
        """VOC's form of a name: year and number."""
        return f"{_YEARS[part]}_{index:06d}"

    def write_lists(self, root: Path, parts: dict[str, int]) -> None:
        """VOC's lists, and SBD's, which hold half of VOC's train and val besides the further images, as really."""
        super().write_lists(root, parts)
        train, val, aug = ([self.name(p, index) for index in range(parts[p])] for p in ("train", "val", "aug"))
        write_lines(root / SBD / "train.txt", sorted(aug + train[::2], reverse=True))
        write_lines(root / SBD / "val.txt", sorted(val[::2]))

    def write_sample(self, root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Write a picture with its label: a palette PNG in VOC's lists, a .mat in SBD's; the class ids."""
        mask, name = cv2.LUT(label, self._of_scene), self.name(part, index)
        image_path, label_path = self.paths(root, "train", name)
        write_image(image_path, img)
        if part != "aug":
            write_label(label_path, _bordered(mask), bit_colours(256))
        if part == "aug" or index % 2 == 0:
            boundaries = np.empty((20, 1), object)
            boundaries[:, 0] = [np.zeros((0, 0), np.uint8)] * 20
            present = np.array([[number] for number in np.unique(mask) if number], np.uint8).reshape(-1, 1)
            struct = {"Segmentation": mask, "Boundaries": boundaries, "CategoriesPresent": present}
            _write_matrix(root / SBD / "cls" / f"{name}.mat", "GTcls", struct)
        return mask if part == "aug" else _bordered(mask)


def outlines(label: np.ndarray) -> list[tuple[int, Polygon]]:
    """(class id, outline) of every connected region, the largest first, as an annotator would have drawn them.

    An outline has no holes: what lies in a hole is smaller and comes later, so drawing in this order restores it.

    Args:
        label: (H, W) uint8.
    """
    found = []
    for class_id in np.unique(label):
        mask = (label == class_id).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        _, parts = cv2.connectedComponents(mask, connectivity=8)
        outer: dict[int, tuple[float, np.ndarray]] = {}
        for contour in contours:  # the outer contour of a region is the one with the largest area
            x, y = contour[0, 0]
            part, area = int(parts[y, x]), cv2.contourArea(contour)
            if part not in outer or area > outer[part][0]:
                outer[part] = (area, contour)
        found += [(area, int(class_id), contour.reshape(-1, 2).tolist()) for area, contour in outer.values()]
    found.sort(key=lambda item: (-item[0], item[1], item[2][0]))
    return [(number, points if len(points) > 2 else [points[0], points[-1], points[0]]) for _, number, points in found]


def draw(polygons: list[tuple[int, Polygon]], size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 of ``polygons`` drawn in order by Pillow, as the official script draws; ``size`` is (W, H)."""
    img = Image.new("L", size, 0)
    for value, polygon in polygons:
        ImageDraw.Draw(img).polygon([tuple(point) for point in polygon], fill=value)
    return np.array(img)


def _filled(pattern: str, name: str) -> str:
    """A pattern with a name for its last ``*``, and a folder for each ``*`` before it."""
    head, _, ending = pattern.rpartition("*")
    return head.replace("*", "scenes") + name + ending


def _write_matrix(path: Path, name: str, values: object) -> None:
    """Write a MATLAB file with one variable."""
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, {name: values}, do_compression=True)
    # The format starts with 116 bytes of free text, where scipy puts the time: equal pictures shall be equal files.
    text = b"MATLAB 5.0 MAT-file, drawn by paddleisa prepare scenes".ljust(116)
    with atomic_write(path) as out:
        out.write(text + stream.getvalue()[len(text) :])


def _write_instances(path: Path, ids: np.ndarray) -> None:
    """1000 * id + number for each person and car, the id alone for everything else; 16 bits."""
    instances = ids.astype(np.uint16)
    for number in _WITH_INSTANCES:
        _, regions = cv2.connectedComponents((ids == number).astype(np.uint8))
        instances[regions > 0] = (1000 * number + regions[regions > 0] - 1).astype(np.uint16)
    with atomic_write(path) as stream:
        stream.write(cv2.imencode(".png", instances)[1].tobytes())


def _bordered(mask: np.ndarray) -> np.ndarray:
    width = max(1, round(_BORDER * mask.shape[1] / 500))
    kernel = np.ones((width, width), np.uint8)
    edge = cv2.dilate(mask, kernel) != cv2.erode(mask, kernel)
    return np.where(edge, np.uint8(255), mask)
