"""Generated scenes in the layout of VOC2012 and of an SBD release beside it, whose labels are MATLAB files."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.prepare.sbd import require_scipy
from paddleisa.data.prepare.voc import full_palette
from paddleisa.datasets.images import write_image, write_label
from paddleisa.utils.files import atomic_write

FOLDERS = ("VOC2012", "benchmark_RELEASE")
SBD = Path("benchmark_RELEASE/dataset")
# The scenes' eight classes as VOC's: what stands and moves is an object, the rest is background.
_VOC_CLASSES = {3: 5, 4: 16, 6: 15, 7: 7}  # pole as bottle, tree as potted plant, person, car
_YEARS = {"train": 2007, "val": 2009, "aug": 2011}
_BORDER = 3  # pixels around objects that VOC ignores, in pictures 500 wide


def require() -> None:
    """Raise a UsageError when what writes .mat files is missing."""
    require_scipy()


def parts(train: int, val: int) -> dict[str, int]:
    """Number of pictures of each list; SBD adds as many as train has."""
    return {"train": train, "val": val, "aug": train}


def counts(parts: dict[str, int]) -> dict[str, int]:
    """Number of images of each mode of the data set."""
    train, val, aug = (parts[part] for part in ("train", "val", "aug"))
    return {"train": train, "val": val, "trainval": train + val, "trainaug": train + aug}


def classes(parts: dict[str, set[int]]) -> dict[str, list[int]]:
    """Class ids of each mode, from those of each list."""
    train, val, aug = (parts[part] for part in ("train", "val", "aug"))
    modes = {"train": train, "val": val, "trainval": train | val, "trainaug": train | aug}
    return {mode: sorted(ids) for mode, ids in modes.items()}


def stem(part: str, index: int) -> str:
    """VOC's form of a name: year and number."""
    return f"{_YEARS[part]}_{index:06d}"


def write_lists(root: Path, parts: dict[str, int]) -> None:
    """VOC's lists, and SBD's, which hold half of VOC's train and val besides the further images, as the real ones."""
    names = {part: [stem(part, index) for index in range(count)] for part, count in parts.items()}
    lists = root / "VOC2012" / "ImageSets" / "Segmentation"
    for part, chosen in {
        "train": names["train"],
        "val": names["val"],
        "trainval": sorted(names["train"] + names["val"]),
    }.items():
        _write_lines(lists / f"{part}.txt", chosen)
    _write_lines(root / SBD / "train.txt", sorted(names["aug"] + names["train"][::2], reverse=True))
    _write_lines(root / SBD / "val.txt", sorted(names["val"][::2]))


def write_sample(root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Write a picture with its label: a palette PNG in VOC's lists, a .mat in SBD's; the class ids."""
    table = np.zeros(256, np.uint8)
    table[list(_VOC_CLASSES)] = list(_VOC_CLASSES.values())
    mask, name = cv2.LUT(label, table), stem(part, index)
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
    from scipy.io import savemat

    boundaries = np.zeros((20, 1), object)
    for number in range(20):
        boundaries[number, 0] = np.zeros((0, 0), np.uint8)
    present = np.array([[number] for number in np.unique(mask) if number], np.uint8).reshape(-1, 1)
    stream = io.BytesIO()
    struct = {"Segmentation": mask, "Boundaries": boundaries, "CategoriesPresent": present}
    savemat(stream, {"GTcls": struct}, do_compression=True)
    # The format starts with 116 bytes of free text, where scipy puts the time: equal pictures shall be equal files.
    text = b"MATLAB 5.0 MAT-file, drawn by paddleisa prepare scenes".ljust(116)
    with atomic_write(path) as out:
        out.write(text + stream.getvalue()[len(text) :])


def _write_lines(path: Path, lines: list[str]) -> None:
    with atomic_write(path, "w") as out:
        out.writelines(f"{line}\n" for line in lines)
