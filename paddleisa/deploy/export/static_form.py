"""ISANet written for a static graph: the same numbers as ``models/``, with sizes that are vectors inside the graph.

``models/attention.py`` computes with heights and widths as Python numbers. Traced with unknown sizes, each of them
becomes a scalar tensor with its own chain of casts and reshapes: tracing takes 15 s instead of 2, and OpenVINO refuses
what Paddle 3 makes of it. Here the sizes are one vector (height, width), and a known size leaves no trace.

There are two forms, because no way of padding and upsampling is right everywhere:

* ``onnx``: Pad and Resize, which every ONNX runtime has.
* ``paddle``: zeros by concatenation, upsampling by two matrix products. Under oneDNN, Paddle Inference's Pad writes
  beyond its memory (2.6.2 and 3.3.1) and its bilinear interpolation fails to start (3.3.1).
"""

from __future__ import annotations

from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddleisa.inference.interpolation import Upsampling
from paddleisa.models.attention import SelfAttention, attend
from paddleisa.models.isanet import ISAHead, ISANet

Form = Literal["paddle", "onnx"]
LONG_RANGE, SHORT_RANGE = (0, 3, 5, 1, 2, 4), (0, 2, 4, 1, 3, 5)  # of (N, C, Qh, Ph, Qw, Pw), as in models/attention.py


def use_static_form(model: nn.Layer, form: Form) -> None:
    """Give ``model``, a copy made for deployment, the static form if it is an ISANet; others keep their own forward."""
    if type(model) is ISANet and type(model.head) is ISAHead:
        model.__class__, model.head.__class__ = StaticISANet, StaticISAHead
        model.form = model.head.form = form


class StaticISANet(ISANet):
    """``ISANet`` in evaluation."""

    form: Form

    @paddle.jit.not_to_static  # plain Python at tracing: nothing here depends on a tensor's value
    def forward(self, x):
        """(N, 3, H, W) -> [logits (N, num_classes, H, W)]."""
        (scores,) = self.scores(x)
        if self.form == "paddle":
            return [_upsampled_by_products(scores, _size(x), self.upsampling)]
        return [F.interpolate(scores, _size(x), mode="bilinear", **vars(self.upsampling))]

    @paddle.jit.not_to_static
    def scores(self, x):
        """(N, 3, H, W) -> [scores (N, num_classes, h, w)]."""
        features = self.backbone(x)
        return [self.head([features[i] for i in self.backbone_indices])]


class StaticISAHead(ISAHead):
    """``ISAHead`` in evaluation."""

    form: Form

    @paddle.jit.not_to_static
    def forward(self, features):
        """Two feature maps (N, C, H, W) -> scores (N, classes, H, W)."""
        x = self.in_conv(features[1])
        windows = _Windows(x, self.down_factor)
        context = windows.pad(x, self.form)
        context = _related(self.global_relation, context, windows, LONG_RANGE)
        context = _related(self.local_relation, context, windows, SHORT_RANGE)
        x = self.out_conv(paddle.concat([windows.crop(context), x], axis=1))
        return self.cls(x)


class _Windows:
    """A map's centred padding and its number of windows (Qh, Qw), as numbers or, of unknown sizes, as tensors."""

    def __init__(self, x, window: tuple[int, int]):
        self.window = window
        size = _size(x)
        if isinstance(size, list):
            padding = [(w - s % w) % w for s, w in zip(size, window, strict=True)]
            self.qh, self.qw = ((s + p) // w for s, p, w in zip(size, padding, window, strict=True))
            self._before = [p // 2 for p in padding]
            self._after = [b + s for b, s in zip(self._before, size, strict=True)]
            self._start = [w // 2 - b for w, b in zip(window, self._before, strict=True)]
            self._end = [a + s + p for a, s, p in zip(self._start, size, padding, strict=True)]
        else:
            window = paddle.to_tensor(window, dtype=size.dtype)
            padding = (window - size % window) % window
            counts = (size + padding) // window
            self.qh, self.qw = counts[0:1], counts[1:2]
            self._before = padding // 2
            self._after = self._before + size
            self._start = window // 2 - self._before
            self._end = self._start + size + padding

    def pad(self, x, form: Form):
        """By the most that any size needs, then cut to what this one needs: see ``models.attention.interlace``."""
        rows, columns = (side // 2 for side in self.window)
        if form == "onnx":
            x = F.pad(x, [0, 0, 0, 0, rows, rows, columns, columns])
        else:
            n, c, h, w = _shape(x)
            above, left = paddle.zeros([n, c, rows, w]), paddle.zeros([n, c, h + 2 * rows, columns])
            x = paddle.concat([above, x, above], axis=2) if rows else x
            x = paddle.concat([left, x, left], axis=3) if columns else x
        return paddle.slice(x, [2, 3], self._start, self._end)

    def crop(self, x):
        """Inverse of ``pad``."""
        return paddle.slice(x, [2, 3], self._before, self._after)


def _related(layer: SelfAttention, x, windows: _Windows, order: tuple[int, ...]):
    """``SelfAttention.forward`` over the groups that ``order`` makes of (N, C, Qh, Ph, Qw, Pw)."""
    (ph, pw), qh, qw = windows.window, windows.qh, windows.qw
    positions = qh * qw if order == LONG_RANGE else ph * pw
    grouped = []
    for project in (layer.query_project, layer.key_project, layer.value_project):
        y = project(x)
        channels = y.shape[1]
        y = paddle.transpose(paddle.reshape(y, [-1, channels, qh, ph, qw, pw]), order)
        grouped.append(paddle.reshape(y, [-1, channels, positions]))
    sizes = [-1, channels, qh, ph, qw, pw]
    y = paddle.reshape(attend(*grouped), [sizes[axis] for axis in order])
    y = paddle.transpose(y, [order.index(axis) for axis in range(6)])
    return layer.output_project(paddle.reshape(y, [-1, channels, qh * ph, qw * pw]))


def _upsampled_by_products(scores, size, how: Upsampling):
    """Bilinear interpolation as (N, K, h, w) times a matrix for each axis.

    The matrices stand on the right: with a 2-D matrix on the left, Paddle Inference's oneDNN product is wrong.
    """
    small = _size(scores)
    down = _interpolation(small[0], size[0], how)
    across = _interpolation(small[1], size[1], how)
    tall = paddle.matmul(paddle.transpose(scores, [0, 1, 3, 2]), down)  # (N, K, w, H)
    return paddle.matmul(paddle.transpose(tall, [0, 1, 3, 2]), across)


def _interpolation(small, large, how: Upsampling):
    """Matrix (small, large) of linear interpolation along one axis: `upsampling.matrix` inside a graph."""
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


def _size(x):
    """[height, width] where both are known, else a vector inside the graph."""
    return [x.shape[2], x.shape[3]] if -1 not in (x.shape[2], x.shape[3]) else paddle.shape(x)[2:4]


def _shape(x) -> list:
    """The four sizes: numbers where they are known, else scalars inside the graph."""
    known = list(x.shape)
    if -1 not in known:
        return known
    inside = paddle.shape(x)
    return [inside[axis] if size == -1 else size for axis, size in enumerate(known)]
