"""The network that is exported: a copy of the model with batch norm folded, in a static form, one output.

It is the one of ``models/``. Under oneDNN, bilinear interpolation fails to start on Paddle 3.3.1, so a Paddle file
upsamples by two matrix products; ONNX has Resize.
"""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import copy
from collections import Counter, defaultdict
from typing import Any, Literal, get_args

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.nn.layer.norm import _BatchNormBase

from paddleisa.deploy.export.compare import logits_differ
from paddleisa.models.attention import SelfAttention
from paddleisa.models.isanet import ISANet
from paddleisa.models.windows import size_of
from paddleisa.utils.interpolation import Upsampling

OutputOp = Literal["none", "softmax", "argmax"]
OUTPUT_OPS = get_args(OutputOp)
SCORES = "scores"  # what the engines take: no upsampling inside, see logit_map.py
OUTPUT_NAMES = {"none": "logits", "softmax": "probabilities", "argmax": "mask", SCORES: "scores"}


class DeployNetwork(nn.Layer):
    """What an exported file computes.

    Args:
        model: the copy to run; its forward gives a list whose first entry is the logits.
        output_op: ``none``: logits (N, K, H, W); ``softmax``: probabilities of that shape; ``argmax``: class ids
            (N, H, W), int32 as PaddleSeg's exports have them; ``scores``: the logits before they are upsampled.
    """

    def __init__(self, model: nn.Layer, output_op: str = "none"):
        super().__init__()
        self.model, self.output_op = model, output_op

    def forward(self, x):
        """(N, 3, H, W) float32 -> the output that ``output_op`` names."""
        if self.output_op == SCORES:
            return self.model.scores(x)[0]
        logits = self.model(x)[0]
        if self.output_op == "softmax":
            return F.softmax(logits, axis=1)
        if self.output_op == "argmax":
            return paddle.argmax(logits, axis=1, keepdim=False, dtype="int32")
        return logits


def deploy_network(model: nn.Layer, form: Form, output_op: str = "none", example_size: int = 64) -> DeployNetwork:
    """A network to export; ``model`` itself is not changed.

    Where folding batch norm changes the logits, because something beside the norm uses a convolution's output, the
    norms stay.

    Args:
        model: with weights loaded.
        form: the file that it is for.
        output_op: see `DeployNetwork`.
        example_size: height and width of the input that decides what can be folded.
    """
    rng = np.random.default_rng(0)
    example = paddle.to_tensor(rng.uniform(-1, 1, (1, 3, example_size, example_size)).astype(np.float32))
    folded = _copy(model)
    with paddle.no_grad():
        before = folded(example)[0].numpy()
        fold_batch_norm(folded, example)
        after = folded(example)[0].numpy()
    chosen = _copy(model) if logits_differ(before, after) else folded
    use_static_form(chosen, form)
    network = DeployNetwork(chosen, output_op)
    network.eval()
    return network


def _copy(model: nn.Layer) -> nn.Layer:
    result = copy.deepcopy(model)
    result.eval()
    for layer in result.sublayers():
        if isinstance(layer, SelfAttention):
            layer.by_products = False  # a graph has the convolutions, and batch norm is folded into them
    return result


def upsampling_of(model: nn.Layer) -> Upsampling | None:
    """How ``model``'s forward upsamples what its ``scores`` gives; None if it has no such pair.

    A class that overrides forward alone may do something else there.
    """
    classes = type(model).__mro__
    made = {name: next((c for c in classes if name in vars(c)), None) for name in ("forward", SCORES)}
    if None in made.values() or classes.index(made[SCORES]) > classes.index(made["forward"]):
        return None
    return getattr(model, "upsampling", None)


def unpadded_size(model: nn.Layer) -> tuple[int, int]:
    """(height, width) of the smallest image whose features the attention does not pad; 64x64 of an unknown model."""
    backbone, indices = getattr(model, "backbone", None), getattr(model, "backbone_indices", None)
    window = getattr(getattr(model, "head", None), "down_factor", None)
    if backbone is None or indices is None or window is None:
        return 64, 64
    with paddle.no_grad():
        features = backbone(paddle.zeros([1, 3, 64, 64]))[indices[-1]]
    strides = (64 // features.shape[2], 64 // features.shape[3])
    return window[0] * strides[0], window[1] * strides[1]


Form = Literal["paddle", "onnx"]

# The operations that oneDNN computes as Paddle does, on 2.6.2 and 3.3.1: those of an exported ISANet, by Paddle 3's
# names and by Paddle 2's. Not among them: Pad, which writes beyond its memory, bilinear interpolation, and a product
# with a matrix on the left, which is silently wrong. A graph with any other operation is computed without oneDNN.
# fmt: off
ONEDNN_OPERATIONS = frozenset((
    "abs", "add", "arange", "argmax", "assign_value_", "cast", "clip", "combine", "concat", "conv2d", "data",
    "divide", "floor_divide", "full", "full_int_array", "full_with_tensor", "matmul", "minimum",
    "multiply", "parameter", "pool2d", "relu", "remainder", "reshape", "scale", "shape64", "slice", "softmax",
    "stack", "subtract", "transpose", "unsqueeze", "arg_max", "assign_value", "elementwise_add", "elementwise_div",
    "elementwise_floordiv", "elementwise_min", "elementwise_mod", "elementwise_mul", "elementwise_sub",
    "fill_constant", "matmul_v2", "range", "reshape2", "shape", "transpose2", "unsqueeze2",
))
# fmt: on


def use_static_form(model: nn.Layer, form: Form) -> None:
    """Let ``model``, a copy made for a file of ``form``, upsample as that file's runtimes can if it is an ISANet."""
    if form == "paddle" and isinstance(model, ISANet):
        model.interpolate = interpolate_by_products


@paddle.jit.not_to_static  # plain Python at tracing: nothing here depends on a tensor's value
def interpolate_by_products(scores, size, how: Upsampling):
    """Bilinear interpolation as (N, K, h, w) times a matrix for each axis.

    The matrices stand on the right: with a 2-D matrix on the left, Paddle Inference's oneDNN product is wrong.
    """
    small = size_of(scores)
    down = _matrix(small[0], size[0], how)
    across = _matrix(small[1], size[1], how)
    tall = paddle.matmul(paddle.transpose(scores, [0, 1, 3, 2]), down)  # (N, K, w, H)
    return paddle.matmul(paddle.transpose(tall, [0, 1, 3, 2]), across)


def _matrix(small, large, how: Upsampling):
    """Matrix (small, large) of linear interpolation along one axis: `interpolation.matrix` inside a graph."""
    small, large = (
        paddle.to_tensor(float(s), dtype="float32") if isinstance(s, int) else paddle.cast(s, "float32")
        for s in (small, large)
    )
    place = paddle.arange(0, large, 1, dtype="float32")
    if how.align_corners:
        place = place * ((small - 1) / paddle.clip(large - 1, min=1.0))
    elif how.align_mode == 1:
        place = place * (small / large)
    else:
        place = (place + 0.5) * (small / large) - 0.5
    place = paddle.minimum(paddle.clip(place, min=0.0), small - 1)
    distance = paddle.abs(place.unsqueeze(0) - paddle.arange(0, small, 1, dtype="float32").unsqueeze(1))
    return paddle.clip(1 - distance, min=0.0)


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
