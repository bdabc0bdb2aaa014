"""The one building block that all parts share, and its 1x1 form as a matrix product."""

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

    def forward(self, x, map_in: bool = True, map_out: bool = True):
        """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)).

        A 1x1 block also takes a list of positions, (N, in_channels, L) or (N, L, in_channels), as `pointwise` does.
        In evaluation the normalisation is folded into that product, which is the same up to rounding.
        """
        if x.ndim == 4:
            return self._activate(self._batch_norm(self._conv(x)))
        norm, weight = self._batch_norm, self._conv.weight
        if norm.training:
            x = pointwise(x, weight, None, map_in, map_out)
            x = F.batch_norm(
                x,
                norm._mean,
                norm._variance,
                norm.weight,
                norm.bias,
                training=True,
                momentum=norm._momentum,
                epsilon=norm._epsilon,
                data_format="NCL" if map_out else "NLC",
            )
        else:
            assert norm.weight is not None and norm.bias is not None  # batch normalisation has both unless told
            scale = norm.weight * paddle.rsqrt(norm._variance + norm._epsilon)
            x = pointwise(x, weight * scale.reshape([-1, 1, 1, 1]), norm.bias - norm._mean * scale, map_in, map_out)
        return self._activate(x)

    def _activate(self, x):
        if not self._relu:
            return x
        if not self._negative_slope:
            return F.relu(x)
        if paddle.in_dynamic_mode():
            return F.leaky_relu(x, self._negative_slope)
        return paddle.maximum(x, self._negative_slope * x)  # paddle2onnx writes LeakyReLU with another slope


def pointwise(x, weight, bias, map_in: bool = True, map_out: bool = True):
    """A 1x1 convolution as one matrix product, whose operands are read as they lie.

    Args:
        x: (N, in, L), a map as convolutions have it; without ``map_in`` (N, L, in), positions one after another.
        weight: (out, in, 1, 1).
        bias: (out,) or None.
        map_in, map_out: whether argument and result are maps.

    Returns:
        (N, out, L); without ``map_out`` (N, L, out).
    """
    weight = weight.flatten(1)
    if map_out:
        x = paddle.matmul(weight.unsqueeze(0), x, transpose_y=not map_in)
        return x if bias is None else x + bias.unsqueeze(-1)
    x = paddle.matmul(x, weight, transpose_x=map_in, transpose_y=True)
    return x if bias is None else x + bias
