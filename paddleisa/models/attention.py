"""Interlaced sparse self-attention, the paper's idea (arXiv:1907.12273, section 3).

Letters, as in the paper: N batch, C channels, H x W the feature map, (Ph, Pw) the window (``down_factor``),
(Qh, Qw) the number of windows, H = Qh * Ph and W = Qw * Pw. Dense self-attention relates each of the HW positions with
all of them: HW x HW weights. Here two sparse steps reach every position from every other one:

* long range: positions at the same place of their windows form a group, Ph * Pw groups of Qh * Qw positions;
* short range: the positions of one window form a group, Qh * Qw groups of Ph * Pw positions.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddleisa.models.fused_attention import can_fuse, fused_attend
from paddleisa.models.layers import ConvBNReLU


def attend(query, key, value):
    """Scaled dot-product attention inside each group; every argument is (groups, channels, positions).

    By Paddle's flash kernel on a GPU that has it, in half precision (``fused_attention``; unrun, there was no GPU);
    elsewhere, and always in a static graph, by two products.

    Returns:
        (groups, value channels, positions): at each position the mean of the values, weighted by
        softmax(query . key / sqrt(query channels)).
    """
    if can_fuse(query, key, value):
        return fused_attend(query, key, value)
    # Not scaled_dot_product_attention on CPUs, where it is the same products between copies in another layout: 1.4 to
    # 11 times slower, with 1.7 to 3.6 times the peak memory (benchmarks/attention.py, one thread, 3.3.1 and 2.6.2).
    # Softmax in place saves training nothing beyond the noise. Scaling the similarity instead of the query saves two
    # ISA layers 3 to 6 % of their peak, but float16 could overflow before the scale.
    similarity = paddle.matmul(query * query.shape[1] ** -0.5, key, transpose_x=True)  # (G, L of query, L of key)
    return paddle.matmul(value, F.softmax(similarity, axis=-1), transpose_y=True)


class SelfAttention(nn.Layer):
    """Self-attention of a feature map inside the groups that ``groups`` cuts it into (paper section 3.1).

    The projections are 1x1 convolutions and batch normalisation, so they commute with any permutation of positions.
    They run on the feature map as it lies in memory, and only query, key and value are permuted.
    """

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.key_project = nn.Sequential(ConvBNReLU(in_channels, channels, 1), ConvBNReLU(channels, channels, 1))
        self.query_project = nn.Sequential(ConvBNReLU(in_channels, channels, 1), ConvBNReLU(channels, channels, 1))
        self.value_project = nn.Conv2D(in_channels, in_channels, 1)
        self.output_project = ConvBNReLU(in_channels, in_channels, 1)

    def forward(self, x, groups):
        """(N, in_channels, H, W) -> the same shape; ``groups`` has ``split`` and ``join``."""
        query, key, value = (groups.split(p(x)) for p in (self.query_project, self.key_project, self.value_project))
        return self.output_project(groups.join(attend(query, key, value), x))


class AllPositions:
    """One group of all positions: dense self-attention, the paper's baseline."""

    @staticmethod
    def split(x):
        """(N, C, H, W) -> (N, C, HW)."""
        return x.flatten(2)

    @staticmethod
    def join(x, like):
        """Inverse of ``split``; ``like`` gives height and width."""
        return x.reshape([0, 0, like.shape[2], like.shape[3]])


class _WindowGroups:
    """Groups of positions by windows: a transposition of (N, C, Qh, Ph, Qw, Pw), given by ``order``."""

    order: tuple[int, ...]

    def __init__(self, window: tuple[int, int]):
        self.ph, self.pw = window
        self.inverse = [self.order.index(axis) for axis in range(6)]

    def _counts(self, like):
        return like.shape[2] // self.ph, like.shape[3] // self.pw

    def split(self, x):
        """(N, C, Qh * Ph, Qw * Pw) -> (groups, C, positions of a group)."""
        qh, qw = self._counts(x)
        x = x.reshape([-1, x.shape[1], qh, self.ph, qw, self.pw]).transpose(self.order)
        return x.reshape([-1, x.shape[3], x.shape[4] * x.shape[5]])

    def join(self, x, like):
        """Inverse of ``split``; ``like`` is a map of the height and width that was split."""
        qh, qw = self._counts(like)
        sizes = (-1, x.shape[1], qh, self.ph, qw, self.pw)
        x = x.reshape([sizes[axis] for axis in self.order]).transpose(self.inverse)
        return x.reshape([-1, x.shape[1], qh * self.ph, qw * self.pw])


class LongRange(_WindowGroups):
    """Ph * Pw groups: the positions that lie at the same place of their windows, one window apart."""

    order = (0, 3, 5, 1, 2, 4)  # (N, Ph, Pw, C, Qh, Qw)


class ShortRange(_WindowGroups):
    """Qh * Qw groups: the positions of one window."""

    order = (0, 2, 4, 1, 3, 5)  # (N, Qh, Qw, C, Ph, Pw)


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
    height, width = x.shape[2], x.shape[3]
    ph, pw = window
    top, bottom = _centred_padding(height, ph)
    left, right = _centred_padding(width, pw)
    # Pad by the most that any size needs, then cut to what this one needs. In a static graph the sizes are tensors:
    # Pad takes none on Paddle 3, and exports to ONNX with a garbage constant, whereas slicing by tensors is exact.
    x = F.pad(x, [0, 0, 0, 0, ph // 2, ph // 2, pw // 2, pw // 2])
    x = x[:, :, ph // 2 - top : ph // 2 + height + bottom, pw // 2 - left : pw // 2 + width + right]
    x = long_range(x, LongRange(window))
    x = short_range(x, ShortRange(window))
    return x[:, :, top : top + height, left : left + width]


def _centred_padding(size, window: int):
    """(before, after) that make ``size`` a multiple of ``window``, the larger part after. Tensors in a static graph."""
    padding = (window - size % window) % window
    return padding // 2, padding - padding // 2
