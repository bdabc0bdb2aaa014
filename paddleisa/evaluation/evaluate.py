"""Score a model on a data set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.data.prepare import scenes
from paddleisa.errors import DataError, UsageError
from paddleisa.evaluation.metrics import ConfusionMatrix, RocAreas, Scores
from paddleisa.inference.protocols import DEFAULT, protocol_of
from paddleisa.utils import distributed, environment
from paddleisa.utils.concurrency import Behind, at_once, prefetched
from paddleisa.utils.files import joined, plain_number
from paddleisa.utils.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.datasets.base import SegmentationData
    from paddleisa.inference.masks import ViewLogits
    from paddleisa.predictor import Predictor


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        matrix: the confusion matrix with its number of classes.
        scores: made of it by the protocol's rules.
        images: number of images scored.
        of: number of images in the data set.
        seconds: wall-clock time of the whole loop.
        measured_with: scales, flips, window, protocol, engine and precision, in words.
        protocol: name of the rules.
        generated: whether the images were drawn by this package.
        auc_roc: area under the ROC curve; None where it was not asked for.
    """

    matrix: ConfusionMatrix
    scores: Scores
    images: int
    of: int
    seconds: float
    measured_with: str = ""
    protocol: str = DEFAULT
    generated: bool = False
    auc_roc: float | None = None

    def summary(self) -> str:
        """PaddleSeg's ``[EVAL]`` line, which says so where it is no score of real data or of the whole set."""
        s = self.scores
        part = "" if self.images == self.of else f" of {self.of}: NOT the whole set"
        area = "" if self.auc_roc is None else f" Auc_roc: {self.auc_roc:.4f}"
        drawn = ", GENERATED data" if self.generated else ""
        return (
            f"[EVAL] #Images: {self.images}{part}{drawn} mIoU: {s.miou:.4f} Acc: {s.accuracy:.4f} "
            f"Kappa: {s.kappa:.4f} Dice: {s.mdice:.4f}{area} ({self.seconds / max(self.images, 1):.2f} s/image)"
        )

    def notes(self) -> list[str]:
        """What must be known to read the summary: how it was measured, and what absent classes do to the mean."""
        lines = [f"measured with {self.measured_with}"]
        if not self.scores.pixels:
            return [*lines, "no pixel is labelled: nothing was scored"]
        if absent := int(self.scores.class_absent.sum()):
            rule = protocol_of(self.protocol).absent_rule
            lines.append(
                f"mIoU of the {len(self.scores.class_absent) - absent} classes that are there: "
                f"{self.scores.present_miou:.4f}; absent: {absent}, each {rule} the protocol's mean"
            )
        return lines

    def table(self, class_names: list[str]) -> str:
        """IoU, precision and recall of every class, a line each; an absent class is marked."""
        s, width = self.scores, max(map(len, class_names), default=5)
        lines = [f"{'class':{width}}  {'IoU':>6}  {'Prec.':>6}  {'Recall':>6}"]
        rows = zip(class_names, s.class_absent, s.class_iou, s.class_precision, s.class_recall, strict=True)
        lines += [
            f"{name:{width}}  absent" if absent else f"{name:{width}}  {iou:6.4f}  {precision:6.4f}  {recall:6.4f}"
            for name, absent, iou, precision, recall in rows
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return joined(
            self.scores.to_dict(),
            {
                "measured_with": self.measured_with,
                "generated_data": self.generated,
                "images": self.images,
                "images_in_dataset": self.of,
                "seconds": self.seconds,
            },
            {} if self.auc_roc is None else {"auc_roc": plain_number(self.auc_roc)},
        )


def is_generated(dataset: SegmentationData) -> bool:
    """Whether images were drawn by this package: by ``Scenes``, or by `paddleisa prepare scenes` into a folder."""
    if getattr(dataset, "generated", False):
        return True
    image = Path(dataset.samples[0][0]) if dataset.samples else Path()
    return any((folder / scenes.NAME).is_file() for folder in image.parents)


def evaluate(
    predictor: Predictor,
    dataset: SegmentationData,
    *,
    limit: int | None = None,
    workers: int = 1,
    progress: bool = True,
    each: Callable[[dict, np.ndarray], None] | None = None,
    auc_roc: bool = False,
) -> Evaluation:
    """Predict and score every image of ``dataset`` (its first ``limit``), shared among the job's processes.

    Args:
        predictor: model and test settings; the data set's own transforms prepare the images.
        dataset: with labels.
        limit: look at the first images only; the result then says that it is not the whole set.
        workers: threads that read ahead.
        progress: show a bar with the time left.
        each: called with every sample and its mask, to write it for example.
        auc_roc: also measure the area under the ROC curve, which takes about as long as the masks.

    Raises:
        DataError: an image or label that cannot be used, a data set without labels or images.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} leaves no image to evaluate", where="--limit", fix="Give a number from 1")
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if count == 0:
        raise DataError("the data set holds no image to evaluate", where=type(dataset).__name__)
    matrix = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)
    roc = RocAreas(dataset.num_classes, dataset.ignore_index) if auc_roc else None
    start = time.perf_counter()
    # Several processes share the images without repeating any, so the sum of their matrices is exact.
    mine = range(environment.rank(), count, environment.world_size())

    def score(sample: dict, logits: ViewLogits) -> None:
        mask = predictor.mask(logits)
        matrix.add(mask, sample["label"], where=sample["label_path"])
        if roc is not None:
            roc.add(predictor.probabilities(logits), sample["label"])
        if each is not None:
            each(sample, mask)

    bar = Progress("evaluate", len(mine), show=progress)

    def compute(sample: dict) -> tuple[dict, ViewLogits]:
        if "label" not in sample:
            raise DataError(
                "there is no label to score against",
                where=sample["image_path"],
                fix="Use `paddleisa predict` for images without labels",
            )
        if note := predictor.settings.note(sample["img"].shape[1:]):
            bar.write(f"{sample['image_path']}: {note}")
        return sample, predictor.logits(sample)

    computed = at_once(compute, prefetched(dataset.__getitem__, mine, workers), predictor.engine.streams)
    with bar, Behind(score) as behind:  # masks and scores of one image while the network computes the next
        for sample, logits in computed:
            behind(sample, logits)
            bar.step()
    matrix.matrix = distributed.summed(matrix.matrix)
    seconds = time.perf_counter() - start
    scores = matrix.scores(predictor.settings.protocol)
    described, drawn = predictor.describe(), is_generated(dataset)
    area = None if roc is None else roc.area()
    protocol = predictor.settings.protocol
    return Evaluation(matrix, scores, count, len(dataset), seconds, described, protocol, drawn, area)
