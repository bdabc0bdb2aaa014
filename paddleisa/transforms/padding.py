"""Padding of image and label, with PaddleSeg's names and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.options import (
    GREY,
    LabelValue,
    Padded,
    Side,
    Size,
    colour_of,
    is_bytes,
    to_bytes,
)
from paddleisa.transforms.traits import Traits


def pad(
    part: np.ndarray, size: tuple[int, int], colour: Padded, label: int, corner: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """An image (H, W, 3) or a label (H, W) inside a larger one; a side that is long enough already keeps its length.

    A uint8 image becomes float32 if the colour has a fraction: 127.5 must not be rounded to 128.

    Args:
        part: the image or label.
        size: (width, height) to pad to.
        colour: of the added pixels of an image, one value or one for each channel.
        label: value of the added pixels of a label.
        corner: (left, top) of ``part`` in the result.
    """
    (h, w), (left, top) = part.shape[:2], corner
    right, bottom = max(size[0] - w - left, 0), max(size[1] - h - top, 0)
    if not (left or top or right or bottom):
        return part
    if part.ndim == 3 and part.dtype == np.uint8 and not is_bytes(colour_of(colour)):
        part = part.astype(np.float32)
    value = colour_of(colour) if part.ndim == 3 else label
    return cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value)


@TRANSFORMS.register
@dataclass(eq=False)
class Padding:
    """Pad up to a size, or up to a multiple of a number of pixels, or both.

    An image larger than ``target_size`` in one direction is left as it is in that direction (the original raises
    there): it is evaluated at its own size, so VOC images above 512 pixels and other people's photographs work. The
    network takes any size; only a batch of several images needs equal ones.

    Args:
        target_size: (width, height) in pixels; None where ``size_divisor`` alone decides.
        im_padding_value: of the padding in the image: one value, or one for each channel; of 0..255 before Normalize,
            of its range behind it, where 0 is the mean.
        label_padding_value: value of the padding in labels.
        position: where the padding goes: to the right and bottom, or, for training, ``random``: the image at any place
            inside, as in the authors' training.
        size_divisor: round width and height up to multiples of this.
    """

    @staticmethod
    def traits(options: Mapping[str, object]) -> Traits:
        """Of a place that is drawn there is no record."""
        random = options["position"] == "random"
        return Traits(random=random, geometry="lost" if random else "recorded")

    target_size: Size | None = None
    im_padding_value: Padded = GREY
    label_padding_value: LabelValue = 255
    position: Literal["right_bottom", "random"] = "right_bottom"
    size_divisor: Side | None = None

    def __post_init__(self):
        if self.target_size is None and self.size_divisor is None:
            raise ConfigError("Padding needs a size", fix="Give target_size: [width, height], or size_divisor")

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        least, divisor = self.target_size or (1, 1), self.size_divisor or 1
        width, height = (-(-max(sides) // divisor) * divisor for sides in zip(least, (w, h), strict=True))
        corner = (0, 0)
        if self.position == "random":
            rng = sample["rng"]
            corner = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        return pad_sample(sample, (width, height), self.im_padding_value, self.label_padding_value, corner)


@TRANSFORMS.register
@dataclass(eq=False)
class PaddingByAspectRatio:
    """Pad at the right or bottom until width / height is a given ratio.

    Args:
        aspect_ratio: width divided by height.
        im_padding_value: of the padding in the image: one value, or one for each channel.
        label_padding_value: value of the padding in labels.
    """

    traits = Traits(geometry="recorded")

    aspect_ratio: Annotated[float, Field(ge=0.01, le=100)] = 1
    im_padding_value: Padded = GREY
    label_padding_value: LabelValue = 255

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        if w / h > self.aspect_ratio:
            h = int(w / self.aspect_ratio)
        else:
            w = int(h * self.aspect_ratio)
        return pad_sample(sample, (w, h), self.im_padding_value, self.label_padding_value)


def pad_sample(
    sample: dict, size: tuple[int, int], colour: Padded, label_value: int, corner: tuple[int, int] = (0, 0)
) -> dict:
    """Pad image and label-like fields up to ``size`` (width, height), and remember the old size."""
    sample.setdefault("trans_info", []).append(("padding", sample["img"].shape[:2]))
    for key in ("img", *sample.get("gt_fields", [])):
        sample[key] = pad(sample[key], size, colour, label_value, corner)
    return sample


@TRANSFORMS.register
@dataclass(eq=False)
class ScalePadding:
    """Pad to a square around the image and resize it; for training, since the way back is not recorded.

    As in PaddleSeg the image is cut to whole numbers and resized with cubic interpolation. The label is resized to the
    nearest pixel; PaddleSeg interpolates its class ids, which makes classes up between any two.

    Args:
        target_size: (width, height) in pixels.
        im_padding_value: of the padding in the image: one value, or one for each channel.
        label_padding_value: value of the padding in labels.
    """

    traits = Traits(geometry="lost", values="bytes")

    target_size: Size = (512, 512)
    im_padding_value: Padded = GREY
    label_padding_value: LabelValue = 255

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        side = max(h, w)
        corner = ((side - w) // 2, (side - h) // 2)
        for key, interpolation in self._fields(sample):
            square = pad(sample[key], (side, side), self.im_padding_value, self.label_padding_value, corner)
            sample[key] = cv2.resize(to_bytes(square), self.target_size, interpolation=interpolation)
        return sample

    @staticmethod
    def _fields(sample: dict) -> list[tuple[str, int]]:
        return [("img", cv2.INTER_CUBIC), *((key, cv2.INTER_NEAREST) for key in sample.get("gt_fields", []))]
