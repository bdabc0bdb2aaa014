"""Score a model on a data set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from paddleisa.errors import DataError, UsageError
from paddleisa.evaluation.metrics import ConfusionMatrix, Scores
from paddleisa.utils import distributed, environment
from paddleisa.utils.concurrency import Behind, prefetched

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
        images: number of images scored.
        of: number of images in the data set.
        seconds: wall-clock time of the whole loop.
        measured_with: scales, flips, window, protocol, engine and precision, in words.
    """

    matrix: ConfusionMatrix
    scores: Scores
    images: int
    of: int
    seconds: float
    measured_with: str = ""

    def summary(self) -> str:
        """PaddleSeg's ``[EVAL]`` line, and how it was measured."""
        s = self.scores
        part = "" if self.images == self.of else f" of {self.of}: NOT the whole set"
        return (
            f"[EVAL] #Images: {self.images}{part} mIoU: {s.miou:.4f} Acc: {s.accuracy:.4f} Kappa: {s.kappa:.4f} "
            f"Dice: {s.mdice:.4f} ({self.seconds / max(self.images, 1):.2f} s/image)\n"
            f"[EVAL] measured with {self.measured_with}"
        )

    def table(self, class_names: list[str]) -> str:
        """IoU, precision and recall of every class, a line each."""
        width = max(map(len, class_names), default=5)
        lines = [f"{'class':{width}}  {'IoU':>6}  {'Prec.':>6}  {'Recall':>6}"]
        rows = zip(class_names, self.scores.class_iou, self.scores.precision, self.scores.recall, strict=True)
        lines += [f"{name:{width}}  {iou:6.4f}  {prec:6.4f}  {rec:6.4f}" for name, iou, prec, rec in rows]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            **self.scores.to_dict(),
            "measured_with": self.measured_with,
            "images": self.images,
            "images_in_dataset": self.of,
            "seconds": self.seconds,
        }


def evaluate(
    predictor: Predictor,
    dataset: SegmentationData,
    *,
    limit: int | None = None,
    workers: int = 1,
    progress: bool = True,
    each: Callable[[dict, np.ndarray], None] | None = None,
) -> Evaluation:
    """Predict and score every image of ``dataset`` (its first ``limit``), shared among the job's processes.

    Args:
        predictor: model and test settings; the data set's own transforms prepare the images.
        dataset: with labels.
        limit: look at the first images only; the result then says that it is not the whole set.
        workers: threads that read ahead.
        progress: show a bar with the time left.
        each: called with every sample and its mask, to write it for example.

    Raises:
        DataError: an image or label that cannot be used, a data set without labels or images.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} leaves no image to evaluate", where="--limit", fix="Give a number from 1")
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if count == 0:
        raise DataError("the data set holds no image to evaluate", where=type(dataset).__name__)
    matrix = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)
    start = time.perf_counter()
    # Several processes share the images without repeating any, so the sum of their matrices is exact.
    mine = range(environment.rank(), count, environment.world_size())

    def score(sample: dict, logits: ViewLogits) -> None:
        mask = predictor.mask(logits)
        matrix.add(mask, sample["label"], where=sample["label_path"])
        if each is not None:
            each(sample, mask)

    samples = prefetched(dataset.__getitem__, mine, workers)
    with Behind(score) as behind:  # masks and scores of one image while the network computes the next
        for sample in tqdm(samples, total=len(mine), desc="evaluate", unit="image", disable=None if progress else True):
            if "label" not in sample:
                raise DataError(
                    "there is no label to score against",
                    where=sample["image_path"],
                    fix="Use `paddleisa predict` for images without labels",
                )
            if note := predictor.settings.note(sample["img"].shape[1:]):
                tqdm.write(f"{sample['image_path']}: {note}")
            behind(sample, predictor.logits(sample))
    matrix.matrix = distributed.summed(matrix.matrix)
    seconds = time.perf_counter() - start
    scores = matrix.scores(predictor.settings.protocol)
    return Evaluation(matrix, scores, count, len(dataset), seconds, predictor.describe())
