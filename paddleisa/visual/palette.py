"""Colours of classes: (K, 3) uint8 RGB, row i for class i."""

from __future__ import annotations

import numpy as np

from paddleisa.errors import UsageError, one_of

# cityscapesScripts, helpers/labels.py, the 19 classes with a train id, in its order.
_CITYSCAPES = (
    "804080 f423e8 464646 66669c be9999 999999 faaa1e dcdc00 6b8e23 98fb98 4682b4 dc143c ff0000 00008e 000046 003c64 "
    "005064 0000e6 770b20"
)
# The 11 classes of the SegNet split of CamVid, in its order.
_CAMVID = "808080 800000 c0c080 804080 0000c0 808000 c08080 404080 400080 404000 0080c0"


def _from_hex(colours: str) -> np.ndarray:
    return np.array([list(bytes.fromhex(colour)) for colour in colours.split()], np.uint8)


def _bit_colours(count: int) -> np.ndarray:
    """PASCAL VOC's colour map (VOCdevkit's ``VOClabelcolormap``): three bits of the index set one bit of R, G, B each.

    Neighbouring indices get colours that are far apart; the 256 colours are all different; number 0 is black.
    """
    index = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def cityscapes_palette() -> np.ndarray:
    """(19, 3): the official colours of the 19 classes that count."""
    return _from_hex(_CITYSCAPES)


def voc_palette() -> np.ndarray:
    """(21, 3): the official colours of PASCAL VOC, background (black) first."""
    return _bit_colours(21)


def camvid_palette() -> np.ndarray:
    """(11, 3): the colours of the 11-class split, sky first."""
    return _from_hex(_CAMVID)


def generic_palette(num_classes: int) -> np.ndarray:
    """(num_classes, 3): distinct colours for any number of classes up to 255; none is black.

    PASCAL VOC's map without its black, as PaddleSeg colours a data set that it does not know.
    """
    if not 0 < num_classes < 256:
        raise UsageError(f"there is no palette for {num_classes} classes", fix="Give a number from 1 to 255")
    return _bit_colours(num_classes + 1)[1:]


PALETTES = {"cityscapes": cityscapes_palette, "voc": voc_palette, "camvid": camvid_palette}


def palette_for(what: object) -> np.ndarray:
    """The palette of a data set (an object with ``palette``), of a name in ``PALETTES``, or of a number of classes."""
    if isinstance(what, str):
        if what not in PALETTES:
            raise UsageError(f"there is no palette {what!r}", fix=one_of(what, PALETTES))
        return PALETTES[what]()
    if isinstance(what, (int, np.integer)):
        return generic_palette(int(what))
    return what.palette
