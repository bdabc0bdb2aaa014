"""From a network and a prepared image to a mask: single scale, flips, several scales, sliding window.

There are three protocols. The first two score the published table (see the README's):

* ``published`` (2021): each scale's image is resized from the previous scale's, softmax is taken of every logit map
  before the sum, argmax at the network's input size, and the mask is then brought to the image's size.
* ``corrected`` (since 2023): each scale's image is resized from the input, logits are summed as they are and brought to
  the image's size, then argmax.

* ``mmseg``: mmsegmentation's, for its checkpoints. Each scale's image is resized from the input, logits go straight to
  the size before the transforms and through softmax, then they are summed, then argmax.

With one scale and no flip the masks of images that were only padded are the same.

A *network* here is any function from (N, 3, h, w), a paddle tensor, to `Scores` or to logits (N, K, h, w) as a tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from paddleisa.errors import UsageError
from paddleisa.inference.forward import run_views
from paddleisa.inference.interpolation import Upsampling, nearest
from paddleisa.inference.lazy_logits import LogitMap, Scores, mask_of
from paddleisa.inference.views import Size, View, views

if TYPE_CHECKING:
    import paddle

    Network = Callable[[paddle.Tensor], Scores | paddle.Tensor]

Protocol = Literal["published", "corrected", "mmseg"]
Geometry = list[tuple[str, tuple[int, int]]]
# Larger images are computed in windows, so that memory does not grow with them: four frames of Cityscapes.
WHOLE_PIXELS = 4 * 1025 * 2049
LARGE_WINDOW, LARGE_STRIDE = (2049, 1025), (1537, 769)  # width, height


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
        cascaded, rounding = self.protocol == "published", 0.0 if self.protocol == "mmseg" else 0.5
        found = views(size, self.scales, self.flips, cascaded=cascaded, rounding=rounding)
        return [replace(view, window=self._window(view.sizes[-1] if view.sizes else size)) for view in found]

    def note(self, size: Size) -> str | None:
        """What a user should know of how an image of ``size`` (height, width) is computed; None if there is nothing."""
        if self.crop_size is not None or all(view.window is None for view in self.views(size)):
            return None
        width, height = LARGE_WINDOW
        return (
            f"{size[1]}x{size[0]} pixels are computed in windows of {width}x{height}, because whole they need more "
            "memory than there may be; --is_slide sets other windows"
        )

    def _window(self, size: Size) -> tuple[Size, Size] | None:
        if self.crop_size is not None:
            return self.crop_size, self.stride
        return (LARGE_WINDOW, LARGE_STRIDE) if size[0] * size[1] > WHOLE_PIXELS else None


@dataclass(frozen=True)
class Passes:
    """What the network gave for one image; enough for the mask of every way that it was asked for.

    Attributes:
        maps: logits of each view, at the view's size.
        size: (height, width) of the prepared image.
        geometry: the transforms' ``trans_info``.
    """

    maps: Mapping[View, LogitMap]
    size: Size
    geometry: Geometry


def run_passes(
    network: Network, image: paddle.Tensor, geometry: Geometry, ways: Sequence[TestSettings], batch_pixels: int = 0
) -> Passes:
    """Run every forward pass that ``ways`` need, each once.

    Args:
        network: see above.
        image: (1, 3, H, W), prepared by the validation transforms.
        geometry: their ``trans_info``.
        ways: of evaluating the image.
        batch_pixels: inputs of one size go through the network together while they hold no more pixels than this.
    """
    size = tuple(image.shape[2:])
    needed = dict.fromkeys(view for way in ways for view in way.views(size))
    return Passes(run_views(network, image, list(needed), batch_pixels), size, geometry)


def mask_from(passes: Passes, settings: TestSettings, align_corners: bool = False) -> np.ndarray:
    """Class ids of one image, evaluated in one of the ways that ``passes`` was made for.

    Args:
        align_corners: the model's, which ``mmseg`` resizes logits with; the other protocols never align corners.

    Returns:
        (h, w) at the size before the transforms; uint8 for up to 256 classes, else int32.
    """
    maps = [passes.maps[view] for view in settings.views(passes.size)]
    softmax = settings.protocol != "corrected" and not settings.is_single
    if settings.protocol == "mmseg":
        maps = [_to_original(each, passes, Upsampling(align_corners)) for each in maps]
        return mask_of(maps, softmax)
    maps = [each.resized(passes.size) for each in maps]
    if settings.protocol == "published":
        return _undo_mask(mask_of(maps, softmax), passes.geometry)
    return mask_of([_undo(each, passes.geometry) for each in maps], softmax)


def predict_masks(
    network: Network,
    image: paddle.Tensor,
    geometry: Geometry,
    ways: Sequence[TestSettings],
    align_corners: bool = False,
    batch_pixels: int = 0,
) -> list[np.ndarray]:
    """The mask of each way of evaluating one image; a forward pass that several ways need runs once."""
    passes = run_passes(network, image, geometry, ways, batch_pixels)
    return [mask_from(passes, way, align_corners) for way in ways]


def predict_mask(
    network: Network, image: paddle.Tensor, geometry: Geometry, settings: TestSettings, align_corners: bool = False
) -> np.ndarray:
    """`predict_masks` in a single way."""
    return predict_masks(network, image, geometry, [settings], align_corners)[0]


def _to_original(logits: LogitMap, passes: Passes, how: Upsampling) -> LogitMap:
    """Logits of a view at the size before the transforms: in one step, where the transforms only resized."""
    geometry = passes.geometry
    if all(kind == "resize" for kind, _ in geometry):
        return logits.resized(geometry[0][1] if geometry else passes.size, how)
    return _undo(logits.resized(passes.size, how), geometry)


def _undo(logits: LogitMap, geometry: Geometry) -> LogitMap:
    """Undo the transforms' geometry, newest first."""
    for kind, size in reversed(geometry):
        logits = logits.cropped(size) if kind == "padding" else logits.resized(size)
    return logits


def _undo_mask(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The same for class ids, by nearest neighbours."""
    for kind, (height, width) in reversed(geometry):
        if kind == "padding":
            mask = mask[:height, :width]
        else:
            mask = mask[nearest(mask.shape[0], height)][:, nearest(mask.shape[1], width)]
    return mask
