"""Resizing into a frame as mmsegmentation does it, which its published checkpoints were trained and measured with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paddleisa.errors import ConfigError
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.options import Factor, Size, pair
from paddleisa.transforms.resize import resize_sample
from paddleisa.transforms.traits import Traits


@TRANSFORMS.register
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

    def __init__(
        self,
        target_size: Size,
        ratio_range: tuple[Factor, Factor] | None = None,
    ):
        if ratio_range is not None and ratio_range[0] > ratio_range[1]:
            raise ConfigError(f"ratio_range {list(ratio_range)} is upside down", fix="Write the smaller factor first")
        self.target_size, self.ratio_range = pair(target_size), ratio_range

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
