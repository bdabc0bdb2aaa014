"""Masks as the benchmarks' servers want them, and the official Cityscapes evaluator (``cityscapesscripts``) on them."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import cv2
import numpy as np

from paddleisa.datasets import Cityscapes
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.cityscapes import ID_OF_TRAIN_ID, LABEL_IDS, TO_LABEL_ID, TRAIN_IDS
from paddleisa.datasets.images import write_label
from paddleisa.errors import DataError, UsageError
from paddleisa.visual.palette import bit_colours

Format = Literal["cityscapes", "voc"]
CLASSES = {"cityscapes": len(ID_OF_TRAIN_ID), "voc": 21}
# The archive that VOC's server takes holds this folder; comp6 is the competition that allows further training data.
VOC_FOLDER = Path("results/VOC2012/Segmentation/comp6_test_cls")
_CITYSCAPES_NAME = re.compile(r"([A-Za-z-]+_\d{6}_\d{6})(_leftImg8bit)?")
_MODULE = "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling"


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


@dataclass(frozen=True)
class OfficialScores:
    """What the official evaluator says, in 0..1; None stands for its "nan", a class without pixels.

    Attributes:
        class_iou: {class name: IoU}.
        miou: the mean over classes that have a score; ours counts the others too, as 0 or 1 (the protocol says which).
        class_iiou: instance-level IoU of the classes that have it; empty where it could not be computed.
        miiou: their mean.
    """

    class_iou: dict[str, float | None]
    miou: float | None
    class_iiou: dict[str, float | None]
    miiou: float | None

    def text(self) -> str:
        """A line for each class, then the mean."""
        lines = [f"  {name:15} {_percent(value)}" for name, value in self.class_iou.items()]
        instance = "" if self.miiou is None else f" iIoU: {self.miiou:.4f}"
        absent = sum(value is None for value in self.class_iou.values())
        note = f" ({absent} classes without pixels left out of the mean)" if absent else ""
        return "\n".join(
            ["official Cityscapes evaluator", *lines, f"[OFFICIAL] mIoU: {_percent(self.miou)}{instance}{note}"]
        )

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return dict(vars(self))


class OfficialRun:
    """The masks of one evaluation, written for the official evaluator and scored by it.

    Args:
        data: Cityscapes with labels.
        folder: gets the PNGs of label ids.

    Raises:
        UsageError: other data, or the evaluator is not installed. DataError: there are no labelIds to score against.
    """

    def __init__(self, data: SegmentationData, folder: str | Path):
        if not isinstance(data, Cityscapes) or data.mode == "test":
            raise UsageError(
                f"the official evaluator is for Cityscapes with labels, not for {type(data).__name__} {data.mode}",
                where="--official",
                fix="Leave the option out",
            )
        _evaluator()
        self._truths = [label_ids_of(row) for row in data.samples]
        missing = next((path for path in self._truths if not path.is_file()), None)
        if missing is not None:
            raise DataError("the official evaluator needs the labelIds", where=missing, fix="Unpack gtFine again")
        self._submission = Submission("cityscapes", data.num_classes, folder)
        self._files = self._submission.targets([Path(image) for image, _ in data.samples])
        self._file_of = {image: file for (image, _), file in zip(data.samples, self._files, strict=True)}

    def write(self, sample: dict, mask: np.ndarray) -> None:
        """Write the mask of a sample; what ``evaluate`` calls."""
        self._submission.write(self._file_of[sample["image_path"]], mask)

    def scores(self, images: int) -> OfficialScores:
        """The evaluator's verdict on the first ``images`` masks."""
        return official_scores(self._files[:images], self._truths[:images])


def label_ids_of(row: tuple[str, str | None]) -> Path:
    """The official label of a sample: the labelIds beside its trainIds."""
    return Path(str(row[1]).removesuffix(TRAIN_IDS) + LABEL_IDS)


def official_scores(predictions: Sequence[Path], truths: Sequence[Path]) -> OfficialScores:
    """The official evaluator's verdict on masks of label ids.

    Instance-level scores need ``*_instanceIds.png`` and a numpy below 2.4 (they use a function that numpy removed).

    Args:
        predictions: PNGs of label ids.
        truths: the ``*_gtFine_labelIds.png`` of the same images, in the same order.

    Raises:
        UsageError: cityscapesscripts is not installed. DataError: what the evaluator refuses.
    """
    module = _evaluator()
    args = copy.copy(module.args)
    instances = [Path(str(path).replace("labelIds", "instanceIds")) for path in truths]
    args.evalInstLevelScore = hasattr(np, "in1d") and all(path.is_file() for path in instances)
    args.quiet, args.JSONOutput, args.evalLabels = True, False, []
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            result = module.evaluateImgLists(list(map(str, predictions)), list(map(str, truths)), args)
    except SystemExit as error:  # how the official code ends at whatever it does not like
        lines = said.getvalue().strip().splitlines()
        raise DataError(f"the official evaluator stopped: {lines[-1] if lines else error}") from error
    scored = [label.name for label in module.labels if label.id >= 0 and not label.ignoreInEval]
    iiou = result["classInstScores"] if args.evalInstLevelScore else {}
    with_instances = [name for name in scored if name in iiou and not math.isnan(iiou[name])]
    return OfficialScores(
        {name: _or_none(result["classScores"][name]) for name in scored},
        _or_none(result["averageScoreClasses"]),
        {name: float(iiou[name]) for name in with_instances},
        _or_none(result["averageScoreInstClasses"]) if iiou else None,
    )


def _evaluator() -> ModuleType:
    try:
        return importlib.import_module(_MODULE)
    except ImportError as error:
        raise UsageError(
            "the official evaluator is not installed",
            where="--official",
            fix="Install it with: pip install 'paddleisa[data]'",
        ) from error


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _percent(value: float | None) -> str:
    return "  none" if value is None else f"{value:.4f}"
