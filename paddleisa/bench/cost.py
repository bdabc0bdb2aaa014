"""What attention and networks cost by count: FLOPs and parameters, and the layers and heads of ``bench isa``.

Counted are the convolutions' and matrix products' multiplications and additions: two FLOPs for each pair. Bias, batch
normalisation, activations and softmax are left out; they are below 1 % here. The backward pass takes twice as many.
"""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import paddle
from paddle import nn, static

from paddleisa.build import build_model
from paddleisa.config import Config, load_config
from paddleisa.models.attention import ROWS, SelfAttention, interlace
from paddleisa.registry import HEADS

PUBLISHED = {
    "isa": "isanet_deepbase_resnet101_dilated8_cityscapes",
    "dense": "base_ocnet_deepbase_resnet101_dilated8_cityscapes",
}  # the authors' two networks, which differ in their heads
PUBLISHED_CHANNELS = 2048  # of the map that their heads get


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


class PublishedHead(nn.Layer):
    """The head of the authors' ISANet (``isa``) or Base-OC (``dense``), without its auxiliary classifier."""

    def __init__(self, kind: str):
        super().__init__()
        config = load_config(PUBLISHED[kind])["model"]
        options = {**config["head"], "enable_auxiliary_loss": False}
        head = HEADS.get(options.pop("type"))
        self.head = head(num_classes=config["num_classes"], in_channels=(PUBLISHED_CHANNELS,), **options)

    def forward(self, x):
        """(N, 2048, H, W) -> scores (N, 19, H, W)."""
        return self.head([x])[0]


def head_cost(kind: str, size: tuple[int, int], batch: int) -> int:
    """FLOPs of a published head on a (height, width) map, without computing it."""
    return _cost(lambda: PublishedHead(kind), [batch, PUBLISHED_CHANNELS, *size])[1]


def parameter_count(layer: nn.Layer) -> int:
    """Numbers that training changes; batch normalisation's statistics are none."""
    return sum(math.prod(p.shape) for p in layer.parameters() if not p.stop_gradient)


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


def network_cost(config: Config, size: tuple[int, int]) -> dict[str, object]:
    """``parameters`` and ``flops`` of one image of ``size`` (height, width), in evaluation, without computing it.

    The layers are laid out as a static graph: Paddle is in static mode meanwhile. Counted are convolutions, linear
    layers and self-attention; matrix products of a plugin's own layers are not.
    """
    parameters, flops = _cost(lambda: build_model(config), [1, 3, *size])
    return {"parameters": parameters, "flops": flops}


def _cost(build: Callable[[], nn.Layer], shape: list[int]) -> tuple[int, int]:
    """(parameters, FLOPs) of a layer on an input of ``shape``, laid out as a static graph."""
    paddle.enable_static()
    try:
        with static.program_guard(static.Program(), static.Program()):
            model = build()
            model.eval()
            found: list[int] = []
            for layer in model.sublayers(include_self=True):
                _listen(layer, found)
            model(static.data("image", shape, "float32"))
            return parameter_count(model), sum(found)
    finally:
        paddle.disable_static()


def _listen(layer: nn.Layer, found: list[int]) -> None:
    """Add to ``found`` what each call of ``layer`` costs."""
    for kind, cost in _COSTS.items():
        if isinstance(layer, kind):
            layer.register_forward_post_hook(partial(_count, cost, found))  # type: ignore[arg-type]


def _count(cost: Callable[..., int], found: list[int], layer: Any, inputs: Any, output: Any) -> None:
    found.append(cost(layer, inputs, output))


def _convolution(layer: nn.Conv2D, inputs: tuple, output: paddle.Tensor) -> int:
    return 2 * math.prod(output.shape) * math.prod(layer.weight.shape[1:])  # weight: (out, in / groups, kh, kw)


def _linear(layer: nn.Linear, inputs: tuple, output: paddle.Tensor) -> int:
    return 2 * math.prod(output.shape) * layer.weight.shape[0]


def _attention(layer: SelfAttention, inputs: tuple, output: object) -> int:
    """The two products; the projections are convolutions and speak for themselves."""
    x, groups = inputs if len(inputs) == 2 else (*inputs, None)
    batch, _, height, width = x.shape
    group = height * width if groups is None else width if groups == ROWS else height
    value_channels, query_channels = layer.value_project.weight.shape[0], layer.query_project[0]._conv.weight.shape[0]
    return attention_flops(batch * height * width, group, value_channels, query_channels)


_COSTS: dict[type, Callable[..., int]] = {nn.Conv2D: _convolution, nn.Linear: _linear, SelfAttention: _attention}
