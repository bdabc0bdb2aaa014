"""Losses on single pixels: cross entropy of all of them or of the hard ones only, sigmoids, focal losses.

The formulas are PaddleSeg's.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Literal

import paddle
import paddle.nn.functional as F
from pydantic import Field

from paddleisa.losses.base import (
    EPSILON,
    ClassWeights,
    SegmentationLoss,
    class_factors,
    one_hot,
    pixel_cross_entropy,
    require_channels,
)
from paddleisa.registry import LOSSES

_EPSILON = 1e-10
Gamma = Annotated[float, Field(ge=0)]


@LOSSES.register
@dataclass(eq=False)
class CrossEntropyLoss(SegmentationLoss):
    """Mean cross entropy of the labelled pixels.

    Args:
        weight: one factor for each class; the mean is then weighted by them.
        top_k_percent_pixels: share of the batch's pixels, those of the largest losses, that the mean is taken over.
        avg_non_ignore: divide by the labelled pixels' weights (True), or by the number of all pixels; no matter
            with ``top_k_percent_pixels``.
        data_format: layout of the logits; ISANet's are NCHW.
    """

    weight: ClassWeights = None
    ignore_index: int = 255
    top_k_percent_pixels: Annotated[float, Field(gt=0, le=1)] = 1.0
    avg_non_ignore: bool = True
    data_format: Literal["NCHW", "NHWC"] = "NCHW"

    def __call__(self, logits, label):
        """(N, K, H, W) logits, or (N, H, W, K) with ``data_format: NHWC``, and (N, H, W) labels -> scalar."""
        return super().__call__(logits.transpose([0, 3, 1, 2]) if self.data_format == "NHWC" else logits, label)

    def compute(self, logits, target, labelled):
        loss = pixel_cross_entropy(logits, target, labelled)
        factor = class_factors(self.weight, target, logits)
        if factor is None:
            factor = paddle.ones_like(loss)
        else:
            loss = loss * factor
        if self.top_k_percent_pixels < 1.0:
            loss, index = paddle.topk(loss.flatten(), max(1, int(self.top_k_percent_pixels * loss.size)))
            factor = factor.flatten().gather(index)
        else:
            factor = factor * labelled.astype(factor.dtype) if self.avg_non_ignore else paddle.ones_like(loss)
        return loss.mean() / (factor.mean() + EPSILON)


@LOSSES.register
@dataclass(eq=False)
class OhemCrossEntropyLoss(SegmentationLoss):
    """Cross entropy of the hard pixels only (online hard example mining).

    A pixel is hard when the probability of its true class is below ``thresh`` or, if that is more, below the
    ``min_kept``-th lowest of the batch. Where fewer pixels than ``min_kept`` are labelled, and with ``min_kept: 0``
    (as in PaddleSeg), all labelled pixels count.

    Args:
        thresh: probability, 0..1.
        min_kept: number of pixels.
        weight: one factor for each class.
    """

    thresh: Annotated[float, Field(ge=0, le=1)] = 0.7
    min_kept: Annotated[int, Field(ge=0)] = 10000
    ignore_index: int = 255
    weight: ClassWeights = None

    def compute(self, logits, target, labelled):
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
@dataclass(eq=False)
class BootstrappedCrossEntropyLoss(SegmentationLoss):
    """Cross entropy of each image's hard pixels: those above ``loss_th``, and at least the ``min_K`` largest.

    Args:
        min_K: number of pixels of an image.
        loss_th: loss of a pixel.
        weight: one factor for each class.
    """

    min_K: Annotated[int, Field(gt=0)]
    loss_th: float
    weight: ClassWeights = None
    ignore_index: int = 255

    def compute(self, logits, target, labelled):
        loss = pixel_cross_entropy(logits, target, labelled)
        factor = class_factors(self.weight, target, logits)
        loss = (loss if factor is None else loss * factor).flatten(1)
        ordered = paddle.sort(loss, axis=1, descending=True)
        kept = (ordered > self.loss_th) | (paddle.arange(ordered.shape[1]) < self.min_K)
        kept = kept.astype(loss.dtype)
        return ((ordered * kept).sum(1) / kept.sum(1)).mean()


@LOSSES.register
@dataclass(eq=False)
class BCELoss(SegmentationLoss):
    """Binary cross entropy of every class against all others; of a one-channel model, of class 1 against class 0.

    Args:
        weight: "dynamic" weighs positives by 2 x the share of negatives in the batch, and the other way round.
        pos_weight: factor p of the positives; "dynamic" for 2 x the share of negatives in the batch.
        ignore_index: label value that takes no part. Both "dynamic" count ignored pixels as class 0, as PaddleSeg's.
        edge_label: only False: ISANet has no edge branch.
        pos_weight_of: whose arithmetic ``pos_weight`` follows. "paddle-3": p times the loss of the positives.
            "paddle-2.6", with which PaddleSeg's configs were made: the gradient at a positive is p * sigmoid(x) - 1,
            which vanishes at a probability of 1 / p, and the value is relu(x) - x + p * log(1 + exp(-|x|)).
    """

    binary = True
    weight: Literal["dynamic"] | None = None
    pos_weight: Annotated[float, Field(gt=0)] | Literal["dynamic"] | None = None
    ignore_index: int = 255
    edge_label: Literal[False] = False
    pos_weight_of: Literal["paddle-2.6", "paddle-3"] = "paddle-2.6"

    def __post_init__(self):
        self.as_26 = self.pos_weight_of == "paddle-2.6"
        if self.pos_weight is not None and self.as_26:
            warnings.warn(
                f"BCELoss with pos_weight {self.pos_weight} computes what Paddle 2.6 does, which pulls positives to a "
                "probability of 1 / pos_weight; add pos_weight_of: paddle-3 for a factor of the positives' loss",
                stacklevel=3,
            )

    def compute(self, logits, target, labelled):
        if logits.shape[1] == 1:
            truth = target.unsqueeze(1).astype(logits.dtype)
        else:
            truth = one_hot(target, paddle.ones_like(labelled), logits)
        positives = truth.mean()  # the share of the ones among all entries
        loss = self._entropy(logits, truth, 2 * (1 - positives) if self.pos_weight == "dynamic" else self.pos_weight)
        if self.weight == "dynamic":
            loss = loss * (2 * (1 - positives) * truth + 2 * positives * (1 - truth))
        mask = labelled.unsqueeze(1).astype(loss.dtype)
        return (loss * mask).mean() / (mask.mean() + _EPSILON)

    def _entropy(self, x, truth, pos_weight):
        """Loss of every entry, with ``pos_weight`` (None for 1)."""
        if pos_weight is None:
            return F.softplus(x) - x * truth
        factor = 1 + (pos_weight - 1) * truth
        if not self.as_26:
            return factor * (F.softplus(x) - x * truth)
        # Paddle 2.6 gives the value of one function and the gradient of another.
        value = F.relu(x) - x * truth + factor * F.softplus(-x.abs())
        trained = factor * F.softplus(x) - x * truth
        return trained + (value - trained).detach()


@LOSSES.register
@dataclass(eq=False)
class FocalLoss(SegmentationLoss):
    """Focal loss of a model with two classes (Lin et al. 2017), each channel a sigmoid.

    Args:
        alpha: weight of the entries that are 1, 1 - alpha of those that are 0.
        gamma: exponent that turns down what is already right.
    """

    alpha: Annotated[float, Field(ge=0, le=1)] = 0.25
    gamma: Gamma = 2.0
    ignore_index: int = 255

    def compute(self, logits, target, labelled):
        require_channels(logits, (2,), self)
        truth = one_hot(target, paddle.ones_like(labelled), logits)
        loss = F.sigmoid_focal_loss(logits, truth, alpha=self.alpha, gamma=self.gamma, reduction="none")
        mask = labelled.unsqueeze(1).astype(loss.dtype)
        return (loss * mask).sum() / (mask.sum() * logits.shape[1] + _EPSILON)


@LOSSES.register
@dataclass(eq=False)
class MultiClassFocalLoss(SegmentationLoss):
    """alpha * (1 - p) ** gamma times the cross entropy, p being the softmax probability of the true class.

    Args:
        num_class: the model's number of classes.
        alpha: factor of the whole.
        gamma: exponent that turns down what is already right.
    """

    num_class: Annotated[int, Field(gt=1)]
    alpha: Annotated[float, Field(ge=0)] = 1.0
    gamma: Gamma = 2.0
    ignore_index: int = 255

    def compute(self, logits, target, labelled):
        require_channels(logits, (self.num_class,), self)
        entropy = pixel_cross_entropy(logits, target, labelled)
        loss = self.alpha * (1 - paddle.exp(-entropy)) ** self.gamma * entropy
        return loss.mean() / (labelled.astype(loss.dtype).mean() + _EPSILON)
