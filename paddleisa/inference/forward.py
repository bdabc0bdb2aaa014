"""Forward passes of one image: views and windows of equal size go through the network together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.errors import DataError
from paddleisa.inference.lazy_logits import LazyLogits, LowResLogits, SeparableTerm, upsampled
from paddleisa.inference.views import Size, View

if TYPE_CHECKING:
    import paddle


@dataclass(frozen=True)
class _Job:
    """One input: the part of ``view`` at ``corner`` (top, left)."""

    view: View
    corner: tuple[int, int]
    image: paddle.Tensor  # (1, 3, h, w)


def run_views(
    network: Callable, image: paddle.Tensor, views: Sequence[View], batch_pixels: int = 0
) -> dict[View, LazyLogits]:
    """Logits of each view, mirrored back, at the view's size.

    Args:
        network: function from (N, 3, h, w) to `LowResLogits`, or to logits (N, K, h, w) as a tensor.
        image: (1, 3, H, W); an array where no view has another scale and the network takes arrays.
        views: without repetitions.
        batch_pixels: inputs of one size go through together while they hold no more pixels than this; 0: one by one.

    Raises:
        DataError: the network's scores are not finite.
    """
    no_grad: Callable = nullcontext
    concat: Callable = np.concatenate
    if not isinstance(image, np.ndarray):
        import paddle

        no_grad, concat = paddle.no_grad, paddle.concat
    found: dict[View, list[tuple[tuple[int, int], Size, LowResLogits]]] = {view: [] for view in views}
    with no_grad():
        for jobs in _batches(_jobs(image, views), batch_pixels):
            inputs = [job.image for job in jobs]
            scores = _scores(network(inputs[0] if len(jobs) == 1 else concat(inputs)))
            for job, values in zip(jobs, scores.values, strict=True):
                found[job.view].append(
                    (job.corner, tuple(job.image.shape[2:]), LowResLogits(values, scores.upsampling))
                )
    return {view: _assembled(view, parts) for view, parts in found.items()}


def _jobs(image: paddle.Tensor, views: Sequence[View]) -> Iterator[_Job]:
    """Views that differ only in how they are mirrored follow each other."""
    scaled: dict[tuple[bool, tuple[Size, ...]], paddle.Tensor] = {(False, ()): image, (True, ()): image}
    order = {(view.align_corners, view.sizes): number for number, view in reversed(list(enumerate(views)))}
    for view in sorted(views, key=lambda view: order[view.align_corners, view.sizes]):
        aligned = view.align_corners
        for count, size in enumerate(view.sizes, 1):
            if (aligned, view.sizes[:count]) not in scaled:
                before = scaled[aligned, view.sizes[: count - 1]]
                scaled[aligned, view.sizes[:count]] = _resized(before, size, aligned)
        x = scaled[aligned, view.sizes]
        if view.axes:
            x = np.flip(x, view.axes) if isinstance(x, np.ndarray) else x.flip(list(view.axes))
        if view.window is None:
            yield _Job(view, (0, 0), x)
            continue
        (width, height), (step_x, step_y) = view.window
        for top in _starts(x.shape[2], height, step_y):
            for left in _starts(x.shape[3], width, step_x):
                yield _Job(view, (top, left), x[:, :, top : top + height, left : left + width])


def _batches(jobs: Iterator[_Job], batch_pixels: int) -> Iterator[list[_Job]]:
    batch: list[_Job] = []
    for job in jobs:
        size = job.image.shape[2:]
        if batch and (size != batch[0].image.shape[2:] or (len(batch) + 1) * size[0] * size[1] > batch_pixels):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _scores(output: LowResLogits | paddle.Tensor) -> LowResLogits:
    scores = output if isinstance(output, LowResLogits) else LowResLogits(output.astype("float32").numpy())
    if not np.isfinite(scores.values).all():
        raise DataError(
            "the network gives numbers that are not finite, so there is no mask",
            where="logits",
            fix="Check the weights with `paddleisa zoo verify`, and take --precision fp32",
        )
    return scores


def _assembled(view: View, parts: Sequence[tuple[tuple[int, int], Size, LowResLogits]]) -> LazyLogits:
    """One view's map from its windows, of whose logits the mean is taken where they overlap."""
    if view.window is None:
        ((_, size, scores),) = parts
        return LazyLogits.of(scores.values, size, scores.upsampling).mirrored(view.axes)
    height, width = (max(corner[axis] + size[axis] for corner, size, _ in parts) for axis in (0, 1))
    rows = _placed({corner[0]: (size[0], scores.values.shape[1]) for corner, size, scores in parts}, height, parts)
    columns = _placed({corner[1]: (size[1], scores.values.shape[2]) for corner, size, scores in parts}, width, parts)
    terms = [SeparableTerm(scores.values, rows[top], columns[left]) for (top, left), _, scores in parts]
    return LazyLogits(tuple(terms)).mirrored(view.axes)


def _placed(windows: dict[int, tuple[int, int]], length: int, parts: Sequence) -> dict:
    """An axis for each start of a window: its scores upsampled, divided by how many windows overlap at a position."""
    count = np.zeros(length, np.float32)
    for start, (reach, _) in windows.items():
        count[start : start + reach] += 1
    how = parts[0][2].upsampling
    return {
        start: upsampled(small, reach, how).placed_in(start, length, 1 / count[start : start + reach])
        for start, (reach, small) in windows.items()
    }


def _starts(size: int, window: int, stride: int) -> list[int]:
    """First pixel of each window along one axis; the last window ends at the image's edge."""
    if size <= window:
        return [0]
    return [min(i * stride, size - window) for i in range(-(-(size - window) // stride) + 1)]


def _resized(image: paddle.Tensor, size: Size, align_corners: bool) -> paddle.Tensor:
    import paddle.nn.functional as F

    return F.interpolate(image, size, mode="bilinear", align_corners=align_corners)
