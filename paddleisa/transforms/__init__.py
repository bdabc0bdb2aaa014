"""Transforms of image and label together; importing this registers them under PaddleSeg's class names."""

from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.color import Normalize, RandomBlur, RandomBrightnessShift, RandomDistort, RandomNoise
from paddleisa.transforms.compose import Compose
from paddleisa.transforms.crop import RandomCenterCrop, RandomPaddingCrop, RandomScaleAspect
from paddleisa.transforms.padding import Padding, PaddingByAspectRatio, ScalePadding
from paddleisa.transforms.resize import (
    LimitLong,
    Resize,
    ResizeByLong,
    ResizeByShort,
    ResizeRangeScaling,
    ResizeStepScaling,
    ResizeToFit,
)
from paddleisa.transforms.warp import RandomAffine, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip

_NO_SUCH_TARGET = "no model here has such an output: remove it"
TRANSFORMS.explain("AddEdgeLabel", f"It makes labels of edges, and {_NO_SUCH_TARGET}")
TRANSFORMS.explain("GenerateInstanceTargets", f"It makes one mask per class for MaskFormer, and {_NO_SUCH_TARGET}")
TRANSFORMS.explain(
    "AddMultiLabelAuxiliaryCategory", f"It adds a class to labels of several classes per pixel, and {_NO_SUCH_TARGET}"
)

__all__ = [
    "Compose",
    "LimitLong",
    "Normalize",
    "Padding",
    "PaddingByAspectRatio",
    "RandomAffine",
    "RandomBlur",
    "RandomBrightnessShift",
    "RandomCenterCrop",
    "RandomDistort",
    "RandomHorizontalFlip",
    "RandomNoise",
    "RandomPaddingCrop",
    "RandomRotation",
    "RandomScaleAspect",
    "RandomVerticalFlip",
    "Resize",
    "ResizeByLong",
    "ResizeByShort",
    "ResizeRangeScaling",
    "ResizeStepScaling",
    "ResizeToFit",
    "ScalePadding",
]
