"""Scores of a segmentation, computed from one confusion matrix (original file paddleseg/utils/metrics.py), and the area
under the ROC curve of every class against the rest, from histograms: no pixel's probability is kept.

``matrix[i, j]`` counts the pixels of true class i that were predicted as class j.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from paddleisa.errors import DataError
from paddleisa.inference.protocols import DEFAULT, protocol_of
from paddleisa.utils import distributed
from paddleisa.utils.files import plain_number

BINS = 1 << 14  # of the probability; pixels of one bin count as equal, which moves an area by less than 1e-4


class ConfusionMatrix:
    """Counts of (true class, predicted class), summed over images.

    Args:
        num_classes: number of classes K; predictions lie in 0..K-1.
        ignore_index: label value that is not counted.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255):
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.matrix = np.zeros((num_classes, num_classes), np.int64)

    def add(self, prediction: np.ndarray, label: np.ndarray, where: object = None) -> None:
        """Count one image or batch; both arrays have one shape and hold class ids.

        Raises:
            DataError: the shapes differ, or a label is neither a class nor ``ignore_index``.
        """
        self.matrix += confusion(prediction, label, self.num_classes, self.ignore_index, where)

    def scores(self, protocol: str = DEFAULT) -> Scores:
        """The scores of everything counted so far."""
        return Scores.from_matrix(self.matrix, protocol)


def confusion(
    prediction: np.ndarray, label: np.ndarray, num_classes: int, ignore_index: int = 255, where: object = None
) -> np.ndarray:
    """(K, K) int64 counts of one image or batch, by one bincount over ``label * stride + prediction``."""
    if prediction.shape != label.shape:
        raise DataError(
            f"the prediction's shape {prediction.shape} differs from the label's {label.shape}", where=where
        )
    # Every label is counted, also the ignored and the wrong ones: one pass, and the wrong ones are then seen.
    stride = 1 << (num_classes - 1).bit_length()
    values = max(256, int(ignore_index) + 1)
    codes = label.astype(np.int32) * stride + prediction
    counts = np.bincount(codes.ravel(), minlength=values * stride).reshape(-1, stride)[:, :num_classes]
    strange = np.flatnonzero(counts[num_classes:].sum(axis=1)) + num_classes
    strange = strange[strange != ignore_index]
    if strange.size:
        raise DataError(
            f"the label holds the values {strange[:8].tolist()}, but there are {num_classes} classes and "
            f"{ignore_index} is ignored",
            where=where,
            fix="Run `paddleisa prepare check --config CONFIG` to see what is wrong with the labels",
        )
    matrix = counts[:num_classes].astype(np.int64)
    if 0 <= ignore_index < num_classes:
        matrix[ignore_index] = 0
    return matrix


def _ratio(numerator: np.ndarray, denominator: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    result = np.full(numerator.shape, otherwise, np.float64)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


@dataclass(frozen=True)
class Scores:
    """Scores in 0..1 (kappa in -1..1); per-class arrays have shape (K,).

    A class is absent that neither occurs nor is predicted. Its IoU is the protocol's convention: 0, 1, or NaN, which
    is left out of the mean. Precision and recall of a class without predicted or true pixels are 0, Dice likewise.

    Attributes:
        miou: the protocol's mean; NaN where no pixel is labelled, for then nothing was measured.
        present_miou: the mean over the classes that are not absent, whatever the protocol; NaN likewise.
        class_absent: (K,) bool.
        pixels: number of labelled pixels.
    """

    miou: float
    present_miou: float
    accuracy: float
    kappa: float
    mdice: float
    class_iou: np.ndarray
    class_dice: np.ndarray
    class_precision: np.ndarray
    class_recall: np.ndarray
    class_absent: np.ndarray
    pixels: int

    @classmethod
    def from_matrix(cls, matrix: np.ndarray, protocol: str = DEFAULT) -> Scores:
        """Scores of a (K, K) confusion matrix; without any pixel the means are NaN."""
        matrix = matrix.astype(np.float64)
        hit, true, predicted, total = np.diag(matrix), matrix.sum(1), matrix.sum(0), matrix.sum()
        iou = _ratio(hit, true + predicted - hit, protocol_of(protocol).absent_iou)
        absent = true + predicted == 0
        dice = _ratio(2 * hit, true + predicted)
        accuracy = float(hit.sum() / total) if total else 0.0
        chance = float((true * predicted).sum() / total**2) if total else 0.0
        return cls(
            miou=float(np.nanmean(iou)) if total else math.nan,
            present_miou=float(iou[~absent].mean()) if total else math.nan,
            accuracy=accuracy,
            kappa=(accuracy - chance) / (1 - chance) if chance < 1 else 0.0,
            mdice=float(dice.mean()),
            class_iou=iou,
            class_dice=dice,
            class_precision=_ratio(hit, predicted),
            class_recall=_ratio(hit, true),
            class_absent=absent,
            pixels=int(total),
        )

    def to_dict(self) -> dict[str, object]:
        """Plain numbers and lists, for JSON; None where there is no number."""
        return {key: _plain(value) for key, value in vars(self).items()}


def _plain(value: float | np.ndarray) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype == bool else [plain_number(item) for item in value]
    return plain_number(value) if isinstance(value, float) else value


class RocAreas:
    """Counts of probabilities, of pixels that are of a class and of those that are not.

    Args:
        num_classes: number of classes K.
        ignore_index: label value that is not counted.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255):
        self.ignore_index = ignore_index
        self.counts = np.zeros((num_classes, 2, BINS), np.int64)  # [:, 1] of pixels of the class

    def add(self, bands: Iterable[tuple[int, np.ndarray]], label: np.ndarray) -> None:
        """Count an image.

        Args:
            bands: (first row, probabilities (K, n, W)) that together cover the label.
            label: (H, W) class ids.
        """
        for top, probabilities in bands:
            truth = label[top : top + probabilities.shape[1]]
            counted = truth != self.ignore_index
            truth, places = truth[counted], (probabilities[:, counted] * (BINS - 1)).astype(np.int64)
            for number, places_of_class in enumerate(places):
                codes = places_of_class + BINS * (truth == number)
                self.counts[number] += np.bincount(codes, minlength=2 * BINS).reshape(2, BINS)

    def areas(self) -> np.ndarray:
        """(K,) in 0..1; NaN of a class that no pixel, or every pixel, is of."""
        counts = distributed.summed(self.counts)
        others, own = counts[:, 0].astype(np.float64), counts[:, 1].astype(np.float64)
        below = np.cumsum(others, axis=1) - others / 2  # a tie is half a success
        pairs = own.sum(1) * others.sum(1)
        return np.divide((own * below).sum(1), pairs, out=np.full(len(pairs), math.nan), where=pairs > 0)

    def area(self) -> float:
        """PaddleSeg's one number: of two classes the second's area, of more the mean over the classes that have one."""
        areas = self.areas()
        if len(areas) == 2:
            return float(areas[1])
        return float(np.nanmean(areas)) if not np.isnan(areas).all() else math.nan
