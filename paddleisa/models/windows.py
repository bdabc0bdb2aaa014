"""A feature map cut into windows and put together again, in dygraph and in a static graph that does not know its size.

Letters as in ``attention.py``: H x W the map, (Ph, Pw) the window, (Qh, Qw) the number of windows, P = Ph * Pw,
Q = Qh * Qw.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F


@paddle.jit.not_to_static  # plain Python at tracing: nothing here depends on a tensor's value
def size_of(x):
    """[height, width] of an (N, C, H, W) map where both are known, else a vector of the two inside the graph."""
    return [x.shape[2], x.shape[3]] if -1 not in (x.shape[2], x.shape[3]) else paddle.shape(x)[2:4]


def unflatten(x, size):
    """(N, C, HW) -> (N, C, H, W); ``size`` as `size_of` gives it."""
    height = size[0] if isinstance(size, list) else size[0:1]
    return paddle.reshape(x, [0, 0, height, -1])


class WindowGrid:
    """How a map of one size is cut.

    A height or width that is no multiple of the window is padded with zeros, centred, the larger part after.

    Args:
        size: [H, W], or a vector inside a static graph.
        window: (Ph, Pw).
    """

    def __init__(self, size, window: tuple[int, int]):
        self.window, self._size = window, size
        self._known = isinstance(size, list)
        if self._known:
            padding = [-s % w for s, w in zip(size, window, strict=True)]
            self.qh, self.qw = ((s + p) // w for s, p, w in zip(size, padding, window, strict=True))
            self._before = [p // 2 for p in padding]
            self._after = [p - b for p, b in zip(padding, self._before, strict=True)]
        else:
            step = paddle.to_tensor(window, dtype=size.dtype)
            padding = (step - size % step) % step
            counts = (size + padding) // step
            self.qh, self.qw = counts[0:1], counts[1:2]
            self._before, self._after = padding // 2, padding - padding // 2

    def partition(self, x):
        """(N, C, H, W) -> (N, C, P, Q): row p holds the positions at place p of all windows, column q those of one."""
        (ph, pw), channels = self.window, x.shape[1]
        if self._by_unfold(x):
            (top, left), (bottom, right) = self._before, self._after
            x = F.unfold(x, [ph, pw], [ph, pw], [top, left, bottom, right])
            return x.reshape([-1, channels, ph * pw, self.qh * self.qw])
        x = self._pad(x).reshape([-1, channels, self.qh, ph, self.qw, pw])
        return x.transpose([0, 1, 3, 5, 2, 4]).reshape([-1, channels, ph * pw, self.qh * self.qw])

    def unpartition(self, x):
        """(N, C, P, Q) -> (N, C, H, W), the inverse of ``partition``."""
        (ph, pw), channels = self.window, x.shape[1]
        if self._by_unfold(x):
            x = x.reshape([-1, channels * ph * pw, self.qh * self.qw])
            return self._crop(F.fold(x, [self.qh * ph, self.qw * pw], [ph, pw], [ph, pw]))
        x = x.reshape([-1, channels, ph, pw, self.qh, self.qw]).transpose([0, 1, 4, 2, 5, 3])
        return self._crop(x.reshape([-1, channels, self.qh * ph, self.qw * pw]))

    def _by_unfold(self, x) -> bool:
        """On a CPU, unfold and fold move positions five times as fast as the transposition (docs/performance.md)."""
        if not (paddle.in_dynamic_mode() and x.place.is_cpu_place() and x.dtype in (paddle.float32, paddle.float64)):
            return False
        return min(self.qh * self.window[0], self.qw * self.window[1]) > 1  # Paddle 2.6's fold refuses less

    def _pad(self, x):
        if self._known:
            (top, left), (bottom, right) = self._before, self._after
            return _between_zeros(_between_zeros(x, 2, top, bottom), 3, left, right)
        # By the most that any size needs, then cut to what this one needs.
        rows, columns = (side // 2 for side in self.window)
        x = _between_zeros(_between_zeros(x, 2, rows, rows), 3, columns, columns)
        most = paddle.to_tensor([rows, columns], dtype=self._size.dtype)
        return paddle.slice(x, [2, 3], most - self._before, most + self._size + self._after)

    def _crop(self, x):
        if self._known and not self._is_padded():
            return x
        ends = (
            [b + s for b, s in zip(self._before, self._size, strict=True)] if self._known else self._before + self._size
        )
        return paddle.slice(x, [2, 3], self._before, ends)

    def _is_padded(self) -> bool:
        return any((*self._before, *self._after))


def _between_zeros(x, axis: int, *sides: int):
    """``x`` with so many rows (axis 2) or columns (axis 3) of zeros before and after it.

    By concatenation: Pad exports to ONNX with a garbage constant, and under oneDNN writes beyond its memory.
    """
    shape = list(x.shape)
    if -1 in shape:
        inside = paddle.shape(x)
        shape = [inside[i] if size == -1 else size for i, size in enumerate(shape)]
    zeros = [paddle.zeros([*shape[:axis], width, *shape[axis + 1 :]], x.dtype) if width else None for width in sides]
    parts = [part for part in (zeros[0], x, zeros[1]) if part is not None]
    return paddle.concat(parts, axis=axis) if len(parts) > 1 else x
