"""Losses on sigmoids, and focal losses. The formulas are PaddleSeg's."""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import paddle
import paddle.nn.functional as F
from pydantic import Field

from paddleisa.losses.base import SegmentationLoss, one_hot, pixel_cross_entropy, require_channels
from paddleisa.registry import LOSSES

_EPSILON = 1e-10
Gamma = Annotated[float, Field(ge=0)]


@LOSSES.register
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

    def __init__(
        self,
        weight: Literal["dynamic"] | None = None,
        pos_weight: Annotated[float, Field(gt=0)] | Literal["dynamic"] | None = None,
        ignore_index: int = 255,
        edge_label: Literal[False] = False,
        pos_weight_of: Literal["paddle-2.6", "paddle-3"] = "paddle-2.6",
    ):
        super().__init__(ignore_index)
        self.weight, self.pos_weight, self.as_26 = weight, pos_weight, pos_weight_of == "paddle-2.6"
        if pos_weight is not None and self.as_26:
            warnings.warn(
                f"BCELoss with pos_weight {pos_weight} computes what Paddle 2.6 does, which pulls positives to a "
                "probability of 1 / pos_weight; add pos_weight_of: paddle-3 for a factor of the positives' loss",
                stacklevel=2,
            )

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
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
class FocalLoss(SegmentationLoss):
    """Focal loss of a model with two classes (Lin et al. 2017), each channel a sigmoid.

    Args:
        alpha: weight of the entries that are 1, 1 - alpha of those that are 0.
        gamma: exponent that turns down what is already right.
        ignore_index: label value that takes no part.
    """

    def __init__(self, alpha: Annotated[float, Field(ge=0, le=1)] = 0.25, gamma: Gamma = 2.0, ignore_index: int = 255):
        super().__init__(ignore_index)
        self.alpha, self.gamma = alpha, gamma

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        require_channels(logits, (2,), self)
        truth = one_hot(target, paddle.ones_like(labelled), logits)
        loss = F.sigmoid_focal_loss(logits, truth, alpha=self.alpha, gamma=self.gamma, reduction="none")
        mask = labelled.unsqueeze(1).astype(loss.dtype)
        return (loss * mask).sum() / (mask.sum() * logits.shape[1] + _EPSILON)


@LOSSES.register
class MultiClassFocalLoss(SegmentationLoss):
    """alpha * (1 - p) ** gamma times the cross entropy, p being the softmax probability of the true class.

    Args:
        num_class: the model's number of classes.
        alpha: factor of the whole.
        gamma: exponent that turns down what is already right.
        ignore_index: label value that takes no part.
    """

    def __init__(
        self,
        num_class: Annotated[int, Field(gt=1)],
        alpha: Annotated[float, Field(ge=0)] = 1.0,
        gamma: Gamma = 2.0,
        ignore_index: int = 255,
    ):
        super().__init__(ignore_index)
        self.num_class, self.alpha, self.gamma = num_class, alpha, gamma

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        require_channels(logits, (self.num_class,), self)
        entropy = pixel_cross_entropy(logits, target, labelled)
        loss = self.alpha * (1 - paddle.exp(-entropy)) ** self.gamma * entropy
        return loss.mean() / (labelled.astype(loss.dtype).mean() + _EPSILON)
