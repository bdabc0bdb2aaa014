"""The list of transforms of one data set, applied to one sample.

A sample is a dict:

======================  ==================================================================================
``img``                 (H, W, 3) RGB, uint8 or float32, 0..255 until Normalize
``label``               (H, W) uint8; absent where the image has none
``trans_info``          [("padding" or "resize", (h, w))]: the size *before* each step, oldest first;
                        inference undoes the steps in reverse
``gt_fields``           the keys that change shape together with ``img``: ["label"] in training, [] in
                        evaluation, where a label keeps its own size
``rng``                 numpy.random.Generator, the only source of a transform's randomness
``image_path`` etc.     for messages
======================  ==================================================================================

The original reads every image as float32. Here it stays uint8 while a step gives the same numbers either way (crops,
flips, padding with a whole number) and becomes float32 where it does not (interpolation, padding with 127.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from paddleisa.transforms.crop import RandomPaddingCrop
from paddleisa.transforms.resize import ResizeStepScaling, scaled_size


class Compose:
    """Apply transforms one after the other and bring the image into the network's layout.

    ``ResizeStepScaling`` directly followed by ``RandomPaddingCrop`` runs as one step that resizes only what the crop
    will keep (:class:`ScaleAndCrop`): same random draws, same pixels.

    Args:
        transforms: built transforms, in order; an empty list only changes the layout.
        fuse: whether that pair may run as one step.

    Attributes:
        steps: what really runs, in order.
    """

    def __init__(self, transforms: list, fuse: bool = True):
        self.transforms = list(transforms)
        self.steps = _fused(self.transforms) if fuse else self.transforms

    def __call__(self, sample: dict) -> dict:
        """Transform ``sample`` in place and return it with ``img`` as (3, H, W) float32, contiguous."""
        sample.setdefault("trans_info", [])
        sample.setdefault("gt_fields", [])
        for step in self.steps:
            sample = step(sample)
        sample["img"] = np.ascontiguousarray(sample["img"].transpose(2, 0, 1), dtype=np.float32)
        for key in sample["gt_fields"]:
            sample[key] = np.ascontiguousarray(sample[key])
        return sample


def _fused(transforms: list) -> list:
    """The steps that really run. Exact types only: a subclass may have changed what the pair means."""
    steps: list = []
    for transform in transforms:
        pair = bool(steps) and type(steps[-1]) is ResizeStepScaling and type(transform) is RandomPaddingCrop
        if pair and steps[-1].is_plain and transform.category_max_ratio >= 1:
            steps[-1] = ScaleAndCrop(steps[-1], transform)
        else:
            steps.append(transform)
    return steps


def prepared_by(transforms: list) -> Callable[[dict], dict]:
    """What prepares an image outside a data set: the sample with ``img`` as the network takes it, and its geometry.

    Args:
        transforms: those of validation, as ``build.build_val_transforms`` gives them.
    """
    compose = Compose(transforms)
    # Validation transforms draw no random numbers; a user's own may.
    return lambda sample: compose({**sample, "trans_info": [], "gt_fields": [], "rng": np.random.default_rng(0)})


class ScaleAndCrop:
    """``crop(scaling(sample))`` at a fraction of the cost: same draws, same label, same image up to float rounding.

    A 2048 x 1024 frame scaled by 2 has 8.4 million pixels, of which a 769 x 769 crop keeps 7 %. Bilinear interpolation
    samples a scaled image with a period: at a scale of 5/4, every 5 output pixels repeat the same pattern over 4 input
    pixels. A window that starts at a whole number of periods is therefore sampled at the same positions when it is
    resized by itself. Where the sizes have no short period (333 pixels to 416), that direction is resized in full.

    Args:
        scaling: draws the scale.
        crop: draws and pads the window.
    """

    def __init__(self, scaling: ResizeStepScaling, crop: RandomPaddingCrop):
        self.scaling, self.crop = scaling, crop

    def __call__(self, sample: dict) -> dict:
        h, w = sample["img"].shape[:2]
        width, height = (max(1, side) for side in scaled_size(sample["img"], self.scaling.draw(sample["rng"])))
        if (height, width) == (h, w):
            sample.setdefault("trans_info", []).append(("resize", (h, w)))
            return self.crop(sample)
        window = self.crop.draw(height, width, sample["rng"])
        rows, columns = ((s.start, min(s.stop, side)) for s, side in zip(window, (height, width), strict=True))
        sample.setdefault("trans_info", []).append(("resize", (h, w)))
        sample["img"] = self.crop.pad(_resize_window(sample["img"], (height, width), rows, columns))
        for key in sample.get("gt_fields", []):
            y, x = _nearest(h, height, rows), _nearest(w, width, columns)
            sample[key] = self.crop.pad(sample[key].take(y, axis=0).take(x, axis=1))
        return sample


def _resize_window(
    img: np.ndarray, size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """The window ``rows`` x ``columns`` of ``img`` resized bilinearly to ``size`` (height, width), float32."""
    (y0, y1), (v0, v1) = _aligned(img.shape[0], size[0], rows)
    (x0, x1), (u0, u1) = _aligned(img.shape[1], size[1], columns)
    source = img[y0:y1, x0:x1].astype(np.float32)
    part = cv2.resize(source, (u1 - u0, v1 - v0), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(part[rows[0] - v0 : rows[1] - v0, columns[0] - u0 : columns[1] - u0])


def _aligned(old: int, new: int, window: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Bounds in the input and in the output around ``window``, both whole numbers of sampling periods.

    Args:
        old: length of the input.
        new: length of the output.
        window: (start, stop) in the output.
    """
    periods = math.gcd(old, new)
    old_period, new_period = old // periods, new // periods
    margin = math.ceil(new / old) + 1  # output pixels near a cut would see its edge repeated instead of their neighbour
    first = max(0, window[0] - margin) // new_period
    last = min(periods, -(-(window[1] + margin) // new_period))
    return (first * old_period, last * old_period), (first * new_period, last * new_period)


def _nearest(old: int, new: int, window: tuple[int, int]) -> np.ndarray:
    """Input indices of the outputs ``window`` (start, stop) in a nearest-neighbour resize, OpenCV's rounding."""
    step = 1.0 / (new / old)
    return np.minimum((np.arange(*window) * step).astype(np.int64), old - 1)
