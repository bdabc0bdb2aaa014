"""Cross entropy over pixels, plain and with hard-example mining (original cross_entropy_loss.py, ohem_cross_...py)."""

from __future__ import annotations

from typing import Annotated

import paddle
import paddle.nn.functional as F
from paddle import nn
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.registry import LOSSES

# The original's guard against dividing by zero: 1e-5 in 2021, 1e-8 since. With one labelled pixel in 10^5 or more the
# loss is the same in float32.
EPSILON = 1e-8


def pixel_cross_entropy(logits, label, ignore_index: int):
    """(N, K, H, W) logits and (N, H, W) int64 labels -> (N, H, W) losses, 0 at ignored pixels; computed in float32."""
    logits = logits.astype("float32")
    return F.cross_entropy(logits, label.unsqueeze(1), ignore_index=ignore_index, reduction="none", axis=1).squeeze(1)


@LOSSES.register
class CrossEntropyLoss(nn.Layer):
    """Mean cross entropy of the labelled pixels.

    Args:
        weight: one factor for each class; the mean is then weighted by them.
        ignore_index: label value that takes no part.
        top_k_percent_pixels: share of the image's pixels, those of the largest losses, that the mean is taken over.
        avg_non_ignore: divide by the number of labelled pixels (True, the original's way) or of all pixels.
    """

    def __init__(
        self,
        weight: list[Annotated[float, Field(ge=0)]] | None = None,
        ignore_index: int = 255,
        top_k_percent_pixels: Annotated[float, Field(gt=0, le=1)] = 1.0,
        avg_non_ignore: bool = True,
    ):
        super().__init__()
        self.ignore_index, self.top_k, self.avg_non_ignore = ignore_index, top_k_percent_pixels, avg_non_ignore
        self.weight = None if weight is None else paddle.to_tensor(weight, dtype="float32")

    def forward(self, logits, label):
        """(N, K, H, W) logits and (N, H, W) int64 labels -> scalar."""
        loss = pixel_cross_entropy(logits, label, self.ignore_index)
        labelled = (label != self.ignore_index).astype("float32")
        factor = paddle.ones_like(loss)
        if self.weight is not None:
            if len(self.weight) != logits.shape[1]:
                raise ConfigError(
                    f"CrossEntropyLoss has {len(self.weight)} weights for {logits.shape[1]} classes",
                    where="loss",
                    fix="Give one weight for each class",
                )
            factor = F.embedding(label * labelled.astype("int64"), self.weight.unsqueeze(1)).squeeze(-1)
            loss = loss * factor
        if self.top_k < 1.0:
            kept = max(1, int(self.top_k * loss.size))
            loss, index = paddle.topk(loss.flatten(), kept)
            labelled, factor = labelled.flatten().gather(index), factor.flatten().gather(index)
        total = labelled * factor if self.avg_non_ignore else factor
        return loss.mean() / (total.mean() + EPSILON)


@LOSSES.register
class OhemCrossEntropyLoss(nn.Layer):
    """Cross entropy of the hard pixels only (online hard example mining).

    A pixel is hard when the probability of its true class is at most ``thresh``; if those are fewer than ``min_kept``
    in the batch, the ``min_kept`` hardest count instead.

    Args:
        thresh: probability, 0..1.
        min_kept: number of pixels.
        ignore_index: label value that takes no part.
    """

    def __init__(
        self,
        thresh: Annotated[float, Field(ge=0, le=1)] = 0.7,
        min_kept: Annotated[int, Field(ge=0)] = 10000,
        ignore_index: int = 255,
    ):
        super().__init__()
        self.thresh, self.min_kept, self.ignore_index = thresh, min_kept, ignore_index

    def forward(self, logits, label):
        """(N, K, H, W) logits and (N, H, W) int64 labels -> scalar."""
        loss = pixel_cross_entropy(logits, label, self.ignore_index)
        labelled = label != self.ignore_index
        # The true class's probability is exp(-loss). Ignored pixels are never among the hardest.
        probability = paddle.where(labelled, paddle.exp(-loss), paddle.full_like(loss, 2.0)).flatten().detach()
        threshold = paddle.full([1], self.thresh)
        if self.min_kept > 0:
            kept = min(self.min_kept, probability.size)
            threshold = paddle.maximum(threshold, -paddle.topk(-probability, kept)[0][-1:])
        hard = (probability <= paddle.clip(threshold, max=1.0)).astype("float32").reshape(loss.shape)
        return (loss * hard).mean() / (hard.mean() + EPSILON)
