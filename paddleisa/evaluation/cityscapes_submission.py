"""Masks as the benchmarks' servers and the official evaluator want them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from paddleisa.datasets.cityscapes import ID_OF_TRAIN_ID, TO_LABEL_ID
from paddleisa.datasets.images import write_label
from paddleisa.errors import UsageError
from paddleisa.visual.palette import bit_colours

Format = Literal["cityscapes", "voc"]
CLASSES = {"cityscapes": len(ID_OF_TRAIN_ID), "voc": 21}
# The archive that VOC's server takes holds this folder; comp6 is the competition that allows further training data.
VOC_FOLDER = Path("results/VOC2012/Segmentation/comp6_test_cls")
_CITYSCAPES_NAME = re.compile(r"([A-Za-z-]+_\d{6}_\d{6})(_leftImg8bit)?")


class Submission:
    """One of the formats, for the images of one run.

    cityscapes: label ids 0 to 33 (not train ids) in ``CITY_SEQUENCE_FRAME_pred_labelIds.png``, the official pattern.
    voc: palette PNGs of class ids in the folders of the server's archive, named like the images.

    Args:
        kind: which format.
        num_classes: of the model.
        save_dir: gets the files.

    Raises:
        UsageError: the model has other classes than the format.
    """

    def __init__(self, kind: Format, num_classes: int, save_dir: str | Path):
        if num_classes != CLASSES[kind]:
            raise UsageError(
                f"the format {kind} is for {CLASSES[kind]} classes, the model has {num_classes}",
                where="--format",
                fix="Use a model that was trained on this data set",
            )
        self.kind, self.save_dir = kind, Path(save_dir)

    def targets(self, images: Sequence[Path]) -> list[Path]:
        """The file of each image's mask.

        Raises:
            UsageError: a name that is none of the data set's, two images with one name, or a result that would
                overwrite an image.
        """
        inputs = {path.resolve() for path in images}
        taken: dict[Path, Path] = {}
        for path in images:
            target = self.save_dir / self._name(path)
            other = taken.setdefault(target, path)
            if other != path:
                raise UsageError(f"{other} and {path} would have one result", where=target, fix="Rename one of them")
            if target.resolve() in inputs:
                raise UsageError("the result would overwrite an image", where=target, fix="Give another --save_dir")
        return [self.save_dir / self._name(path) for path in images]

    def write(self, target: Path, mask: np.ndarray) -> None:
        """Write a mask of (H, W) uint8 class ids."""
        if self.kind == "cityscapes":
            write_label(target, cv2.LUT(np.ascontiguousarray(mask, np.uint8), TO_LABEL_ID))
        else:
            write_label(target, mask, bit_colours(256))

    def _name(self, image: Path) -> Path:
        if self.kind == "voc":
            return VOC_FOLDER / f"{image.stem}.png"
        match = _CITYSCAPES_NAME.fullmatch(image.stem)
        if match is None:
            raise UsageError(
                "is no name of Cityscapes (CITY_123456_123456_leftImg8bit.png)",
                where=image,
                fix="The official evaluation finds masks by these names: give images of Cityscapes, or no --format",
            )
        return Path(f"{match[1]}_pred_labelIds.png")
