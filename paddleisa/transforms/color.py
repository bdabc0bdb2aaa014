"""Transforms of the image's values: normalisation, colour distortion, blur. Labels are untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import AfterValidator, Field

from paddleisa.errors import ConfigError
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms import enhance
from paddleisa.transforms.options import (
    Probability,
    to_bytes,
)
from paddleisa.transforms.traits import Traits

Spread = Annotated[float, Field(ge=0, le=100)]
PerChannel = tuple[float, float, float] | tuple[float]


def _fractions(values: tuple[float, ...]) -> tuple[float, ...]:
    """The same values; ValueError when one is of the range 0..255."""
    if max(values) > 1:
        instead = [round(value / 255, 4) for value in values]
        raise ValueError(f"{list(values)} is of 0..255, but Normalize divides by 255 first: write {instead}")
    return values


def _mean(values: tuple[float, ...]) -> tuple[float, ...]:
    if min(values) < 0:
        raise ValueError(f"mean {list(values)} holds a value below 0, which no image has")
    return _fractions(values)


def _std(values: tuple[float, ...]) -> tuple[float, ...]:
    if min(values) <= 0:
        raise ValueError(f"std {list(values)} holds a value that is not above 0")
    return _fractions(values)


@TRANSFORMS.register
class Normalize:
    """(image / 255 - mean) / std, per channel; float32.

    Args:
        mean: of the red, green and blue channel, or one value for all three, in 0..1.
        std: the same, above 0.

    Raises:
        ConfigError: a value beyond these ranges.
    """

    traits = Traits(values="normalized")

    def __init__(
        self,
        mean: Annotated[PerChannel, AfterValidator(_mean)] = (0.5,),
        std: Annotated[PerChannel, AfterValidator(_std)] = (0.5,),
    ):
        try:
            self.mean, self.std = (values * (3 // len(values)) for values in (_mean(tuple(mean)), _std(tuple(std))))
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self._table = self._normalized(np.arange(256, dtype=np.float32)[None].repeat(3, 0))

    def __call__(self, sample: dict) -> dict:
        planes = cv2.split(sample["img"])
        if sample["img"].dtype == np.uint8:
            out = np.empty((3, *sample["img"].shape[:2]), np.float32)
            for plane, table, target in zip(planes, self._table, out, strict=True):
                cv2.LUT(plane, table, dst=target)
        else:
            out = self._normalized(np.stack(planes).astype(np.float32, copy=False))
        # Channels first in memory, seen as (H, W, 3): the final change of layout costs nothing.
        sample["img"] = out.transpose(1, 2, 0)
        return sample

    def _normalized(self, planes: np.ndarray) -> np.ndarray:
        """Float32 (3, ...) planes, changed in place and returned.

        The original's order of operations, each in double precision and rounded to float32: equal to the bit.
        """
        planes /= np.float32(255)
        for plane, mean, std in zip(planes, self.mean, self.std, strict=True):
            np.subtract(plane, mean, out=plane, dtype=np.float64, casting="same_kind")
            np.divide(plane, std, out=plane, dtype=np.float64, casting="same_kind")
        return planes


@TRANSFORMS.register
@dataclass(eq=False)
class RandomDistort:
    """Change brightness, contrast, saturation, hue and sharpness, in random order, each with its own probability.

    Works on uint8, like the original: fractions (of an interpolated image, of the padding's 127.5) are cut off first,
    even when none of them takes place. Factors have the meaning of Pillow's ``ImageEnhance``.

    Args:
        brightness_range: the factor is uniform in 1 +- this.
        brightness_prob: probability of a change of brightness.
        contrast_range: as for brightness.
        contrast_prob: as for brightness.
        saturation_range: as for brightness.
        saturation_prob: as for brightness.
        hue_range: what is added to the H channel (0..255, wrapping around) is uniform in +- this.
        hue_prob: as for brightness.
        sharpness_range: as for brightness.
        sharpness_prob: as for brightness.
    """

    traits = Traits(random=True, values="bytes")

    brightness_range: Spread = 0.5
    brightness_prob: Probability = 0.5
    contrast_range: Spread = 0.5
    contrast_prob: Probability = 0.5
    saturation_range: Spread = 0.5
    saturation_prob: Probability = 0.5
    hue_range: Annotated[float, Field(ge=0, le=255)] = 18
    hue_prob: Probability = 0.5
    sharpness_range: Spread = 0.5
    sharpness_prob: Probability = 0.0

    def __post_init__(self):
        self._operations = [
            (enhance.brightness, 1, self.brightness_range, self.brightness_prob),
            (enhance.contrast, 1, self.contrast_range, self.contrast_prob),
            (enhance.saturation, 1, self.saturation_range, self.saturation_prob),
            (enhance.hue, 0, self.hue_range, self.hue_prob),
        ]
        if self.sharpness_prob > 0:  # otherwise the draws are those of a version that did not have it
            self._operations.append((enhance.sharpness, 1, self.sharpness_range, self.sharpness_prob))

    def __call__(self, sample: dict) -> dict:
        rng = sample["rng"]
        img = to_bytes(sample["img"])
        for number in rng.permutation(len(self._operations)):
            operation, centre, spread, prob = self._operations[number]
            if rng.random() < prob:
                img = operation(img, float(rng.uniform(centre - spread, centre + spread)))
        sample["img"] = img
        return sample


@TRANSFORMS.register
@dataclass(eq=False)
class RandomBlur:
    """Blur over 3, 5, 7 or 9 pixels.

    As in the original, the chance is one in ``int(1 / prob)``, the widths have chances 1, 2, 2 and 2 in 7, and an image
    that is blurred is cut to whole numbers first.

    Args:
        prob: probability of a blur.
        blur_type: ``gaussian``, ``median``, ``blur`` (the mean of a square), or ``random``: one of them, with chances
            0.3, 0.3 and 0.4.
    """

    traits = Traits(random=True, values="bytes")

    prob: Probability = 0.1
    blur_type: Literal["gaussian", "median", "blur", "random"] = "gaussian"

    def __call__(self, sample: dict) -> dict:
        rng = sample["rng"]
        if self.prob > 0 and rng.integers(int(1 / self.prob)) == 0:
            width = int(rng.integers(3, 10)) // 2 * 2 + 1
            kind = self.blur_type
            if kind == "random":
                kind = ("gaussian", "median", "blur")[np.searchsorted((0.3, 0.6), rng.random(), "right")]
            sample["img"] = _BLURS[kind](to_bytes(sample["img"]), width)
        return sample


_BLURS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "gaussian": lambda img, width: cv2.GaussianBlur(img, (width, width), 0),
    "median": cv2.medianBlur,
    "blur": lambda img, width: cv2.blur(img, (width, width)),
}


@TRANSFORMS.register
@dataclass(eq=False)
class RandomNoise:
    """Add Gaussian noise to every value, with a probability; the result stays in 0..255, with fractions.

    Args:
        prob: the probability.
        max_sigma: the noise's standard deviation is uniform in 0 to this.
    """

    traits = Traits(random=True, values="bytes")

    prob: Probability = 0.5
    max_sigma: Annotated[float, Field(ge=0, le=255)] = 10.0

    def __call__(self, sample: dict) -> dict:
        rng, img = sample["rng"], sample["img"]
        if rng.random() < self.prob:
            noise = rng.normal(0.0, rng.random() * self.max_sigma, img.shape)
            sample["img"] = np.clip(img.astype(np.float32) + noise, 0, 255, dtype=np.float32, casting="same_kind")
        return sample


@TRANSFORMS.register
@dataclass(eq=False)
class RandomBrightnessShift:
    """Add the same whole number to all values, with a probability, as the authors' training does; cut to 0..255.

    Args:
        max_shift: the number is one of -max_shift to max_shift, each as likely.
        prob: the probability.
    """

    traits = Traits(random=True, values="bytes")

    max_shift: Annotated[int, Field(ge=0, le=255)] = 10
    prob: Probability = 1.0

    def __call__(self, sample: dict) -> dict:
        rng = sample["rng"]
        if rng.random() < self.prob:
            shift = int(rng.integers(-self.max_shift, self.max_shift + 1))
            table = np.clip(np.arange(256) + shift, 0, 255).astype(np.uint8)
            sample["img"] = cv2.LUT(to_bytes(sample["img"]), table)
        return sample
