"""Floating-point operations of self-attention, by formula.

Counted are the convolutions' and matrix products' multiplications and additions: two FLOPs for each pair. Bias, batch
normalisation, activations and softmax are left out; they are below 1 % here. The backward pass takes twice as many.
"""

from __future__ import annotations


def self_attention_flops(positions: int, group: int, in_channels: int, channels: int) -> int:
    """FLOPs of one ``SelfAttention`` layer.

    Args:
        positions: of the whole batch, N * H * W.
        group: positions that one position attends to, itself included.
        in_channels: of the feature map.
        channels: of query and key.
    """
    query_and_key = 2 * (in_channels * channels + channels * channels)
    value_and_output = 2 * in_channels * in_channels
    return 2 * positions * (query_and_key + value_and_output) + attention_flops(positions, group, in_channels, channels)


def attention_flops(positions: int, group: int, value_channels: int, channels: int) -> int:
    """FLOPs of the two matrix products alone: query times key, and weights times value."""
    return 2 * positions * group * (channels + value_channels)


def dense_flops(size: tuple[int, int], batch: int, in_channels: int, channels: int) -> int:
    """FLOPs of one self-attention over all positions of a (height, width) map."""
    height, width = size
    return self_attention_flops(batch * height * width, height * width, in_channels, channels)


def interlaced_flops(
    size: tuple[int, int], batch: int, in_channels: int, channels: int, window: tuple[int, int]
) -> int:
    """FLOPs of long-range and short-range attention over a (height, width) map, padded to windows (Ph, Pw)."""
    windows = [-(-side // part) for side, part in zip(size, window, strict=True)]
    in_window, in_all = window[0] * window[1], windows[0] * windows[1]
    positions = batch * in_window * in_all
    return sum(self_attention_flops(positions, group, in_channels, channels) for group in (in_all, in_window))
