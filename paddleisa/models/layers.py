"""The one building block that all parts share."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn


class ConvBNReLU(nn.Layer):
    """Convolution without bias, batch normalisation, and ReLU unless ``relu`` is False.

    The sublayers are named as in the published weights: ``_conv`` and ``_batch_norm``. Training on several GPUs turns
    the normalisation into SyncBatchNorm afterwards, so that no model has to know where it runs.

    Args:
        in_channels, out_channels: of the convolution.
        kernel_size: odd; the map is padded with zeros by (kernel_size - 1) / 2, times the dilation, on each side.
        stride, dilation: of the convolution.
        relu: whether a ReLU ends it.
        negative_slope: of the ReLU; LeakyReLU if it is not 0.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        relu: bool = True,
        negative_slope: float = 0.0,
    ):
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self._conv = nn.Conv2D(in_channels, out_channels, kernel_size, stride, padding, dilation, bias_attr=False)
        self._batch_norm = nn.BatchNorm2D(out_channels)
        self._relu, self._negative_slope = relu, negative_slope

    def forward(self, x):
        """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self._batch_norm(self._conv(x))
        if not self._relu:
            return x
        if not self._negative_slope:
            return F.relu(x)
        if paddle.in_dynamic_mode():
            return F.leaky_relu(x, self._negative_slope)
        return paddle.maximum(x, self._negative_slope * x)  # paddle2onnx writes LeakyReLU with another slope
