"""Random flips of image and label together."""

from __future__ import annotations

import cv2
import numpy as np

from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.options import LabelValue, Probability
from paddleisa.transforms.traits import Traits


@TRANSFORMS.register
class RandomHorizontalFlip:
    """Mirror left and right with a probability.

    Args:
        prob: the probability.
        swapped_labels: pairs of class ids that a mirror turns into each other, such as left and right arm. The authors
            swap LIP's [[14, 15], [16, 17], [18, 19]].
    """

    traits = Traits(random=True, geometry="lost")

    def __init__(self, prob: Probability = 0.5, swapped_labels: list[tuple[LabelValue, LabelValue]] | None = None):
        self.prob, self._table = prob, None
        if swapped_labels:
            self._table = np.arange(256, dtype=np.uint8)
            for one, other in swapped_labels:
                self._table[[one, other]] = other, one

    def __call__(self, sample: dict) -> dict:
        if sample["rng"].random() >= self.prob:
            return sample
        sample = _flip(sample, 1)
        if self._table is not None:
            for key in sample.get("gt_fields", []):
                sample[key] = cv2.LUT(sample[key], self._table)
        return sample


@TRANSFORMS.register
class RandomVerticalFlip:
    """Mirror top and bottom with a probability.

    Args:
        prob: the probability.
    """

    traits = Traits(random=True, geometry="lost")

    def __init__(self, prob: Probability = 0.1):
        self.prob = prob

    def __call__(self, sample: dict) -> dict:
        return _flip(sample, 0) if sample["rng"].random() < self.prob else sample


def _flip(sample: dict, code: int) -> dict:
    # cv2.flip writes a new array: a view with a negative stride would be copied by the next step, more slowly.
    for key in ["img", *sample.get("gt_fields", [])]:
        sample[key] = cv2.flip(sample[key], code)
    return sample
