"""Resizing: the image by interpolation, labels by nearest neighbour.

Sizes, rounding and defaults are those of PaddleSeg 2.8 (``paddleseg/transforms/transforms.py``). Images are resized
as float32, as there: on uint8 OpenCV would round every pixel to a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.options import Factor, Interpolation, Side, Size, require_order, require_rising, to_bytes
from paddleisa.transforms.traits import Traits
from paddleisa.utils.memory import require_size

_FLAGS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "CUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}


def resize_sample(sample: dict, size: tuple[int, int], interp: str = "LINEAR", as_bytes: bool = False) -> dict:
    """Resize the image and the label-like fields of ``sample`` to ``size`` (width, height), and remember the old size.

    A side never becomes shorter than one pixel. Nothing is computed when the size is right already.

    Args:
        sample: changed in place.
        size: (width, height) in pixels.
        interp: interpolation of the image.
        as_bytes: whether the image is resized as uint8, every pixel rounded, or as float32.

    Raises:
        DataError: the result would have more pixels than an image may have.
    """
    img = sample["img"]
    h, w = img.shape[:2]
    sample.setdefault("trans_info", []).append(("resize", (h, w)))
    size = (max(1, int(size[0])), max(1, int(size[1])))
    if size == (w, h):
        return sample
    require_size(*size, sample.get("image_path"), "the resized image would have")
    img = to_bytes(img) if as_bytes else img.astype(np.float32, copy=False)
    sample["img"] = cv2.resize(np.ascontiguousarray(img), size, interpolation=_FLAGS[interp])
    for key in sample.get("gt_fields", []):
        sample[key] = cv2.resize(sample[key], size, interpolation=cv2.INTER_NEAREST)
    return sample


def scaled_size(img: np.ndarray, scale: float) -> tuple[int, int]:
    """(width, height) of ``img`` times ``scale``, each rounded half to even, as Python's ``round`` does."""
    return round(img.shape[1] * scale), round(img.shape[0] * scale)


@TRANSFORMS.register
@dataclass(eq=False)
class Resize:
    """Resize to a fixed size.

    Args:
        target_size: (width, height) in pixels.
        interp: interpolation of the image; RANDOM draws one of the five for each image.
        keep_ratio: keep the image's proportions: the largest size whose longer side fits the longer and whose shorter
            side fits the shorter number of ``target_size``, whichever is width or height.
        size_divisor: round width and height up to multiples of this.
        as_bytes: keep the image in bytes, every pixel rounded, as the authors' training does with CUBIC.
    """

    @staticmethod
    def traits(options: Mapping[str, object]) -> Traits:
        """An interpolation may be drawn."""
        return Traits(random=options["interp"] == "RANDOM", geometry="recorded")

    target_size: Size = (512, 512)
    interp: Interpolation | Literal["RANDOM"] = "LINEAR"
    keep_ratio: bool = False
    size_divisor: Side | None = None
    as_bytes: bool = False

    def __call__(self, sample: dict) -> dict:
        interp = self.interp
        if interp == "RANDOM":
            interp = list(_FLAGS)[sample["rng"].integers(len(_FLAGS))]
        size = self.target_size
        if self.keep_ratio:
            sides = sample["img"].shape[:2]
            size = scaled_size(sample["img"], min(max(size) / max(sides), min(size) / min(sides)))
        if self.size_divisor:
            width, height = (math.ceil(side / self.size_divisor) * self.size_divisor for side in size)
            size = width, height
        return resize_sample(sample, size, interp, self.as_bytes)


@TRANSFORMS.register
@dataclass(eq=False)
class ResizeByLong:
    """Resize so that the longer side is ``long_size`` pixels, keeping the proportions.

    Args:
        long_size: length of the longer side.
    """

    traits = Traits(geometry="recorded")

    long_size: Side

    def __call__(self, sample: dict) -> dict:
        img = sample["img"]
        return resize_sample(sample, scaled_size(img, self.long_size / max(img.shape[:2])))


@TRANSFORMS.register
@dataclass(eq=False)
class ResizeByShort:
    """Resize so that the shorter side is ``short_size`` pixels, keeping the proportions.

    Args:
        short_size: length of the shorter side.
        max_size: when the longer side would exceed this, the shorter side becomes the largest whole number of pixels
            with which it does not; -1 or None for no limit.
        interp: interpolation of the image.
        as_bytes: keep the image in bytes, every pixel rounded, as the authors' training does with CUBIC.
    """

    traits = Traits(geometry="recorded")

    short_size: Side
    max_size: Annotated[float, Field(gt=0)] | Literal[-1] | None = None
    interp: Interpolation = "LINEAR"
    as_bytes: bool = False

    def __post_init__(self):
        self.max_size = None if self.max_size == -1 else self.max_size
        if self.max_size is not None and self.max_size < self.short_size:
            problem = f"max_size {self.max_size} is smaller than short_size {self.short_size}"
            raise ConfigError(problem, fix="Swap or change them")

    def __call__(self, sample: dict) -> dict:
        short, long = sorted(sample["img"].shape[:2])
        target = self.short_size
        if self.max_size is not None and target / short * long > self.max_size:
            target = max(1, int(self.max_size / long * short))
        return resize_sample(sample, scaled_size(sample["img"], target / short), self.interp, self.as_bytes)


@TRANSFORMS.register
@dataclass(eq=False)
class LimitLong:
    """Bring the longer side into a range, keeping the proportions; images already inside it keep their pixels.

    Args:
        max_long: a longer side above this is resized to this; None for no upper limit.
        min_long: a longer side below this is resized to this; None for no lower limit.
    """

    traits = Traits(geometry="recorded")

    max_long: Side | None = None
    min_long: Side | None = None

    def __post_init__(self):
        require_order(self, "min_long", "max_long")

    def __call__(self, sample: dict) -> dict:
        img = sample["img"]
        long = max(img.shape[:2])
        target = long
        if self.max_long is not None and long > self.max_long:
            target = self.max_long
        elif self.min_long is not None and long < self.min_long:
            target = self.min_long
        return resize_sample(sample, scaled_size(img, target / long))


@TRANSFORMS.register
@dataclass(eq=False)
class ResizeRangeScaling:
    """Resize the longer side to a length drawn uniformly from a range, keeping the proportions.

    Args:
        min_value: shortest length of the longer side.
        max_value: longest.
    """

    @staticmethod
    def traits(options: Mapping[str, object]) -> Traits:
        """A range of one length leaves nothing to draw."""
        return Traits(random=options["min_value"] != options["max_value"], geometry="recorded")

    min_value: Side = 400
    max_value: Side = 600

    def __post_init__(self):
        require_order(self, "min_value", "max_value")

    def __call__(self, sample: dict) -> dict:
        img = sample["img"]
        long = int(sample["rng"].uniform(self.min_value, self.max_value) + 0.5)
        return resize_sample(sample, scaled_size(img, long / max(img.shape[:2])))


@TRANSFORMS.register
@dataclass(eq=False)
class ResizeStepScaling:
    """Scale by a factor drawn from evenly spaced ones, each as likely: 0.5, 0.75, ... 2.0 in the published configs.

    Args:
        min_scale_factor: smallest factor.
        max_scale_factor: largest factor.
        scale_step_size: distance of neighbouring factors; when it does not divide the range, the factors are spread
            evenly from the smallest to the largest. 0 draws any factor of the range.
        aspect_range: width / height is multiplied by a number of this range, the area unchanged; both sides are then
            cut to whole pixels, not rounded. (0.9, 1.1) in the authors' training.
        interp: interpolation of the image.
        as_bytes: keep the image in bytes, every pixel rounded, as the authors' training does with CUBIC.
    """

    @staticmethod
    def traits(options: Mapping[str, object]) -> Traits:
        """One factor and no aspect leave nothing to draw."""
        fixed = options["min_scale_factor"] == options["max_scale_factor"] and options["aspect_range"] is None
        return Traits(random=not fixed, geometry="recorded")

    min_scale_factor: Factor = 0.75
    max_scale_factor: Factor = 1.25
    scale_step_size: Annotated[float, Field(ge=0, le=100)] = 0.25
    aspect_range: tuple[Factor, Factor] | None = None
    interp: Interpolation = "LINEAR"
    as_bytes: bool = False

    def __post_init__(self):
        require_order(self, "min_scale_factor", "max_scale_factor")
        step = self.scale_step_size
        if step > 0 and (self.max_scale_factor - self.min_scale_factor) / step > 10_000:
            raise ConfigError(f"scale_step_size {step} makes too many factors", fix="0 draws any of them")
        require_rising("aspect_range", self.aspect_range)

    @property
    def is_plain(self) -> bool:
        """Whether this is bilinear scaling of both sides alike, which `fused.ScaleAndCrop` can do in parts."""
        return self.aspect_range is None and self.interp == "LINEAR" and not self.as_bytes

    def factors(self) -> np.ndarray:
        """The factors to draw from, smallest first; only for a step size above 0."""
        # The small term keeps the last step where (max - min) / step is a whole number up to float rounding.
        steps = int((self.max_scale_factor - self.min_scale_factor) / self.scale_step_size + 1 + 1e-9)
        return np.linspace(self.min_scale_factor, self.max_scale_factor, steps)

    def draw(self, rng: np.random.Generator) -> float:
        """One factor; draws nothing when there is only one."""
        if self.min_scale_factor == self.max_scale_factor:
            return self.min_scale_factor
        if self.scale_step_size == 0:
            return float(rng.uniform(self.min_scale_factor, self.max_scale_factor))
        factors = self.factors()
        return float(factors[rng.integers(len(factors))])

    def __call__(self, sample: dict) -> dict:
        factor = self.draw(sample["rng"])
        size = scaled_size(sample["img"], factor)
        if self.aspect_range is not None:
            h, w = sample["img"].shape[:2]
            stretch = math.sqrt(sample["rng"].uniform(*self.aspect_range))
            size = int(w * (stretch * factor)), int(h * (math.sqrt(1 / stretch**2) * factor))
        return resize_sample(sample, size, self.interp, self.as_bytes)


@TRANSFORMS.register
@dataclass(eq=False)
class ResizeToFit:
    """Resize to the largest size that fits into a frame, keeping the proportions (mmcv's ``imrescale``).

    The frame may lie either way: the longer side is bounded by its longer number, the shorter side by its shorter one.
    Unlike ``Resize`` with ``keep_ratio``, halves are rounded up (2048x1024 into 2049x1025 gives 2049x1025, not
    2049x1024), and uint8 images stay uint8, each pixel rounded to a whole number.

    Args:
        target_size: (width, height) of the frame in pixels.
        ratio_range: smallest and largest factor on the frame, drawn uniformly for each image; None for none.
    """

    @staticmethod
    def traits(options: Mapping[str, object]) -> Traits:
        """A range is drawn from."""
        return Traits(random=options["ratio_range"] is not None, geometry="recorded")

    target_size: Size
    ratio_range: tuple[Factor, Factor] | None = None

    def __post_init__(self):
        require_rising("ratio_range", self.ratio_range)

    def __call__(self, sample: dict) -> dict:
        frame = self.target_size
        if self.ratio_range is not None:
            ratio = sample["rng"].uniform(*self.ratio_range)
            frame = max(1, int(frame[0] * ratio)), max(1, int(frame[1] * ratio))
        img = sample["img"]
        h, w = img.shape[:2]
        scale = min(max(frame) / max(h, w), min(frame) / min(h, w))
        size = max(1, int(w * scale + 0.5)), max(1, int(h * scale + 0.5))
        return resize_sample(sample, size, as_bytes=img.dtype == np.uint8)
