"""Cross entropy over pixels: of all of them, or of the hard ones only. The formulas are PaddleSeg's."""

from __future__ import annotations

from typing import Annotated, Literal

import paddle
from pydantic import Field

from paddleisa.losses.base import EPSILON, ClassWeights, SegmentationLoss, class_factors, pixel_cross_entropy
from paddleisa.registry import LOSSES


@LOSSES.register
class CrossEntropyLoss(SegmentationLoss):
    """Mean cross entropy of the labelled pixels.

    Args:
        weight: one factor for each class; the mean is then weighted by them.
        ignore_index: label value that takes no part.
        top_k_percent_pixels: share of the batch's pixels, those of the largest losses, that the mean is taken over.
        avg_non_ignore: divide by the labelled pixels' weights (True), or by the number of all pixels; no matter
            with ``top_k_percent_pixels``.
        data_format: layout of the logits; ISANet's are NCHW.
    """

    def __init__(
        self,
        weight: ClassWeights = None,
        ignore_index: int = 255,
        top_k_percent_pixels: Annotated[float, Field(gt=0, le=1)] = 1.0,
        avg_non_ignore: bool = True,
        data_format: Literal["NCHW", "NHWC"] = "NCHW",
    ):
        super().__init__(ignore_index)
        self.weight, self.top_k, self.avg_non_ignore = weight, top_k_percent_pixels, avg_non_ignore
        self.channels_last = data_format == "NHWC"

    def forward(self, logits, label):
        """(N, K, H, W) logits, or (N, H, W, K) with ``data_format: NHWC``, and (N, H, W) labels -> scalar."""
        return super().forward(logits.transpose([0, 3, 1, 2]) if self.channels_last else logits, label)

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        loss = pixel_cross_entropy(logits, target, labelled)
        factor = class_factors(self.weight, target, logits)
        if factor is None:
            factor = paddle.ones_like(loss)
        else:
            loss = loss * factor
        if self.top_k < 1.0:
            loss, index = paddle.topk(loss.flatten(), max(1, int(self.top_k * loss.size)))
            factor = factor.flatten().gather(index)
        else:
            factor = factor * labelled.astype(factor.dtype) if self.avg_non_ignore else paddle.ones_like(loss)
        return loss.mean() / (factor.mean() + EPSILON)


@LOSSES.register
class OhemCrossEntropyLoss(SegmentationLoss):
    """Cross entropy of the hard pixels only (online hard example mining).

    A pixel is hard when the probability of its true class is below ``thresh`` or, if that is more, below the
    ``min_kept``-th lowest of the batch. Where fewer pixels than ``min_kept`` are labelled, and with ``min_kept: 0``
    (as in PaddleSeg), all labelled pixels count.

    Args:
        thresh: probability, 0..1.
        min_kept: number of pixels.
        ignore_index: label value that takes no part.
        weight: one factor for each class.
    """

    def __init__(
        self,
        thresh: Annotated[float, Field(ge=0, le=1)] = 0.7,
        min_kept: Annotated[int, Field(ge=0)] = 10000,
        ignore_index: int = 255,
        weight: ClassWeights = None,
    ):
        super().__init__(ignore_index)
        self.thresh, self.min_kept, self.weight = thresh, min_kept, weight

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        loss, kept = pixel_cross_entropy(logits, target, labelled), labelled
        if 0 < self.min_kept < int(labelled.astype("int64").sum()):
            # The true class's probability is exp(-loss). Ignored pixels are never among the hardest.
            probability = paddle.where(labelled, paddle.exp(-loss), paddle.full_like(loss, 2.0)).detach()
            kth = paddle.topk(probability.flatten(), self.min_kept, largest=False)[0][-1]
            kept = probability < kth.clip(min=self.thresh)
        factor = class_factors(self.weight, target, logits)
        loss, kept = loss if factor is None else loss * factor, kept.astype(loss.dtype)
        return (loss * kept).mean() / (kept.mean() + 1e-5)


@LOSSES.register
class BootstrappedCrossEntropyLoss(SegmentationLoss):
    """Cross entropy of each image's hard pixels: those above ``loss_th``, and at least the ``min_K`` largest.

    Args:
        min_K: number of pixels of an image.
        loss_th: loss of a pixel.
        weight: one factor for each class.
        ignore_index: label value that takes no part.
    """

    def __init__(
        self,
        min_K: Annotated[int, Field(gt=0)],  # noqa: N803
        loss_th: float,
        weight: ClassWeights = None,
        ignore_index: int = 255,
    ):
        super().__init__(ignore_index)
        self.min_kept, self.threshold, self.weight = min_K, loss_th, weight

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        loss = pixel_cross_entropy(logits, target, labelled)
        factor = class_factors(self.weight, target, logits)
        loss = (loss if factor is None else loss * factor).flatten(1)
        ordered = paddle.sort(loss, axis=1, descending=True)
        kept = (ordered > self.threshold) | (paddle.arange(ordered.shape[1]) < self.min_kept)
        kept = kept.astype(loss.dtype)
        return ((ordered * kept).sum(1) / kept.sum(1)).mean()
