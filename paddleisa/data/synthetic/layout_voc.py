"""Generated scenes in the layout of VOC2012 and of an SBD release beside it, whose labels are MATLAB files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.prepare.sbd import require_scipy
from paddleisa.data.prepare.voc import full_palette
from paddleisa.data.synthetic.any_layout import AnyLayout, write_lines, write_matrix
from paddleisa.datasets.images import write_image, write_label

SBD = Path("benchmark_RELEASE/dataset")
# The scenes' eight classes as VOC's: what stands and moves is an object, the rest is background.
_VOC_CLASSES = {3: 5, 4: 16, 6: 15, 7: 7}  # pole as bottle, tree as potted plant, person, car
_YEARS = {"train": 2007, "val": 2009, "aug": 2011}
_BORDER = 3  # pixels around objects that VOC ignores, in pictures 500 wide


@dataclass(frozen=True)
class VocDownload(AnyLayout):
    """VOC2012 with palette PNGs, and SBD's MATLAB files beside it."""

    kind: str = "PascalVOC"

    @property
    def folders(self) -> tuple[str, ...]:
        """What lies in the root."""
        return ("VOC2012", "benchmark_RELEASE")

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
        names = {part: [self.name(part, index) for index in range(count)] for part, count in parts.items()}
        lists = root / "VOC2012" / "ImageSets" / "Segmentation"
        write_lines(lists / "train.txt", names["train"])
        write_lines(lists / "val.txt", names["val"])
        write_lines(lists / "trainval.txt", sorted(names["train"] + names["val"]))
        write_lines(root / SBD / "train.txt", sorted(names["aug"] + names["train"][::2], reverse=True))
        write_lines(root / SBD / "val.txt", sorted(names["val"][::2]))

    def write_sample(self, root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Write a picture with its label: a palette PNG in VOC's lists, a .mat in SBD's; the class ids."""
        table = np.zeros(256, np.uint8)
        table[list(_VOC_CLASSES)] = list(_VOC_CLASSES.values())
        mask, name = cv2.LUT(label, table), self.name(part, index)
        write_image(root / "VOC2012" / "JPEGImages" / f"{name}.jpg", img)
        if part != "aug":
            write_label(root / "VOC2012" / "SegmentationClass" / f"{name}.png", _bordered(mask), full_palette())
        if part == "aug" or index % 2 == 0:
            _write_mat(root / SBD / "cls" / f"{name}.mat", mask)
        return mask if part == "aug" else _bordered(mask)


def _bordered(mask: np.ndarray) -> np.ndarray:
    width = max(1, round(_BORDER * mask.shape[1] / 500))
    kernel = np.ones((width, width), np.uint8)
    edge = cv2.dilate(mask, kernel) != cv2.erode(mask, kernel)
    return np.where(edge, np.uint8(255), mask)


def _write_mat(path: Path, mask: np.ndarray) -> None:
    boundaries = np.zeros((20, 1), object)
    for number in range(20):
        boundaries[number, 0] = np.zeros((0, 0), np.uint8)
    present = np.array([[number] for number in np.unique(mask) if number], np.uint8).reshape(-1, 1)
    struct = {"Segmentation": mask, "Boundaries": boundaries, "CategoriesPresent": present}
    write_matrix(path, "GTcls", struct)
