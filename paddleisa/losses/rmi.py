"""Region mutual information (Zhao et al. 2019), without the cross entropy that the paper adds to it."""

from __future__ import annotations

from typing import Annotated, Literal

import paddle
import paddle.nn.functional as F
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.losses.base import SegmentationLoss, one_hot, require_channels
from paddleisa.registry import LOSSES, NoEffect

_SMALLEST_PROBABILITY = 1e-6
_REGULARISATION = 5e-4  # added to the diagonal of covariances before they are inverted


@LOSSES.register
class RMILoss(SegmentationLoss):
    """Negative lower bound of the mutual information between regions of the labels and of the sigmoids.

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
        ignore_index: label value that takes no part.
    """

    def __init__(
        self,
        num_classes: Annotated[int, Field(gt=1)] = 19,
        rmi_radius: Annotated[int, Field(ge=1, le=10)] = 3,
        rmi_pool_way: Literal[0, 1, 2] = 0,
        rmi_pool_size: Annotated[int, Field(ge=1)] = 3,
        rmi_pool_stride: Annotated[int, Field(ge=1)] = 3,
        loss_weight_lambda: Annotated[
            float, NoEffect("the cross entropy that it weighed is not part of the loss")
        ] = 0.5,
        ignore_index: int = 255,
    ):
        super().__init__(ignore_index)
        if rmi_pool_size != rmi_pool_stride:
            raise ConfigError(f"rmi_pool_size {rmi_pool_size} and rmi_pool_stride {rmi_pool_stride} must be equal")
        self.num_classes, self.radius, self.pool_way, self.pool = num_classes, rmi_radius, rmi_pool_way, rmi_pool_size

    def compute(self, logits, target, labelled):
        """See :meth:`SegmentationLoss.compute`."""
        require_channels(logits, (self.num_classes,), self)
        mask = labelled.unsqueeze(1).astype(logits.dtype)
        truth = self._vectors(self._pooled(one_hot(target, labelled, logits), "nearest"))
        predicted = self._vectors(self._pooled(F.sigmoid(logits) * mask + _SMALLEST_PROBABILITY, "bilinear"))
        size = self.radius**2
        ridge = _REGULARISATION * paddle.eye(size, dtype="float64")
        cross = truth @ predicted.transpose([0, 1, 3, 2])
        inverse = paddle.inverse(predicted @ predicted.transpose([0, 1, 3, 2]) + ridge)
        conditional = truth @ truth.transpose([0, 1, 3, 2]) - cross @ inverse @ cross.transpose([0, 1, 3, 2])
        diagonal = paddle.diagonal(paddle.linalg.cholesky(conditional + ridge), axis1=-2, axis2=-1)
        half_log_determinant = paddle.log(diagonal + 1e-8).sum(-1)  # (N, K)
        return (half_log_determinant.mean(0) / size).sum().astype(logits.dtype)

    def _pooled(self, maps, mode: Literal["nearest", "bilinear"]):
        """(N, K, H, W) -> (N, K, H / pool, W / pool)."""
        if self.pool == 1:
            return maps
        if self.pool_way == 2:
            size = [side // self.pool for side in maps.shape[2:]]
            return F.interpolate(maps, size, mode=mode, align_corners=mode == "bilinear")
        pool = F.max_pool2d if self.pool_way == 0 else F.avg_pool2d
        return pool(maps, self.pool, self.pool, padding=self.pool // 2)

    def _vectors(self, maps):
        """(N, K, H, W) -> (N, K, radius ** 2, positions): the neighbourhoods as columns, their mean taken off."""
        height, width = (side - self.radius + 1 for side in maps.shape[2:])
        shifted = [
            maps[:, :, y : y + height, x : x + width].flatten(2) for y in range(self.radius) for x in range(self.radius)
        ]
        vectors = paddle.stack(shifted, axis=2).astype("float64")
        return vectors - vectors.mean(3, keepdim=True)
