"""Which inputs of the network the evaluation of one image needs.

A *view* is one of them: the prepared image resized, perhaps through several sizes, then mirrored. Two ways of
evaluating that need an equal view can take the logits of one forward pass. No tensors here, only sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True)
class View:
    """One input of the network.

    Attributes:
        sizes: (height, width) that the prepared image is resized to, one after the other; empty for the image itself.
        axes: axes of (N, C, H, W) that are mirrored after that.
        window: (crop_size, stride) of the sliding window over it, None for one pass over the whole.
        align_corners: whether the resizes keep the outermost pixels' centres at the corners; False without resizes.
    """

    sizes: tuple[Size, ...]
    axes: tuple[int, ...]
    window: tuple[Size, Size] | None = None
    align_corners: bool = False


def views(
    size: Size,
    scales: Sequence[float],
    flips: Sequence[tuple[int, ...]],
    *,
    cascaded: bool,
    rounding: float = 0.5,
    align_corners: bool = False,
) -> list[View]:
    """The views of one way of evaluating, in the order in which their logits are added.

    Args:
        size: (height, width) of the prepared image.
        scales: factors on it.
        flips: mirrored axes, one entry per pass of a scale.
        cascaded: each scale is resized from the scale before it (2021) instead of from the image (2023).
        rounding: what is added to a scaled side before its fraction is cut off; mmsegmentation adds nothing.
        align_corners: of the resizes.
    """
    found: list[View] = []
    chain: tuple[Size, ...] = ()
    for scale in scales:
        target = (max(int(size[0] * scale + rounding), 1), max(int(size[1] * scale + rounding), 1))
        start = chain if cascaded else ()
        # To resize to the size that something has already is to leave it as it is.
        chain = start if target == (start[-1] if start else size) else (*start, target)
        found += [View(chain, axes, align_corners=align_corners and bool(chain)) for axes in flips]
    return found
