"""Random flips of image and label together."""

from __future__ import annotations

from typing import Annotated

import cv2
from pydantic import Field

from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.traits import Traits

Probability = Annotated[float, Field(ge=0, le=1)]


@TRANSFORMS.register
class RandomHorizontalFlip:
    """Mirror left and right with a probability.

    Args:
        prob: the probability.
    """

    traits = Traits(random=True, geometry="lost")

    def __init__(self, prob: Probability = 0.5):
        self.prob = prob

    def __call__(self, sample: dict) -> dict:
        return _flip(sample, 1) if sample["rng"].random() < self.prob else sample


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
