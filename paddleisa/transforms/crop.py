"""Padding at the right and bottom, and crops.

Semantics and defaults of PaddleSeg 2.8 (``paddleseg/transforms/transforms.py``), except where a docstring says so.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.resize import PositiveInt
from paddleisa.transforms.traits import Traits

Colour = tuple[float, float, float]
Padded = float | Colour  # as a config gives it: one value for all channels, or one for each
LabelValue = Annotated[int, Field(ge=0, le=255)]
GREY: Colour = (127.5, 127.5, 127.5)


def colour_of(value: Padded) -> Colour:
    """One value for each of the three channels."""
    return (value,) * 3 if isinstance(value, int | float) else tuple(value)


def pad_image(img: np.ndarray, bottom: int, right: int, value: Colour) -> np.ndarray:
    """(H, W, 3) ``img`` with ``bottom`` rows and ``right`` columns of the colour ``value`` added.

    A uint8 image becomes float32 if the colour has a fraction: 127.5 must not be rounded to 128.
    """
    if bottom <= 0 and right <= 0:
        return img
    if img.dtype == np.uint8 and not all(float(v).is_integer() and 0 <= v <= 255 for v in value):
        img = img.astype(np.float32)
    return cv2.copyMakeBorder(img, 0, max(bottom, 0), 0, max(right, 0), cv2.BORDER_CONSTANT, value=tuple(value))


def pad_label(label: np.ndarray, bottom: int, right: int, value: int) -> np.ndarray:
    """(H, W) ``label`` with ``bottom`` rows and ``right`` columns of ``value`` added."""
    if bottom <= 0 and right <= 0:
        return label
    return cv2.copyMakeBorder(label, 0, max(bottom, 0), 0, max(right, 0), cv2.BORDER_CONSTANT, value=value)


@TRANSFORMS.register
class Padding:
    """Pad at the right and bottom up to a size.

    An image larger than ``target_size`` in one direction is left as it is in that direction (the original raises
    there): it is evaluated at its own size, so VOC images above 512 pixels and other people's photographs work. The
    network takes any size; only a batch of several images needs equal ones.

    Args:
        target_size: (width, height) in pixels.
        im_padding_value: of the padding in the image: one value, or one for each channel.
        label_padding_value: value of the padding in labels.
    """

    traits = Traits(geometry="recorded")

    def __init__(
        self,
        target_size: tuple[PositiveInt, PositiveInt],
        im_padding_value: Padded = GREY,
        label_padding_value: LabelValue = 255,
    ):
        self.target_size = tuple(target_size)
        self.im_padding_value, self.label_padding_value = colour_of(im_padding_value), label_padding_value

    def __call__(self, sample: dict) -> dict:
        return pad_sample(sample, self.target_size, self.im_padding_value, self.label_padding_value)


@TRANSFORMS.register
class PaddingByAspectRatio:
    """Pad at the right or bottom until width / height is a given ratio.

    Args:
        aspect_ratio: width divided by height.
        im_padding_value: of the padding in the image: one value, or one for each channel.
        label_padding_value: value of the padding in labels.
    """

    traits = Traits(geometry="recorded")

    def __init__(
        self,
        aspect_ratio: Annotated[float, Field(gt=0)] = 1,
        im_padding_value: Padded = GREY,
        label_padding_value: LabelValue = 255,
    ):
        self.aspect_ratio = aspect_ratio
        self.im_padding_value, self.label_padding_value = colour_of(im_padding_value), label_padding_value

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        if w / h > self.aspect_ratio:
            h = int(w / self.aspect_ratio)
        else:
            w = int(h * self.aspect_ratio)
        return pad_sample(sample, (w, h), self.im_padding_value, self.label_padding_value)


def pad_sample(sample: dict, size: tuple[int, int], colour: Colour, label_value: int) -> dict:
    """Pad image and label-like fields up to ``size`` (width, height), and remember the old size."""
    h, w = sample["img"].shape[:2]
    sample.setdefault("trans_info", []).append(("padding", (h, w)))
    bottom, right = size[1] - h, size[0] - w
    sample["img"] = pad_image(sample["img"], bottom, right, colour)
    for key in sample.get("gt_fields", []):
        sample[key] = pad_label(sample[key], bottom, right, label_value)
    return sample


@TRANSFORMS.register
class RandomPaddingCrop:
    """Cut a random window; an image smaller than the window is first padded at the right and bottom.

    Args:
        crop_size: (width, height) in pixels.
        im_padding_value: of the padding in the image: one value, or one for each channel.
        label_padding_value: value of the padding in labels.
    """

    traits = Traits(random=True, geometry="lost")

    def __init__(
        self,
        crop_size: tuple[PositiveInt, PositiveInt] = (512, 512),
        im_padding_value: Padded = GREY,
        label_padding_value: LabelValue = 255,
    ):
        self.crop_size = tuple(crop_size)
        self.im_padding_value, self.label_padding_value = colour_of(im_padding_value), label_padding_value

    def draw(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
        """(top, left) of the window in a ``height`` x ``width`` image, counted after padding."""
        top = int(rng.integers(max(height - self.crop_size[1], 0) + 1))
        left = int(rng.integers(max(width - self.crop_size[0], 0) + 1))
        return top, left

    def __call__(self, sample: dict) -> dict:
        (h, w), (crop_w, crop_h) = sample["img"].shape[:2], self.crop_size
        top, left = self.draw(h, w, sample["rng"])
        window = np.s_[top : top + crop_h, left : left + crop_w]
        # The window is cut before it is padded, so that no more than the window is ever copied.
        sample["img"] = self.pad(sample["img"][window])
        for key in sample.get("gt_fields", []):
            sample[key] = self.pad(sample[key][window])
        return sample

    def pad(self, part: np.ndarray) -> np.ndarray:
        """An image (h, w, 3) or label (h, w), padded up to the crop size with its own padding value."""
        bottom, right = self.crop_size[1] - part.shape[0], self.crop_size[0] - part.shape[1]
        if part.ndim == 3:
            return pad_image(part, bottom, right, self.im_padding_value)
        return pad_label(part, bottom, right, self.label_padding_value)


@TRANSFORMS.register
class RandomScaleAspect:
    """Cut a random window of random area and proportions and scale it back to the image's size.

    Ten windows are tried; when none fits inside, the image stays as it is.

    Args:
        min_scale: smallest area of the window relative to the image's; 0 switches the transform off.
        aspect_ratio: the window's proportions lie between this and its inverse; 0 switches the transform off.
    """

    traits = Traits(random=True, geometry="lost")

    def __init__(
        self,
        min_scale: Annotated[float, Field(ge=0, le=1)] = 0.5,
        aspect_ratio: Annotated[float, Field(ge=0, le=1)] = 0.33,
    ):
        self.min_scale, self.aspect_ratio = min_scale, aspect_ratio

    def __call__(self, sample: dict) -> dict:
        window = self._window(*sample["img"].shape[:2], sample["rng"])
        if window is None:
            return sample
        h, w = sample["img"].shape[:2]
        part = np.ascontiguousarray(sample["img"][window], dtype=np.float32)
        sample["img"] = cv2.resize(part, (w, h), interpolation=cv2.INTER_LINEAR)
        for key in sample.get("gt_fields", []):
            sample[key] = cv2.resize(np.ascontiguousarray(sample[key][window]), (w, h), interpolation=cv2.INTER_NEAREST)
        return sample

    def _window(self, height: int, width: int, rng: np.random.Generator) -> tuple[slice, slice] | None:
        if self.min_scale == 0 or self.aspect_ratio == 0:
            return None
        for _ in range(10):
            area = height * width * rng.uniform(self.min_scale, 1.0)
            ratio = rng.uniform(self.aspect_ratio, 1 / self.aspect_ratio)
            w, h = int(np.sqrt(area * ratio)), int(np.sqrt(area / ratio))
            if rng.integers(10) < 5:
                w, h = h, w
            if 0 < h < height and 0 < w < width:
                top, left = int(rng.integers(height - h)), int(rng.integers(width - w))
                return np.s_[top : top + h, left : left + w]
        return None
