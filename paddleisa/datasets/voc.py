"""PASCAL VOC 2012, with or without the extra labels of SBD. http://host.robots.ox.ac.uk/pascal/VOC/voc2012"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from paddleisa.datasets.base import Edge, SegmentationData, Transforms, require_folder
from paddleisa.datasets.listing import Row, require_files
from paddleisa.errors import DataError
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import voc_palette

# What each mode is made of: lists of ImageSets/Segmentation and the folders of their labels.
PARTS = {
    "train": [("train", "SegmentationClass")],
    "val": [("val", "SegmentationClass")],
    "trainval": [("trainval", "SegmentationClass")],
    "trainaug": [("train", "SegmentationClass"), ("aug", "SegmentationClassAug")],
}


@DATASETS.register
class PascalVOC(SegmentationData):
    """PASCAL VOC 2012's segmentation part: 21 classes with the background, 255 along the objects' borders ignored.

    ``dataset_root`` holds ``VOC2012/JPEGImages``, ``VOC2012/SegmentationClass`` and
    ``VOC2012/ImageSets/Segmentation``. Mode trainaug adds the images of ``aug.txt`` with labels from
    ``SegmentationClassAug``; ``paddleisa prepare voc ROOT`` makes both from the SBD download.

    Args:
        transforms: built transforms, in order.
        dataset_root: the folder VOCdevkit, which holds VOC2012.
        mode: train (1464 images), val (1449), trainval (2913) or trainaug (10582).
        edge: accepted for PaddleSeg's configs.
    """

    num_classes = 21
    # fmt: off
    class_names = [
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
        "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    ]
    # fmt: on
    palette = voc_palette()

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str = "data/VOCdevkit",
        mode: Literal["train", "val", "trainval", "trainaug"] = "train",
        edge: Edge = False,
    ):
        root = (
            require_folder(dataset_root, "Download VOC 2012 and set dataset_root to the folder VOCdevkit") / "VOC2012"
        )
        prepare = f"Run: paddleisa prepare voc {dataset_root}"
        samples: list[Row] = []
        for part, labels in PARTS[mode]:
            path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
            fix = prepare if part == "aug" else "Unpack VOCtrainval_11-May-2012.tar into dataset_root again"
            rows: list[Row] = [
                (str(root / "JPEGImages" / f"{name}.jpg"), str(root / labels / f"{name}.png"))
                for name in read_names(path, fix)
            ]
            require_files(rows, where=path, fix=fix)
            samples += rows
        super().__init__(transforms, samples, mode)


def read_names(path: Path, fix: str) -> list[str]:
    """The image names in one list of ImageSets, in its order; DataError when there are none."""
    try:
        names = path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the list of images cannot be read", where=path, fix=fix) from error
    if not names:
        raise DataError("the list of images is empty", where=path, fix=fix)
    return names
