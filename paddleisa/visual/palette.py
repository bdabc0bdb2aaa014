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

# ADE20K's scene parsing benchmark (color150.mat of its visualization code), in its order. Its road and its skyscraper
# share a colour.
_ADE20K = (
    "787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d 787846 08ff33 "
    "ff0652 8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0 0907e6 dcdcdc ff095c 7009ff "
    "08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207 ff7a08 00ff14 ff0829 ff0599 0633ff "
    "eb0cff a09614 00a3ff 8c8c8c fa0a0f 14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff 1f00ff "
    "0bc8c8 ff5200 00fff5 003dff 00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00 008fff 33ff00 0052ff 00ff29 00ffad "
    "0a00ff adff00 00ff99 ff5c00 ff00ff ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2 "
    "00ff52 000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900 00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00 08b8aa "
    "8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070 5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 ff00a3 "
    "ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500 0abed4 d6ff00 00ccff 1400ff ffff00 0099ff 0029ff "
    "00ffcc 2900ff 29ff00 ad00ff 00f5ff 4700ff 7a00ff 00ffb8 005cff b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff"
)


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


def ade20k_palette() -> np.ndarray:
    """(150, 3): the benchmark's colours, wall first; two classes share one."""
    return _from_hex(_ADE20K)


def generic_palette(num_classes: int) -> np.ndarray:
    """(num_classes, 3): distinct colours for any number of classes up to 255; none is black.

    PASCAL VOC's map without its black, as PaddleSeg colours a data set that it does not know.
    """
    if not 0 < num_classes < 256:
        raise UsageError(f"there is no palette for {num_classes} classes", fix="Give a number from 1 to 255")
    return _bit_colours(num_classes + 1)[1:]


PALETTES = {"cityscapes": cityscapes_palette, "voc": voc_palette, "camvid": camvid_palette, "ade20k": ade20k_palette}


def palette_for(what: object) -> np.ndarray:
    """The palette of a data set (an object with ``palette``), of a name in ``PALETTES``, or of a number of classes."""
    if isinstance(what, str):
        if what not in PALETTES:
            raise UsageError(f"there is no palette {what!r}", fix=one_of(what, PALETTES))
        return PALETTES[what]()
    if isinstance(what, (int, np.integer)):
        return generic_palette(int(what))
    return what.palette
