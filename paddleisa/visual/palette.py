"""Colours of classes: (K, 3) uint8 RGB, row i for class i."""

from __future__ import annotations

import numpy as np

from paddleisa.errors import UsageError

# The 11 classes of the SegNet split of CamVid, in its order.
_CAMVID = "808080 800000 c0c080 804080 0000c0 808000 c08080 404080 400080 404000 0080c0"
# fmt: off
CAMVID_NAMES = [
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
]
# fmt: on


def from_hex(colours: str) -> np.ndarray:
    """(K, 3) uint8 of ``rrggbb`` words."""
    return np.array([list(bytes.fromhex(colour)) for colour in colours.split()], np.uint8)


def bit_colours(count: int) -> np.ndarray:
    """PASCAL VOC's colour map (VOCdevkit's ``VOClabelcolormap``): three bits of the index set one bit of R, G, B each.

    Neighbouring indices get colours that are far apart; the 256 colours are all different; number 0 is black.
    """
    index = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def generic_palette(num_classes: int) -> np.ndarray:
    """(num_classes, 3): distinct colours for any number of classes up to 255; none is black.

    PASCAL VOC's map without its black, as PaddleSeg colours a data set that it does not know.
    """
    if not 0 < num_classes < 256:
        raise UsageError(f"there is no palette for {num_classes} classes", fix="Give a number from 1 to 255")
    return bit_colours(num_classes + 1)[1:]


PALETTES = {"camvid": from_hex(_CAMVID)}  # of data that has no class of its own
