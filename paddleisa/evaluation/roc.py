"""Area under the ROC curve of every class against the rest, from histograms: no pixel's probability is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from paddleisa.utils import distributed

BINS = 1 << 14  # of the probability; pixels of one bin count as equal, which moves an area by less than 1e-4


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
