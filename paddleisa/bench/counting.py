"""FLOPs and parameters of a config's network, without computing it: its layers are laid out as a static graph."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import paddle
from paddle import nn, static

from paddleisa.bench.blocks import parameter_count
from paddleisa.bench.flops import attention_flops
from paddleisa.build import build_model
from paddleisa.config import Config, load_config
from paddleisa.models.attention import ROWS, SelfAttention


def count_network(config: str, opts: list[str], plugins: list[str], size: tuple[int, int]) -> dict[str, object]:
    """Measurement for a child: ``parameters`` and ``flops`` of one image of ``size`` (height, width), in evaluation."""
    return network_cost(load_config(config, opts=opts, plugins=plugins), (size[0], size[1]))


def network_cost(config: Config, size: tuple[int, int]) -> dict[str, object]:
    """As `count_network`. Paddle is in static mode meanwhile.

    Counted are convolutions, linear layers and self-attention, see ``flops.py``; matrix products of a plugin's own
    layers are not.
    """
    paddle.enable_static()
    try:
        with static.program_guard(static.Program(), static.Program()):
            model = build_model(config)
            model.eval()
            found: list[int] = []
            for layer in model.sublayers(include_self=True):
                _listen(layer, found)
            model(static.data("image", [1, 3, *size], "float32"))
            return {"parameters": parameter_count(model), "flops": sum(found)}
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
