"""Annotations of options that several transforms share: what a config may write for them.

The upper bounds are beyond any real use; they keep a slip of the pen from asking for terabytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from paddleisa.errors import ConfigError

Side = Annotated[int, Field(gt=0, le=32767)]  # OpenCV's warps count pixels in 16 bits
Size = tuple[Side, Side]  # width, height
Factor = Annotated[float, Field(gt=0, le=100)]
Probability = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=360)]
Colour = tuple[float, float, float]
Padded = float | Colour  # one value for all channels, or one for each
LabelValue = Annotated[int, Field(ge=0, le=255)]
Interpolation = Literal["NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4"]
GREY: Colour = (127.5, 127.5, 127.5)


def colour_of(value: Padded) -> Colour:
    """One value for each of the three channels."""
    red, green, blue = (value,) * 3 if isinstance(value, int | float) else value
    return red, green, blue


def require_order(transform: object, low: str, high: str) -> None:
    """ConfigError where the option ``low`` of a transform is larger than its option ``high``; None bounds nothing."""
    least, most = getattr(transform, low), getattr(transform, high)
    if least is not None and most is not None and least > most:
        raise ConfigError(f"{low} {least} is larger than {high} {most}", fix="Swap or change them")


def require_rising(name: str, bounds: tuple[float, float] | None) -> None:
    """ConfigError where a range begins with its larger number."""
    if bounds is not None and bounds[0] > bounds[1]:
        raise ConfigError(f"{name} {list(bounds)} is upside down", fix="Write the smaller number first")


def to_bytes(img: np.ndarray) -> np.ndarray:
    """The image in uint8, contiguous: fractions are cut off, what lies beyond 0..255 is brought to the bounds."""
    img = img if img.dtype == np.uint8 else np.clip(img, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(img)


def is_bytes(colour: Colour) -> bool:
    """Whether every value can be kept in a byte."""
    return all(float(value).is_integer() and 0 <= value <= 255 for value in colour)
