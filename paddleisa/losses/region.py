"""Losses on regions instead of pixels: overlap of masks, mutual information. The formulas are PaddleSeg's."""

from __future__ import annotations

from dataclasses import dataclass
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
from paddleisa.registry import LOSSES, NoEffect

_SMALLEST_PROBABILITY = 1e-6
_REGULARISATION = 5e-4  # added to the diagonal of covariances before they are inverted


@LOSSES.register
@dataclass(eq=False)
class DiceLoss(SegmentationLoss):
    """1 - Dice coefficient of the softmax, for each image and class; the mean over images, then over classes.

    The denominator is the sum of probabilities and labels, as in PaddleSeg, not that of their squares.

    Args:
        weight: one factor for each class.
        smooth: added to numerator and denominator, so that a class absent from both costs nothing.
    """

    weight: ClassWeights = None
    ignore_index: int = 255
    smooth: Annotated[float, Field(ge=0)] = 1.0

    def compute(self, logits, target, labelled):
        truth = one_hot(target, labelled, logits)
        probability = F.softmax(logits, axis=1) * labelled.unsqueeze(1).astype(logits.dtype)
        both, each = (probability * truth).sum([2, 3]), (probability + truth).sum([2, 3])
        loss = 1 - (2 * both + self.smooth) / (each + self.smooth + EPSILON)
        factor = class_factors(self.weight, paddle.arange(loss.shape[1]), logits)
        return (loss if factor is None else loss * factor).mean()


@LOSSES.register
@dataclass(eq=False)
class LovaszSoftmaxLoss(SegmentationLoss):
    """Lovasz extension of 1 - IoU of the softmax (Berman et al. 2018), of the batch as a whole, mean over classes.

    Args:
        classes: "present" for the classes that the batch's labels hold, "all", or a list of classes.
    """

    ignore_index: int = 255
    classes: Literal["present", "all"] | list[int] = "present"

    def compute(self, logits, target, labelled):
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
@dataclass(eq=False)
class LovaszHingeLoss(SegmentationLoss):
    """Lovasz hinge of class 1's IoU, for models with one or two channels (Berman et al. 2018).

    Of two channels, the score is log(p + e / (1 - p + e)) with p the probability of class 1 and e = 1e-9, as in
    PaddleSeg: the logarithm of p but for rounding.
    """

    binary = True
    ignore_index: int = 255

    def compute(self, logits, target, labelled):
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


@LOSSES.register
@dataclass(eq=False)
class RMILoss(SegmentationLoss):
    """Region mutual information (Zhao et al. 2019), without the cross entropy that the paper adds to it.

    Negative lower bound of the mutual information between regions of the labels and of the sigmoids.

    Every pixel stands for the vector of its ``rmi_radius`` x ``rmi_radius`` neighbourhood; per class, the loss is
    half the log determinant of the labels' covariance given the predictions', divided by the vector's length. Use it
    in a MixedLoss, as PaddleSeg does. Computed in float64.

    Args:
        num_classes: the model's number of classes.
        rmi_radius: side of the neighbourhood.
        rmi_pool_way: how maps are made smaller first: 0 maximum, 1 mean, 2 resizing.
        rmi_pool_size: side of the pooling window.
        rmi_pool_stride: must equal ``rmi_pool_size``; 1 leaves the maps as they are.
        loss_weight_lambda: does nothing, as in PaddleSeg: it weighed the paper's cross entropy.
    """

    num_classes: Annotated[int, Field(gt=1)] = 19
    rmi_radius: Annotated[int, Field(ge=1, le=10)] = 3
    rmi_pool_way: Literal[0, 1, 2] = 0
    rmi_pool_size: Annotated[int, Field(ge=1)] = 3
    rmi_pool_stride: Annotated[int, Field(ge=1)] = 3
    loss_weight_lambda: Annotated[float, NoEffect("the cross entropy that it weighed is not part of the loss")] = 0.5
    ignore_index: int = 255

    def __post_init__(self):
        size, stride = self.rmi_pool_size, self.rmi_pool_stride
        if size != stride:
            raise ConfigError(f"rmi_pool_size {size} and rmi_pool_stride {stride} must be equal")

    def compute(self, logits, target, labelled):
        require_channels(logits, (self.num_classes,), self)
        mask = labelled.unsqueeze(1).astype(logits.dtype)
        truth = self._vectors(self._pooled(one_hot(target, labelled, logits), "nearest"))
        predicted = self._vectors(self._pooled(F.sigmoid(logits) * mask + _SMALLEST_PROBABILITY, "bilinear"))
        size = self.rmi_radius**2
        ridge = _REGULARISATION * paddle.eye(size, dtype="float64")
        cross = truth @ predicted.transpose([0, 1, 3, 2])
        inverse = paddle.inverse(predicted @ predicted.transpose([0, 1, 3, 2]) + ridge)
        conditional = truth @ truth.transpose([0, 1, 3, 2]) - cross @ inverse @ cross.transpose([0, 1, 3, 2])
        diagonal = paddle.diagonal(paddle.linalg.cholesky(conditional + ridge), axis1=-2, axis2=-1)
        half_log_determinant = paddle.log(diagonal + 1e-8).sum(-1)  # (N, K)
        return (half_log_determinant.mean(0) / size).sum().astype(logits.dtype)

    def _pooled(self, maps, mode: Literal["nearest", "bilinear"]):
        """(N, K, H, W) -> (N, K, H / pool, W / pool)."""
        if self.rmi_pool_size == 1:
            return maps
        if self.rmi_pool_way == 2:
            size = [side // self.rmi_pool_size for side in maps.shape[2:]]
            return F.interpolate(maps, size, mode=mode, align_corners=mode == "bilinear")
        pool = F.max_pool2d if self.rmi_pool_way == 0 else F.avg_pool2d
        return pool(maps, self.rmi_pool_size, self.rmi_pool_size, padding=self.rmi_pool_size // 2)

    def _vectors(self, maps):
        """(N, K, H, W) -> (N, K, radius ** 2, positions): the neighbourhoods as columns, their mean taken off."""
        height, width = (side - self.rmi_radius + 1 for side in maps.shape[2:])
        shifted = [
            maps[:, :, y : y + height, x : x + width].flatten(2)
            for y in range(self.rmi_radius)
            for x in range(self.rmi_radius)
        ]
        vectors = paddle.stack(shifted, axis=2).astype("float64")
        return vectors - vectors.mean(3, keepdim=True)
