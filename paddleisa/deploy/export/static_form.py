"""What Paddle Inference's oneDNN computes wrongly, and how an exported ISANet goes without it.

The network that is exported is the one of ``models/``. Under oneDNN, bilinear interpolation fails to start on Paddle
3.3.1, so a Paddle file upsamples by two matrix products; ONNX has Resize.
"""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

from typing import Literal

import paddle
from paddle import nn

from paddleisa.models.isanet import ISANet
from paddleisa.models.windows import size_of
from paddleisa.utils.interpolation import Upsampling

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
