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

from collections.abc import Callable

import numpy as np

from paddleisa.transforms.crop import RandomPaddingCrop
from paddleisa.transforms.fused import ScaleAndCrop
from paddleisa.transforms.resize import ResizeStepScaling


class Compose:
    """Apply transforms one after the other and bring the image into the network's layout.

    ``ResizeStepScaling`` directly followed by ``RandomPaddingCrop`` runs as one step that resizes only what the crop
    will keep (see ``fused.py``): same random draws, same pixels.

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
