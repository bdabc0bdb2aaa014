"""The two layers that ``bench isa`` compares, made of the model's own parts."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import math

from paddle import nn

from paddleisa.models.attention import SelfAttention, interlace


class InterlacedBlock(nn.Layer):
    """ISA as in the head: long-range, then short-range self-attention."""

    def __init__(self, in_channels: int, channels: int, window: tuple[int, int]):
        super().__init__()
        self.window = window
        self.long_range, self.short_range = (SelfAttention(in_channels, channels) for _ in range(2))

    def forward(self, x):
        """(N, in_channels, H, W) -> the same shape."""
        return interlace(x, self.window, self.long_range, self.short_range)


class DenseBlock(nn.Layer):
    """One self-attention over all positions, the paper's baseline."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.relation = SelfAttention(in_channels, channels)

    def forward(self, x):
        """(N, in_channels, H, W) -> the same shape."""
        return self.relation(x)


def build_block(kind: str, in_channels: int, channels: int, window: tuple[int, int]) -> nn.Layer:
    """``isa`` or ``dense``."""
    return InterlacedBlock(in_channels, channels, window) if kind == "isa" else DenseBlock(in_channels, channels)


def parameter_count(layer: nn.Layer) -> int:
    """Numbers that training changes; batch normalisation's statistics are none."""
    return sum(math.prod(p.shape) for p in layer.parameters() if not p.stop_gradient)
