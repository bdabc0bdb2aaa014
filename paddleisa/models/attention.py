"""Interlaced sparse self-attention, the paper's idea (arXiv:1907.12273, section 3).

Letters, as in the paper: N batch, C channels, H x W the feature map, (Ph, Pw) the window (``down_factor``),
(Qh, Qw) the number of windows; P = Ph * Pw places in a window, Q = Qh * Qw windows. Dense self-attention relates each
of the HW positions with all of them: HW x HW weights. Here two sparse steps reach every position from every other one.
``WindowGrid`` lays the map out as P x Q, one row for each place in a window, one column for each window, and then the
steps are self-attention along one axis each:

* long range, inside each row: positions at the same place of their windows, P groups of Q;
* short range, inside each column: the positions of one window, Q groups of P.
"""

from __future__ import annotations

from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddleisa.models.fused_attention import can_fuse, fused_attention
from paddleisa.models.layers import ConvBNReLU, pointwise
from paddleisa.models.windows import WindowGrid, size_of, unflatten

ROWS, COLUMNS = (0, 2, 1, 3), (0, 3, 1, 2)  # of (N, C, P, Q): to (N, P, C, Q) and to (N, Q, C, P)


def scaled_dot_product_attention(query, key, value, channels_first: bool = True):
    """Attention inside each group; every argument is (..., channels, positions), groups in front.

    Args:
        query, key, value: of one type.
        channels_first: False if every argument, and the result, is (..., positions, channels).

    Returns:
        (..., value channels, positions): at each position the mean of the values, weighted by
        softmax(query . key / sqrt(query channels)).
    """
    # Not Paddle's own function on CPUs, where it is the same products between copies in another layout. Scaling the
    # similarity instead of the query would need less memory, but float16 could overflow before the scale. Figures:
    # docs/performance.md.
    scaled = query * query.shape[-2 if channels_first else -1] ** -0.5
    similarity = paddle.matmul(scaled, key, channels_first, not channels_first)  # (..., L of query, L of key)
    weights = F.softmax(similarity, axis=-1)
    return paddle.matmul(value, weights, transpose_y=True) if channels_first else paddle.matmul(weights, value)


class SelfAttention(nn.Layer):
    """Self-attention of a feature map: of all its positions (dense), of each row, or of each column.

    The projections are 1x1 convolutions and batch normalisation, so they commute with any permutation of positions.
    They run on the map as it lies in memory, and only query, key and value are permuted.

    In dygraph on a CPU the projections are matrix products that give positions x channels, so that a row's positions
    lie together and a column's do after whole vectors have moved (docs/performance.md). The numbers are the same.

    Attributes:
        by_products: may be set to False by whoever listens to the convolutions or replaces them.

    Args:
        in_channels: of the map, and of the result.
        channels: of query and key.
        value_channels: those of the map unless given.
        value_bias: whether the value's projection has a bias.
        output: the output's projection. ``norm``: a convolution, batch normalisation and ReLU; ``conv``: a convolution
            alone; ``zero``: one that starts at zero, so that training starts from a map without context.
        negative_slope: of the (leaky) ReLUs.
        fused: use Paddle's flash kernel where it can run, see ``fused_attention.py``.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        value_channels: int | None = None,
        value_bias: bool = True,
        output: Literal["norm", "conv", "zero"] = "norm",
        negative_slope: float = 0.0,
        fused: bool = False,
    ):
        super().__init__()
        value_channels = value_channels or in_channels

        def project_twice():
            sizes = ((in_channels, channels), (channels, channels))
            return nn.Sequential(*(ConvBNReLU(i, o, 1, negative_slope=negative_slope) for i, o in sizes))

        self.key_project, self.query_project = project_twice(), project_twice()
        self.value_project = nn.Conv2D(in_channels, value_channels, 1, bias_attr=None if value_bias else False)
        if output == "norm":
            self.output_project: nn.Layer = ConvBNReLU(value_channels, in_channels, 1, negative_slope=negative_slope)
        else:
            start = nn.initializer.Constant(0.0) if output == "zero" else None
            self.output_project = nn.Conv2D(value_channels, in_channels, 1, weight_attr=start, bias_attr=start)
        self._fused, self.by_products = fused, True

    @paddle.jit.not_to_static  # plain Python at tracing: nothing here depends on a tensor's value
    def forward(self, x, groups: tuple[int, ...] | None = None):
        """(N, in_channels, H, W) -> the same shape; ``groups`` is ROWS, COLUMNS, or None for all positions as one."""
        if self.by_products and not self._fused and paddle.in_dynamic_mode() and x.place.is_cpu_place():
            return self._of_positions(x.flatten(2), groups, x.shape[2:]).reshape(x.shape)
        projected = [project(x) for project in (self.query_project, self.key_project, self.value_project)]
        if groups is None:
            context = self._attend(*(t.flatten(2) for t in projected))  # (N, C, HW)
            return self.output_project(unflatten(context, size_of(x)))
        context = self._attend(*(t.transpose(groups) for t in projected))
        return self.output_project(context.transpose([groups.index(axis) for axis in range(4)]))

    def _of_positions(self, x, groups: tuple[int, ...] | None, size: list[int]):
        """(N, C, L) -> (N, C, L), L the positions of the map's ``size``: the same in another layout."""
        query, key = (
            second(first(x, map_out=False), map_in=False, map_out=False)
            for first, second in (self.query_project, self.key_project)
        )
        value = pointwise(x, self.value_project.weight, self.value_project.bias, map_out=False)  # (N, L, C)
        if groups == ROWS:
            query, key, value = (t.reshape([0, *size, t.shape[-1]]) for t in (query, key, value))
        elif groups == COLUMNS:
            query, key, value = (_columns(t, *size) for t in (query, key, value))
        context = scaled_dot_product_attention(query, key, value, channels_first=False)
        if groups == COLUMNS:
            context = _columns(context, *size[::-1])
        context = context.reshape([x.shape[0], x.shape[2], -1])
        if isinstance(self.output_project, ConvBNReLU):
            return self.output_project(context, map_in=False)
        return pointwise(context, self.output_project.weight, self.output_project.bias, map_in=False)

    def _attend(self, query, key, value):
        if self._fused and can_fuse(query, key, value):
            return fused_attention(query, key, value)
        return scaled_dot_product_attention(query, key, value)


def _columns(x, rows: int, columns: int):
    """Positions row by row -> (N, columns, rows, C): they column by column, each with its vector of channels."""
    channels = x.shape[-1]
    if x.dtype not in (paddle.float32, paddle.float64):
        return x.reshape([-1, rows, columns, channels]).transpose([0, 2, 1, 3])
    x = F.channel_shuffle(x.reshape([-1, rows * columns, 1, channels]), rows)  # the kernel that moves whole vectors
    return x.reshape([-1, columns, rows, channels])


@paddle.jit.not_to_static
def interlace(x, window: tuple[int, int], long_range, short_range):
    """Long-range, then short-range attention (paper section 3.2, original file isanet.py).

    A map whose height or width is no multiple of the window is padded with zeros, centred. The padded positions take
    part in the softmax and in training's batch statistics: the published weights were trained so.

    Args:
        x: (N, C, H, W), any height and width.
        window: (Ph, Pw).
        long_range, short_range: functions of (map, groups) that keep the map's shape, normally ``SelfAttention``.

    Returns:
        (N, C, H, W).
    """
    grid = WindowGrid(size_of(x), window)
    x = grid.partition(x)  # (N, C, P, Q)
    x = long_range(x, ROWS)
    x = short_range(x, COLUMNS)
    return grid.unpartition(x)
