"""From a network and a prepared image to a mask: views, forward passes, and the protocol's way to classes.

A *network* here is any function from (N, 3, h, w), a paddle tensor, to `LowResLogits` or to logits (N, K, h, w) as a
tensor. What each protocol does stands in :mod:`paddleisa.inference.protocols`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.inference.forward import run_views
from paddleisa.inference.lazy_logits import LazyLogits, LowResLogits, mask_of, probability_bands
from paddleisa.inference.settings import InferenceSettings
from paddleisa.inference.views import Size, View
from paddleisa.utils.interpolation import Upsampling, nearest

if TYPE_CHECKING:
    import paddle

    Network = Callable[[paddle.Tensor], LowResLogits | paddle.Tensor]

Geometry = list[tuple[str, tuple[int, int]]]


@dataclass(frozen=True)
class ViewLogits:
    """What the network gave for one image; enough for the mask of each of the settings that it was made for.

    Attributes:
        maps: logits of each view, at the view's size.
        size: (height, width) of the prepared image.
        geometry: the transforms' ``trans_info``.
    """

    maps: Mapping[View, LazyLogits]
    size: Size
    geometry: Geometry


def view_logits(
    network: Network,
    image: paddle.Tensor,
    geometry: Geometry,
    settings: Sequence[InferenceSettings],
    batch_pixels: int = 0,
) -> ViewLogits:
    """Run every forward pass that ``settings`` need, each once.

    Args:
        network: see above.
        image: (1, 3, H, W), prepared by the validation transforms.
        geometry: their ``trans_info``.
        settings: the image may be evaluated by any of them afterwards.
        batch_pixels: inputs of one size go through the network together while they hold no more pixels than this.

    Raises:
        DataError: the network's numbers are not finite.
    """
    size = tuple(image.shape[2:])
    needed = dict.fromkeys(view for each in settings for view in each.views(size))
    return ViewLogits(run_views(network, image, list(needed), batch_pixels), size, geometry)


def mask_from(logits: ViewLogits, settings: InferenceSettings, align_corners: bool = False) -> np.ndarray:
    """Class ids of one image, evaluated by one of the settings that ``logits`` was made for.

    Args:
        align_corners: the model's; some protocols resize logits as it does.

    Returns:
        (h, w) at the size before the transforms; uint8 for up to 256 classes, else int32.
    """
    return _resolved(logits, settings, align_corners, with_confidence=False)[0]


def mask_and_confidence(
    logits: ViewLogits, settings: InferenceSettings, align_corners: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Class ids as `mask_from` gives them, and (h, w) float32 in 0..1, the probability of the chosen class."""
    mask, confidence = _resolved(logits, settings, align_corners, with_confidence=True)
    assert confidence is not None  # asked for
    return mask, confidence


def probabilities(
    logits: ViewLogits, settings: InferenceSettings, align_corners: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, (K, n, w) float32 of each class's probability) of bands of rows that cover the image.

    A protocol that chooses the class before the transforms are undone has them undone first here.
    """
    return probability_bands(_at_image(logits, settings, align_corners), _sums_probabilities(settings))


def _sums_probabilities(settings: InferenceSettings) -> bool:
    return settings.rules.softmax_before_sum and not settings.is_single  # of one view both choose the same class


def _at_image(logits: ViewLogits, settings: InferenceSettings, align_corners: bool) -> list[LazyLogits]:
    """The views' logits at the size before the transforms."""
    rules = settings.rules
    how = Upsampling({"never": False, "model": align_corners, "always": True}[rules.align_corners])
    maps = _maps(logits, settings)
    if rules.resolve_at == "image_at_once" and all(kind == "resize" for kind, _ in logits.geometry):
        size = logits.geometry[0][1] if logits.geometry else logits.size
        return [each.resized(size, how) for each in maps]
    return [_undo(each.resized(logits.size, how), logits.geometry, rules.cubic) for each in maps]


def _maps(logits: ViewLogits, settings: InferenceSettings) -> list[LazyLogits]:
    """Each view's logits; those of an image mirrored left to right with the classes that a mirror exchanges."""
    return [
        logits.maps[view].exchanged(settings.swapped_labels if 3 in view.axes else ())
        for view in settings.views(logits.size)
    ]


def _resolved(
    logits: ViewLogits, settings: InferenceSettings, align_corners: bool, with_confidence: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    early = settings.rules.resolve_at == "prepared"
    if early:
        maps = [each.resized(logits.size) for each in _maps(logits, settings)]
    else:
        maps = _at_image(logits, settings, align_corners)
    confidence = np.empty(maps[0].size, np.float32) if with_confidence else None
    mask = mask_of(maps, _sums_probabilities(settings), confidence)
    if not early:
        return mask, confidence
    undone = None if confidence is None else _undo_mask(confidence, logits.geometry)
    return _undo_mask(mask, logits.geometry), undone


def predict_masks(
    network: Network,
    image: paddle.Tensor,
    geometry: Geometry,
    settings: Sequence[InferenceSettings],
    align_corners: bool = False,
    batch_pixels: int = 0,
) -> list[np.ndarray]:
    """The mask by each of ``settings``; a forward pass that several of them need runs once."""
    logits = view_logits(network, image, geometry, settings, batch_pixels)
    return [mask_from(logits, each, align_corners) for each in settings]


def _undo(logits: LazyLogits, geometry: Geometry, cubic: bool) -> LazyLogits:
    """Undo the transforms' geometry, newest first."""
    for kind, size in reversed(geometry):
        if kind == "padding":
            logits = logits.cropped(size)
        else:
            logits = logits.resized_cubic(size) if cubic else logits.resized(size)
    return logits


def _undo_mask(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Undo the transforms' geometry on values of single pixels, newest first, by nearest neighbours."""
    for kind, (height, width) in reversed(geometry):
        if kind == "padding":
            mask = mask[:height, :width]
        else:
            mask = mask[nearest(mask.shape[0], height)][:, nearest(mask.shape[1], width)]
    return mask
