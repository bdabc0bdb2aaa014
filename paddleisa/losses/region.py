"""Losses on regions instead of pixels: overlap of masks. The formulas are PaddleSeg's."""

from __future__ import annotations

from typing import Annotated, Literal

import paddle
import paddle.nn.functional as F
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.losses.base import (
    EPSILON,
    ClassWeights,
    SegmentationLoss,
    class_factors,
    one_hot,
    require_channels,
)
from paddleisa.registry import LOSSES


@LOSSES.register
class DiceLoss(SegmentationLoss):
    """1 - Dice coefficient of the softmax, for each image and class; the mean over images, then over classes.

    The denominator is the sum of probabilities and labels, as in PaddleSeg, not that of their squares.

    Args:
        weight: one factor for each class.
        ignore_index: label value that takes no part.
        smooth: added to numerator and denominator, so that a class absent from both costs nothing.
    """

    def __init__(
        self, weight: ClassWeights = None, ignore_index: int = 255, smooth: Annotated[float, Field(ge=0)] = 1.0
    ):
        super().__init__(ignore_index)
        self.weight, self.smooth = weight, smooth

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        truth = one_hot(target, labelled, logits)
        probability = F.softmax(logits, axis=1) * labelled.unsqueeze(1).astype(logits.dtype)
        both, each = (probability * truth).sum([2, 3]), (probability + truth).sum([2, 3])
        loss = 1 - (2 * both + self.smooth) / (each + self.smooth + EPSILON)
        factor = class_factors(self.weight, paddle.arange(loss.shape[1]), logits)
        return (loss if factor is None else loss * factor).mean()


@LOSSES.register
class LovaszSoftmaxLoss(SegmentationLoss):
    """Lovasz extension of 1 - IoU of the softmax (Berman et al. 2018), of the batch as a whole, mean over classes.

    Args:
        ignore_index: label value that takes no part.
        classes: "present" for the classes that the batch's labels hold, "all", or a list of classes.
    """

    def __init__(self, ignore_index: int = 255, classes: Literal["present", "all"] | list[int] = "present"):
        super().__init__(ignore_index)
        self.classes = classes

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        place = paddle.nonzero(labelled.flatten()).flatten()
        if not place.size:
            return logits.sum() * 0.0
        truth = target.flatten().gather(place)
        probability = F.softmax(logits, axis=1).transpose([1, 0, 2, 3]).flatten(1)
        losses = []
        for k in self._classes(truth, logits.shape[1]):
            foreground = (truth == k).astype(logits.dtype)
            errors = (foreground - probability[k].gather(place)).abs()
            losses.append(_lovasz(errors, foreground))
        return sum(losses) / len(losses)

    def _classes(self, truth, number: int) -> list[int]:
        if self.classes == "all":
            return list(range(number))
        if self.classes == "present":
            return [k for k, count in enumerate(paddle.bincount(truth, minlength=number).numpy()) if count]
        if not self.classes or not all(0 <= k < number for k in self.classes):
            raise ConfigError(
                f"LovaszSoftmaxLoss has the classes {self.classes}, the model has 0 to {number - 1}", where="loss"
            )
        return self.classes


@LOSSES.register
class LovaszHingeLoss(SegmentationLoss):
    """Lovasz hinge of class 1's IoU, for models with one or two channels (Berman et al. 2018).

    Of two channels, the score is log(p + e / (1 - p + e)) with p the probability of class 1 and e = 1e-9, as in
    PaddleSeg: the logarithm of p but for rounding.

    Args:
        ignore_index: label value that takes no part.
    """

    binary = True

    def __init__(self, ignore_index: int = 255):
        super().__init__(ignore_index)

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        require_channels(logits, (1, 2), self)
        if logits.shape[1] == 2:
            p = F.softmax(logits, axis=1)[:, 1]
            logits = paddle.log(p + 1e-9 / (1 - p + 1e-9))
        place = paddle.nonzero(labelled.flatten()).flatten()
        if not place.size:
            return logits.sum() * 0.0
        truth = target.flatten().gather(place).astype(logits.dtype)
        return _lovasz(1 - logits.flatten().gather(place) * (2 * truth - 1), truth, F.relu)


def _lovasz(errors, foreground, bounded=lambda errors: errors):
    """sum_i bounded(error_i) * (growth of the Jaccard loss when pixel i turns wrong too), largest errors first.

    Args:
        errors: (P,) how wrong each pixel is.
        foreground: (P,) 1 where the class is, 0 elsewhere.
        bounded: applied to the sorted errors.
    """
    order = paddle.argsort(errors.detach(), descending=True)
    foreground = foreground.gather(order)
    total = foreground.sum()
    jaccard = 1 - (total - foreground.cumsum(0)) / (total + (1 - foreground).cumsum(0))
    growth = paddle.concat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return (bounded(errors.gather(order)) * growth).sum()
