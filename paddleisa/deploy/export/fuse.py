"""Batch normalisation folded into the convolution before it: fewer operations, the same numbers up to rounding."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.nn.layer.norm import _BatchNormBase


def fold_batch_norm(model: nn.Layer, example: paddle.Tensor) -> int:
    """Fold every batch norm whose input is always the output of the same convolution, in place.

    Which convolution feeds which norm is seen in one forward pass, so it does not matter how the layers are named or
    nested. What cannot be seen is a convolution's output that something else uses too: compare the model's output
    with the original's afterwards.

    Args:
        model: in evaluation mode; its batch norms become ``Identity``, its convolutions get a bias.
        example: an input of the model.

    Returns:
        The number of norms folded.
    """
    pairs = _pairs(model, example)
    for conv, norm in pairs:
        _fold(conv, norm)
    norms = {id(norm) for _, norm in pairs}
    for parent in model.sublayers(include_self=True):
        for name, child in list(parent.named_children()):
            if id(child) in norms:
                parent.add_sublayer(name, nn.Identity())
    return len(pairs)


def _pairs(model: nn.Layer, example: paddle.Tensor) -> list[tuple[nn.Conv2D, nn.Layer]]:
    """The convolutions and norms that meet in every one of their calls."""
    made: list[tuple[object, nn.Layer]] = []  # outputs are kept, so that no id is given twice
    sources, takers = defaultdict(list), defaultdict(list)  # of a norm: convolutions; of a convolution: norms
    calls: Counter[int] = Counter()
    layers: dict[int, Any] = {id(layer): layer for layer in model.sublayers(include_self=True)}

    def after_conv(conv, inputs, output):
        made.append((output, conv))
        calls[id(conv)] += 1

    def before_norm(norm, inputs):
        source = next((id(conv) for output, conv in made if output is inputs[0]), None)
        sources[id(norm)].append(source)
        takers[source].append(id(norm))

    hooks = []
    for layer in model.sublayers(include_self=True):
        if type(layer) is nn.Conv2D:
            hooks.append(layer.register_forward_post_hook(after_conv))
        elif isinstance(layer, _BatchNormBase):
            hooks.append(layer.register_forward_pre_hook(before_norm))
    try:
        with paddle.no_grad():
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return [
        (layers[found[0]], layers[norm])
        for norm, found in sources.items()
        if found[0] is not None and set(found) == {found[0]} and takers[found[0]] == [norm] * calls[found[0]]
    ]


def _fold(conv: nn.Conv2D, norm: nn.Layer) -> None:
    """scale * (w x + b - mean) + shift as a convolution, in float64."""
    mean, variance = (t.numpy().astype(np.float64) for t in (norm._mean, norm._variance))
    scale = 1 / np.sqrt(variance + norm._epsilon)
    scale = scale if norm.weight is None else scale * norm.weight.numpy()
    shift = 0.0 if norm.bias is None else norm.bias.numpy().astype(np.float64)
    bias = 0.0 if conv.bias is None else conv.bias.numpy().astype(np.float64)
    weight = conv.weight.numpy()
    conv.weight.set_value((weight * scale[:, None, None, None]).astype(weight.dtype))
    if conv.bias is None:
        conv.bias = conv.create_parameter([len(scale)], is_bias=True)
    conv.bias.set_value(((bias - mean) * scale + shift).astype(weight.dtype))
