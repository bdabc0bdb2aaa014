"""Random crops, with PaddleSeg's names, defaults and draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from paddleisa.registry import TRANSFORMS
from paddleisa.transforms import padding
from paddleisa.transforms.options import (
    GREY,
    LabelValue,
    Padded,
    Probability,
    Size,
)
from paddleisa.transforms.traits import Traits

Window = tuple[slice, slice]  # rows, columns


@TRANSFORMS.register
@dataclass(eq=False)
class RandomPaddingCrop:
    """Cut a random window; an image smaller than the window is first padded at the right and bottom.

    Args:
        crop_size: (width, height) in pixels.
        im_padding_value: of the padding in the image: one value, or one for each channel.
        label_padding_value: value of the padding in labels.
        category_max_ratio: below 1, windows are drawn until one holds at least two classes and none of them on this
            part of its pixels or more. PaddleSeg puts the label into the image's place there; here the image is cut.
        ignore_index: label value of pixels that do not count in that.
        loop_times: windows to try; one more is then taken as it is.
        padding: whether smaller images are padded; otherwise they keep their size, for a Padding behind Normalize.
    """

    traits = Traits(random=True, geometry="lost")

    crop_size: Size = (512, 512)
    im_padding_value: Padded = GREY
    label_padding_value: LabelValue = 255
    category_max_ratio: Annotated[float, Field(gt=0)] = 1.0
    ignore_index: LabelValue = 255
    loop_times: Annotated[int, Field(gt=0, le=1000)] = 10
    padding: bool = True

    def draw(self, height: int, width: int, rng: np.random.Generator) -> Window:
        """The window in a ``height`` x ``width`` image; it may reach beyond, where the padding will be."""
        crop_w, crop_h = self.crop_size
        top = int(rng.integers(max(height - crop_h, 0) + 1))
        left = int(rng.integers(max(width - crop_w, 0) + 1))
        return np.s_[top : top + crop_h, left : left + crop_w]

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        window = self.draw(h, w, sample["rng"])
        if self.category_max_ratio < 1 and "label" in sample.get("gt_fields", []):
            for _ in range(self.loop_times):
                if self._is_varied(self.pad(sample["label"][window])):
                    break
                window = self.draw(h, w, sample["rng"])
        for key in ("img", *sample.get("gt_fields", [])):
            # The window is cut before it is padded, so that no more than the window is ever copied.
            sample[key] = self.pad(sample[key][window])
        return sample

    def pad(self, part: np.ndarray) -> np.ndarray:
        """An image (h, w, 3) or label (h, w), padded up to the crop size with its own padding value."""
        if not self.padding:
            return part
        return padding.pad(part, self.crop_size, self.im_padding_value, self.label_padding_value)

    def _is_varied(self, label: np.ndarray) -> bool:
        counts = np.bincount(label.ravel(), minlength=256)
        counts[self.ignore_index] = 0
        counts = counts[counts > 0]
        return len(counts) > 1 and counts.max() / counts.sum() < self.category_max_ratio


@TRANSFORMS.register
@dataclass(eq=False)
class RandomCenterCrop:
    """Cut random amounts off both sides, near the centre: up to half of the width and of the height by default.

    Args:
        retain_ratio: smallest part of (width, height) that is kept.
    """

    traits = Traits(random=True, geometry="lost")

    retain_ratio: tuple[Probability, Probability] = (0.5, 0.5)

    def __call__(self, sample: dict) -> dict:
        rng, (h, w) = sample["rng"], sample["img"].shape[:2]
        keep_w, keep_h = self.retain_ratio
        off_w, off_h = (_below(rng, int(side * (1 - keep))) for side, keep in ((w, keep_w), (h, keep_h)))
        left, top = _below(rng, off_w), _below(rng, off_h)
        for key in ("img", *sample.get("gt_fields", [])):
            sample[key] = sample[key][top : top + h - off_h, left : left + w - off_w]
        return sample


def _below(rng: np.random.Generator, limit: int) -> int:
    """A whole number of 0 to ``limit`` - 1; 0 where there is none."""
    return int(rng.integers(limit)) if limit > 0 else 0


@TRANSFORMS.register
@dataclass(eq=False)
class RandomScaleAspect:
    """Cut a random window of random area and proportions and scale it back to the image's size.

    Ten windows are tried; when none fits inside, the image stays as it is.

    Args:
        min_scale: smallest area of the window relative to the image's; 0 switches the transform off.
        aspect_ratio: the window's proportions lie between this and its inverse; 0 switches the transform off.
    """

    traits = Traits(random=True, geometry="lost")

    min_scale: Probability = 0.5
    aspect_ratio: Probability = 0.33

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        window = self._window(h, w, sample["rng"])
        if window is None:
            return sample
        part = np.ascontiguousarray(sample["img"][window], dtype=np.float32)
        sample["img"] = cv2.resize(part, (w, h), interpolation=cv2.INTER_LINEAR)
        for key in sample.get("gt_fields", []):
            sample[key] = cv2.resize(np.ascontiguousarray(sample[key][window]), (w, h), interpolation=cv2.INTER_NEAREST)
        return sample

    def _window(self, height: int, width: int, rng: np.random.Generator) -> Window | None:
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
