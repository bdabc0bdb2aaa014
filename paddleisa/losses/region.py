"""Losses on regions instead of pixels."""

from __future__ import annotations

from typing import Annotated

import paddle.nn.functional as F
from paddle import nn
from pydantic import Field

from paddleisa.registry import LOSSES


@LOSSES.register
class DiceLoss(nn.Layer):
    """1 - Dice coefficient of the softmax, averaged over classes (Milletari et al. 2016, squared denominator).

    Args:
        ignore_index: label value that takes no part.
        smooth: added to numerator and denominator, so that a class absent from both costs nothing.
    """

    def __init__(self, ignore_index: int = 255, smooth: Annotated[float, Field(ge=0)] = 1.0):
        super().__init__()
        self.ignore_index, self.smooth = ignore_index, smooth

    def forward(self, logits, label):
        """(N, K, H, W) logits and (N, H, W) int64 labels -> scalar in 0..1."""
        labelled = label != self.ignore_index
        mask = labelled.astype("float32").unsqueeze(1)
        truth = F.one_hot(label * labelled.astype("int64"), logits.shape[1]).transpose([0, 3, 1, 2]) * mask
        probability = F.softmax(logits.astype("float32"), axis=1) * mask
        both = (probability * truth).sum([0, 2, 3])
        each = (probability**2).sum([0, 2, 3]) + (truth**2).sum([0, 2, 3])
        return (1 - (2 * both + self.smooth) / (each + self.smooth)).mean()
