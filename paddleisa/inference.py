"""From a network and a prepared image to a mask: single scale, flips, several scales, sliding window.

There are three protocols. The first two score the published table (see the README's):

* ``published`` (2021): each scale's image is resized from the previous scale's, softmax is taken of every logit map
  before the sum, argmax at the network's input size, and the mask is then brought to the image's size.
* ``corrected`` (since 2023): each scale's image is resized from the input, logits are summed as they are and brought to
  the image's size, then argmax.

* ``mmseg``: mmsegmentation's, for its checkpoints. Each scale's image is resized from the input, logits go straight to
  the size before the transforms and through softmax, then they are summed, then argmax.

With one scale and no flip the masks of images that were only padded are the same.

A *network* here is any function from (1, 3, h, w) to logits (1, K, h, w), both paddle tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from paddleisa.errors import UsageError
from paddleisa.views import Size, View, next_view, views

if TYPE_CHECKING:
    import paddle

    Network = Callable[[paddle.Tensor], paddle.Tensor]

Protocol = Literal["published", "corrected", "mmseg"]
Geometry = list[tuple[str, tuple[int, int]]]


@dataclass(frozen=True)
class TestSettings:
    """How one image is evaluated.

    Args:
        scales: factors on the prepared image's height and width.
        flip_horizontal, flip_vertical: add the mirrored image; with both, all four combinations.
        crop_size, stride: (width, height) of the sliding window and of its steps; None for whole images.
        protocol: ``published`` (2021), ``corrected`` (2023) or ``mmseg``, see above.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    scales: tuple[float, ...] = (1.0,)
    flip_horizontal: bool = False
    flip_vertical: bool = False
    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    protocol: Protocol = "corrected"

    def __post_init__(self):
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise UsageError(
                f"scales {list(self.scales)} must be positive", where="--scales", fix="Write 0.75 1.0 1.25"
            )
        if self.protocol not in ("published", "corrected", "mmseg"):
            raise UsageError(
                f"there is no protocol {self.protocol!r}",
                where="--protocol",
                fix="Choose published (2021), corrected (2023) or mmseg (for its checkpoints)",
            )
        if (self.crop_size is None) != (self.stride is None):
            raise UsageError(
                "a sliding window needs both its size and its stride",
                where="--is_slide",
                fix="Give --crop_size W H and --stride W H",
            )
        if self.crop_size and not all(0 < s <= c for s, c in zip(self.stride, self.crop_size, strict=True)):
            raise UsageError(
                f"stride {list(self.stride)} must be positive and at most crop_size {list(self.crop_size)}, "
                "or pixels are left out",
                where="--stride",
            )

    @property
    def flips(self) -> list[tuple[int, ...]]:
        """Axes to mirror, one entry for each forward pass of a scale."""
        flips = [()]
        if self.flip_horizontal:
            flips.append((3,))
        if self.flip_vertical:
            flips.append((2,))
        if self.flip_horizontal and self.flip_vertical:
            flips.append((2, 3))
        return flips

    @property
    def is_single(self) -> bool:
        """One forward pass at the prepared image's own size (or one sweep of the sliding window)."""
        return self.scales == (1.0,) and len(self.flips) == 1

    def views(self, size: Size) -> list[View]:
        """The network's inputs for a prepared image of ``size`` (height, width), in order."""
        window = None if self.crop_size is None else (self.crop_size, self.stride)
        cascaded, rounding = self.protocol == "published", 0.0 if self.protocol == "mmseg" else 0.5
        return views(size, self.scales, self.flips, cascaded=cascaded, rounding=rounding, window=window)


def predict_mask(
    network: Network, image: paddle.Tensor, geometry: Geometry, settings: TestSettings, align_corners: bool = False
) -> np.ndarray:
    """Class ids of one image.

    Args:
        network: function from (1, 3, h, w) to logits (1, K, h, w).
        image: (1, 3, H, W), prepared by the validation transforms.
        geometry: their ``trans_info``, undone here.
        settings: scales, flips, sliding window, protocol.
        align_corners: the model's, which ``mmseg`` resizes logits with; the other protocols never align corners.

    Returns:
        (h, w) at the size before the transforms; uint8 for up to 256 classes, else int32.
    """
    import paddle

    if settings.is_single and settings.crop_size and all(kind == "padding" for kind, _ in geometry):
        with paddle.no_grad():
            return _slide_to_mask(network, image, geometry, settings)
    return predict_masks(network, image, geometry, [settings], align_corners)[0]


def predict_masks(
    network: Network,
    image: paddle.Tensor,
    geometry: Geometry,
    ways: Sequence[TestSettings],
    align_corners: bool = False,
) -> list[np.ndarray]:
    """The mask of each way of evaluating one image; a forward pass that several ways need runs once.

    Each mask is the one that ``predict_mask`` gives for that way alone, bit for bit: the same terms are added in the
    same order. Memory holds one sum of logits for each way that has begun and not ended.
    """
    import paddle

    size = tuple(image.shape[2:])
    waiting = [way.views(size) for way in ways]
    sums, masks = [_Sum() for _ in ways], [None] * len(ways)
    scaled = {(): image}
    with paddle.no_grad():
        while any(waiting):
            view = next_view(waiting)
            logits = _logits(network, scaled, view)
            full = None  # the same at the prepared image's size
            for number, (way, rest) in enumerate(zip(ways, waiting, strict=True)):
                if not rest or rest[0] != view:
                    continue
                if way.protocol == "mmseg":
                    sums[number].add(_to_original(logits, size, geometry, align_corners), way)
                else:
                    full = _resize(logits, size) if full is None else full
                    sums[number].add(full, way)
                del rest[0]
                if not rest:
                    masks[number] = _mask_of(sums[number].total, geometry, way)
                    sums[number] = None
    return masks


class _Sum:
    """Sum over the views of one way: of logits under ``corrected``, else of softmax."""

    def __init__(self):
        self.total, self._own = None, False

    def add(self, logits: paddle.Tensor, settings: TestSettings) -> None:
        import paddle.nn.functional as F

        softmax = settings.protocol != "corrected" and not settings.is_single
        term = F.softmax(logits, axis=1) if softmax else logits
        if self.total is None:
            self.total, self._own = term, softmax
        elif self._own:
            self.total.add_(term)
        else:  # the first logits may be another way's too
            self.total, self._own = self.total + term, True


def _logits(network: Network, scaled: dict, view: View) -> paddle.Tensor:
    """Logits of one view, mirrored back, at the view's size. ``scaled`` keeps images by ``View.sizes``."""
    for count, target in enumerate(view.sizes, 1):
        if view.sizes[:count] not in scaled:
            scaled[view.sizes[:count]] = _resize(scaled[view.sizes[: count - 1]], target)
    x = _flip(scaled[view.sizes], view.axes)
    return _flip(_run(network, x, view.window), view.axes)


def _to_original(logits: paddle.Tensor, size: Size, geometry: Geometry, align_corners: bool) -> paddle.Tensor:
    """Logits of a view at the size before the transforms: in one step, where the transforms only resized."""
    if all(kind == "resize" for kind, _ in geometry):
        return _resize(logits, geometry[0][1] if geometry else size, align_corners=align_corners)
    return _undo_tensor(_resize(logits, size, align_corners=align_corners), geometry, "bilinear")


def _mask_of(total: paddle.Tensor, geometry: Geometry, settings: TestSettings) -> np.ndarray:
    if settings.protocol == "mmseg":
        return _to_numpy_mask(_argmax(total), total.shape[1])
    if settings.protocol == "published":
        return _undo(_argmax(total), geometry, "nearest")
    return _to_numpy_mask(_argmax(_undo_tensor(total, geometry, "bilinear")), total.shape[1])


def _run(network: Network, image: paddle.Tensor, window: tuple[Size, Size] | None) -> paddle.Tensor:
    if window is None:
        return network(image)
    import paddle

    return paddle.concat([band for _, band in _slide(network, image, *window)], axis=2)


def _slide(
    network: Network, image: paddle.Tensor, crop_size: tuple[int, int], stride: tuple[int, int]
) -> Iterator[tuple[int, paddle.Tensor]]:
    """Mean logits of overlapping windows, as bands (top row, (1, K, rows, W)) from top to bottom.

    A band leaves as soon as no later window reaches it, so memory holds one row of windows, however high the image.
    """
    import paddle

    height, width = image.shape[2:]
    lefts = _starts(width, crop_size[0], stride[0])
    tops = _starts(height, crop_size[1], stride[1])
    total, count = None, None
    for top, next_top in zip(tops, [*tops[1:], height], strict=True):
        bottom = min(top + crop_size[1], height)
        if total is not None and total.shape[2] < bottom - top:
            grown = bottom - top - total.shape[2]
            total = paddle.concat([total, paddle.zeros([1, total.shape[1], grown, width], total.dtype)], axis=2)
            count = paddle.concat([count, paddle.zeros([1, 1, grown, width], count.dtype)], axis=2)
        for left in lefts:
            right = min(left + crop_size[0], width)
            logits = network(image[:, :, top:bottom, left:right])
            if total is None:
                total = paddle.zeros([1, logits.shape[1], bottom - top, width], logits.dtype)
                count = paddle.zeros([1, 1, bottom - top, width], logits.dtype)
            total[:, :, :, left:right] += logits
            count[:, :, :, left:right] += 1
        done = next_top - top
        yield top, total[:, :, :done] / count[:, :, :done]
        total, count = total[:, :, done:], count[:, :, done:]


def _starts(size: int, crop: int, stride: int) -> list[int]:
    """First pixel of each window along one axis; the last window ends at the image's edge."""
    if size <= crop:
        return [0]
    return [min(i * stride, size - crop) for i in range(-(-(size - crop) // stride) + 1)]


def _slide_to_mask(network: Network, image: paddle.Tensor, geometry: Geometry, settings: TestSettings) -> np.ndarray:
    bands, classes = [], 0
    for _, band in _slide(network, image, settings.crop_size, settings.stride):
        classes = band.shape[1]
        bands.append(_to_numpy_mask(_argmax(band), classes))
    return _undo_crop(np.concatenate(bands), geometry)


def _undo_crop(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    for _, (height, width) in reversed(geometry):
        mask = mask[:height, :width]
    return mask


def _undo_tensor(x: paddle.Tensor, geometry: Geometry, mode: str) -> paddle.Tensor:
    """Undo the transforms' geometry, newest first."""
    for kind, (height, width) in reversed(geometry):
        x = x[:, :, :height, :width] if kind == "padding" else _resize(x, (height, width), mode)
    return x


def _undo(mask: paddle.Tensor, geometry: Geometry, mode: str) -> np.ndarray:
    """The same for a mask (1, 1, H, W) of class ids."""
    return _to_numpy_mask(_undo_tensor(mask.astype("float32"), geometry, mode), 256 if mask.max().item() < 256 else 0)


def _argmax(logits: paddle.Tensor) -> paddle.Tensor:
    return logits.argmax(axis=1, keepdim=True, dtype="int32")


def _to_numpy_mask(mask: paddle.Tensor, classes: int) -> np.ndarray:
    return mask.numpy()[0, 0].astype(np.uint8 if 0 < classes <= 256 else np.int32)


def _resize(x: paddle.Tensor, size: Size, mode: str = "bilinear", align_corners: bool = False) -> paddle.Tensor:
    import paddle.nn.functional as F

    return x if tuple(x.shape[2:]) == tuple(size) else F.interpolate(x, size, mode=mode, align_corners=align_corners)


def _flip(x: paddle.Tensor, axes: tuple[int, ...]) -> paddle.Tensor:
    return x.flip(list(axes)) if axes else x
