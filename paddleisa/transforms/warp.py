"""Random flips, rotations and other affine maps of image and label together: PaddleSeg's names, defaults and draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.options import (
    GREY,
    Degrees,
    Factor,
    LabelValue,
    Padded,
    Probability,
    Size,
    colour_of,
    require_order,
    to_bytes,
)
from paddleisa.transforms.traits import Traits


def warp_sample(sample: dict, matrix: np.ndarray, size: tuple[int, int], colour: Padded, label: int) -> dict:
    """Image (bilinear, of its own type) and labels (nearest) under an affine map.

    Args:
        sample: changed in place.
        matrix: (2, 3), from the old (x, y, 1) to the new (x, y).
        size: (width, height) of the result.
        colour: of the image where nothing is mapped to.
        label: of labels there.
    """
    border = (cv2.BORDER_CONSTANT, colour_of(colour))
    sample["img"] = cv2.warpAffine(sample["img"], matrix, size, None, cv2.INTER_LINEAR, *border)
    for key in sample.get("gt_fields", []):
        sample[key] = cv2.warpAffine(sample[key], matrix, size, None, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, label)
    return sample


@TRANSFORMS.register
@dataclass(eq=False)
class RandomRotation:
    """Rotate by a random angle about the centre; the result grows so that all of the image is in it.

    Args:
        max_rotation: the angle is uniform in +- this, in degrees.
        im_padding_value: of the corners in the image: one value, or one for each channel.
        label_padding_value: value of the corners in labels.
    """

    traits = Traits(random=True, geometry="lost")

    max_rotation: Degrees = 15
    im_padding_value: Padded = GREY
    label_padding_value: LabelValue = 255

    def __call__(self, sample: dict) -> dict:
        if self.max_rotation == 0:
            return sample
        h, w = sample["img"].shape[:2]
        angle = float(sample["rng"].uniform(-self.max_rotation, self.max_rotation))
        matrix = cv2.getRotationMatrix2D((w // 2, h // 2), angle, 1.0)
        cos, sin = np.abs(matrix[0, :2])
        size = max(1, int(h * sin + w * cos)), max(1, int(h * cos + w * sin))
        matrix[:, 2] += size[0] / 2 - w // 2, size[1] / 2 - h // 2
        sample["img"] = sample["img"].astype(np.float32, copy=False)
        return warp_sample(sample, matrix, size, self.im_padding_value, self.label_padding_value)


@TRANSFORMS.register
@dataclass(eq=False)
class RandomAffine:
    """Shift, rotate and scale at random into a picture of a fixed size. The image is cut to whole numbers first.

    Args:
        size: (width, height) of the result in pixels.
        translation_offset: the centre of rotation and scaling is off the middle by up to this, in pixels.
        max_rotation: the angle is uniform in +- this, in degrees.
        min_scale_factor: smallest factor on the scale that would fit the image into ``size`` (the mean of both sides').
        max_scale_factor: largest.
        im_padding_value: of the surroundings in the image: one value, or one for each channel.
        label_padding_value: value of the surroundings in labels.
    """

    traits = Traits(random=True, geometry="lost", values="bytes")

    size: Size = (224, 224)
    translation_offset: Annotated[float, Field(ge=0, le=32767)] = 0
    max_rotation: Degrees = 15
    min_scale_factor: Factor = 0.75
    max_scale_factor: Factor = 1.25
    im_padding_value: Padded = (128, 128, 128)
    label_padding_value: LabelValue = 255

    def __post_init__(self):
        require_order(self, "min_scale_factor", "max_scale_factor")

    def __call__(self, sample: dict) -> dict:
        sample["img"] = to_bytes(sample["img"])
        h, w = sample["img"].shape[:2]
        matrix = self._matrix(h, w, sample["rng"])
        return warp_sample(sample, matrix, self.size, self.im_padding_value, self.label_padding_value)

    def _matrix(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """The image's middle to the result's, then rotation and scaling about a point near it."""
        (w, h), (right, bottom) = self.size, (width - 1, height - 1)
        x, y = (side / 2 + (rng.random() - 0.5) * 2 * self.translation_offset for side in (w, h))
        angle = math.radians((2 * rng.random() - 1) * self.max_rotation)
        scale = rng.random() * (self.max_scale_factor - self.min_scale_factor) + self.min_scale_factor
        scale *= (w / max(right, 1) + h / max(bottom, 1)) / 2
        a, b = scale * math.cos(angle), scale * math.sin(angle)
        turn = np.array([[a, b, (1 - a) * x - b * y], [-b, a, b * x + (1 - a) * y]])
        shift = np.array([[1, 0, (w - right) / 2], [0, 1, (h - bottom) / 2], [0, 0, 1]])
        return turn @ shift


@TRANSFORMS.register
@dataclass(eq=False)
class RandomHorizontalFlip:
    """Mirror left and right with a probability.

    Args:
        prob: the probability.
        swapped_labels: pairs of class ids that a mirror turns into each other, such as left and right arm. The authors
            swap LIP's [[14, 15], [16, 17], [18, 19]].
    """

    traits = Traits(random=True, geometry="lost")

    prob: Probability = 0.5
    swapped_labels: list[tuple[LabelValue, LabelValue]] | None = None

    def __post_init__(self):
        self._table = np.arange(256, dtype=np.uint8)
        for one, other in self.swapped_labels or ():
            self._table[[one, other]] = other, one

    def __call__(self, sample: dict) -> dict:
        if sample["rng"].random() >= self.prob:
            return sample
        sample = _flip(sample, 1)
        if self.swapped_labels:
            for key in sample.get("gt_fields", []):
                sample[key] = cv2.LUT(sample[key], self._table)
        return sample


@TRANSFORMS.register
@dataclass(eq=False)
class RandomVerticalFlip:
    """Mirror top and bottom with a probability.

    Args:
        prob: the probability.
    """

    traits = Traits(random=True, geometry="lost")

    prob: Probability = 0.1

    def __call__(self, sample: dict) -> dict:
        return _flip(sample, 0) if sample["rng"].random() < self.prob else sample


def _flip(sample: dict, code: int) -> dict:
    # cv2.flip writes a new array: a view with a negative stride would be copied by the next step, more slowly.
    for key in ["img", *sample.get("gt_fields", [])]:
        sample[key] = cv2.flip(sample[key], code)
    return sample
