"""Transforms of image and label together; importing this registers them under PaddleSeg's class names."""

from paddleisa.transforms.color import Normalize, RandomBlur, RandomDistort
from paddleisa.transforms.compose import Compose
from paddleisa.transforms.crop import Padding, PaddingByAspectRatio, RandomPaddingCrop, RandomScaleAspect
from paddleisa.transforms.fit import ResizeToFit
from paddleisa.transforms.flip import RandomHorizontalFlip, RandomVerticalFlip
from paddleisa.transforms.resize import (
    LimitLong,
    Resize,
    ResizeByLong,
    ResizeByShort,
    ResizeRangeScaling,
    ResizeStepScaling,
)

__all__ = [
    "Compose",
    "LimitLong",
    "Normalize",
    "Padding",
    "PaddingByAspectRatio",
    "RandomBlur",
    "RandomDistort",
    "RandomHorizontalFlip",
    "RandomPaddingCrop",
    "RandomScaleAspect",
    "RandomVerticalFlip",
    "Resize",
    "ResizeByLong",
    "ResizeByShort",
    "ResizeRangeScaling",
    "ResizeStepScaling",
    "ResizeToFit",
]
