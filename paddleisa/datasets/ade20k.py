"""ADE20K, scene parsing benchmark of 2016: everyday scenes, 150 classes. http://sceneparsing.csail.mit.edu"""

from __future__ import annotations

from typing import Literal

import numpy as np

from paddleisa.datasets.base import Edge, SegmentationData, Transforms, require_folder
from paddleisa.datasets.listing import Row
from paddleisa.errors import DataError
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import ade20k_palette

FOLDERS = {"train": "training", "val": "validation"}
_UNPACK = "Unpack ADEChallengeData2016.zip again"


@DATASETS.register
class ADE20K(SegmentationData):
    """ADE20K's 150 classes, images and labels paired by name, in the order of the names.

    ``dataset_root`` holds ``images/FOLDER/NAME.jpg`` and ``annotations/FOLDER/NAME.png``, FOLDER being training or
    validation. On disk classes are counted from 1, and 0 is everything else; here they are 0 to 149, and everything
    else is 255, ignored.

    Args:
        transforms: built transforms, in order.
        dataset_root: the folder ADEChallengeData2016.
        mode: train (20210 images) or val (2000).
        edge: accepted for PaddleSeg's configs.
    """

    num_classes = 150
    # fmt: off
    class_names = [
        "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet",
        "sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water",
        "painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk",
        "rock", "wardrobe", "lamp", "bathtub", "railing", "cushion", "base", "box", "column", "signboard",
        "chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand",
        "path", "stairs", "runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge",
        "bookcase", "blind", "coffee table", "toilet", "flower", "book", "hill", "bench", "countertop", "stove",
        "palm", "kitchen island", "computer", "swivel chair", "boat", "bar", "arcade machine", "hovel", "bus",
        "towel", "light", "truck", "tower", "chandelier", "awning", "streetlight", "booth", "television receiver",
        "airplane", "dirt track", "apparel", "pole", "land", "bannister", "escalator", "ottoman", "bottle", "buffet",
        "poster", "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer", "plaything",
        "swimming pool", "stool", "barrel", "basket", "waterfall", "tent", "bag", "minibike", "cradle", "oven",
        "ball", "food", "step", "tank", "trade name", "microwave", "pot", "animal", "bicycle", "lake", "dishwasher",
        "screen", "blanket", "sculpture", "hood", "sconce", "vase", "traffic light", "tray", "ashcan", "fan", "pier",
        "crt screen", "plate", "monitor", "bulletin board", "shower", "radiator", "glass", "clock", "flag",
    ]
    # fmt: on
    palette = ade20k_palette()

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str = "data/ADEChallengeData2016",
        mode: Literal["train", "val"] = "train",
        edge: Edge = False,
    ):
        root = require_folder(dataset_root, "Download ADEChallengeData2016.zip and set dataset_root to its folder")
        folder = FOLDERS[mode]
        images = {path.stem: path for path in sorted((root / "images" / folder).glob("*.jpg"))}
        if not images:
            raise DataError("there are no images NAME.jpg", where=root / "images" / folder, fix=_UNPACK)
        labels = {path.stem: path for path in (root / "annotations" / folder).glob("*.png")}
        if lost := sorted(images.keys() ^ labels.keys()):
            kind = "label" if lost[0] in images else "image"
            raise DataError(
                f"{len(lost)} names are in images or annotations only; the first, {lost[0]}, has no {kind}",
                where=root / "annotations" / folder,
                fix=_UNPACK,
            )
        samples: list[Row] = [(str(path), str(labels[name])) for name, path in images.items()]
        super().__init__(transforms, samples, mode)

    def _check(self, sample: dict) -> None:
        sample["label"] = sample["label"] - np.uint8(1)  # wraps around: 0 becomes 255
        super()._check(sample)
