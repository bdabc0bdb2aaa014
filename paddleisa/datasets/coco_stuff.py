"""COCO-Stuff: 80 things and 91 kinds of stuff in COCO's photographs. https://github.com/nightrome/cocostuff"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from paddleisa.datasets.base import PublicData
from paddleisa.datasets.classes import IGNORED, lookup
from paddleisa.datasets.layouts import Layout, NameLists, PairedFolders, Source
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import generic_palette

# Ids 1 to 182 that COCO names and nobody drew: 171 classes remain. 0 is unlabelled.
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
# fmt: off
NAMES = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush", "banner", "blanket",
    "branch", "bridge", "building-other", "bush", "cabinet", "cage", "cardboard", "carpet", "ceiling-other",
    "ceiling-tile", "cloth", "clothes", "clouds", "counter", "cupboard", "curtain", "desk-stuff", "dirt", "door-stuff",
    "fence", "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood", "flower", "fog", "food-other",
    "fruit", "furniture-other", "grass", "gravel", "ground-other", "hill", "house", "leaves", "light", "mat", "metal",
    "mirror-stuff", "moss", "mountain", "mud", "napkin", "net", "paper", "pavement", "pillow", "plant-other",
    "plastic", "platform", "playingfield", "railing", "railroad", "river", "road", "rock", "roof", "rug", "salad",
    "sand", "sea", "shelf", "sky-other", "skyscraper", "snow", "solid-other", "stairs", "stone", "straw",
    "structural-other", "table", "tent", "textile-other", "towel", "tree", "vegetable", "wall-brick", "wall-concrete",
    "wall-other", "wall-panel", "wall-stone", "wall-tile", "wall-wood", "water-other", "waterdrops", "window-blind",
    "window-other", "wood",
]
# fmt: on


def _table(first: int) -> np.ndarray:
    """(256,) uint8, the class of each number in a file in which person is ``first``."""
    kept = (number for number in range(1, 183) if number not in UNUSED)
    return lookup({number - 1 + first: k for k, number in enumerate(kept)}, IGNORED)


@DATASETS.register
class CocoStuff(PublicData):
    """COCO-Stuff 164k, images and labels paired by name, in the order of the names.

    ``dataset_root`` holds ``images/{train2017,val2017}/NAME.jpg`` and ``annotations/{train2017,val2017}/NAME.png`` with
    classes 0 to 170, as PaddleSeg has them. ``paddleisa prepare dataset CocoStuff ROOT`` makes them from the official
    ``stuffthingmaps``, whose numbers are COCO's ids less 1.
    """

    num_classes = 171
    class_names = NAMES
    palette = generic_palette(171)
    counts = {"train": 118287, "val": 5000}
    raw_table = _table(first=0)
    layout: ClassVar[Layout] = PairedFolders(
        images="images/{part}/*.jpg",
        labels="annotations/{part}/*.png",
        raw_labels="stuffthingmaps/{part}/*.png",
        parts={"train": "train2017", "val": "val2017"},
    )
    source = Source(
        root="data/cocostuff",
        folder="the folder that holds images and annotations",
        images="train2017.zip and val2017.zip",
        labels="stuffthingmaps_trainval2017.zip",
        prepare="paddleisa prepare dataset CocoStuff {root}",
        get=(
            "mkdir -p {root}",
            "curl -L --output-dir {root} -O http://images.cocodataset.org/zips/train2017.zip",
            "curl -L --output-dir {root} -O http://images.cocodataset.org/zips/val2017.zip",
            "curl -L --output-dir {root} -O "
            "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/stuffthingmaps_trainval2017.zip",
            "paddleisa prepare dataset CocoStuff {root}",
        ),
        archives={
            "train2017.zip": "images",
            "val2017.zip": "images",
            "stuffthingmaps_trainval2017.zip": "stuffthingmaps",
        },
    )


@DATASETS.register
class CocoStuff10k(CocoStuff):
    """COCO-Stuff 10k, version 1.1, by the names in its lists; ``val`` is its test list, on which papers report.

    ``dataset_root`` holds the archive's ``images``, ``annotations`` (MATLAB files) and ``imageLists``, and ``labels``,
    which ``paddleisa prepare dataset CocoStuff10k ROOT`` makes: classes 0 to 170 from COCO's ids 1 to 182.
    """

    counts = {"train": 9000, "val": 1000}
    raw_table = _table(first=1)
    layout = NameLists(
        base=".",
        lists="imageLists/{list}.txt",
        images="images/{name}.jpg",
        parts={"train": (("train", "labels/{name}.png"),), "val": (("test", "labels/{name}.png"),)},
        raw_labels="annotations/{name}.mat",
    )
    source = Source(
        root="data/cocostuff10k",
        folder="the folder that holds images and imageLists",
        images="cocostuff-10k-v1.1.zip",
        labels="cocostuff-10k-v1.1.zip",
        prepare="paddleisa prepare dataset CocoStuff10k {root}",
        get=(
            "mkdir -p {root}",
            "curl -L --output-dir {root} -O "
            "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/cocostuff-10k-v1.1.zip",
            "paddleisa prepare dataset CocoStuff10k {root}",
        ),
        archives={"cocostuff-10k-v1.1.zip": "."},
        matrix="S",
    )
