"""What an image file says of itself in its header: format, size, channels, bits. Nothing is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from paddleisa.datasets import png

_CHANNELS = {png.GREY: 1, png.PALETTE: 1, png.GREY_ALPHA: 2, png.RGB: 3, png.RGB_ALPHA: 4}
# Start-of-frame markers of JPEG: all of C0..CF but the tables C4, C8 and CC.
_FRAMES = {0xC0 + number for number in range(16)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


@dataclass(frozen=True)
class Probe:
    """A header's facts.

    Attributes:
        format: "PNG" or "JPEG".
        size: (width, height) in pixels, before any EXIF orientation.
        kind: "grey", "palette", "RGB", "RGBA", "grey and alpha" or "CMYK".
        depth: bits per sample.
    """

    format: str
    size: tuple[int, int]
    kind: str
    depth: int

    @property
    def mode(self) -> str:
        """For people: ``8-bit RGB``."""
        return f"{self.depth}-bit {self.kind}"


def probe(data: bytes) -> Probe | None:
    """The header of a PNG or JPEG file, None for other formats and for what is too short or damaged to say."""
    if data.startswith(png.SIGNATURE) and len(data) >= 33:
        width, height, depth, kind = png.header(data)
        names = {**png.KINDS, png.GREY: "grey"}
        return Probe("PNG", (width, height), names.get(kind, "unknown"), depth) if kind in _CHANNELS else None
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    return None


def _jpeg(data: bytes) -> Probe | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _ALONE:
            position += 2
        elif marker in _FRAMES and position + 10 <= len(data):
            depth, height, width, channels = struct.unpack_from(">BHHB", data, position + 4)
            return Probe("JPEG", (width, height), {1: "grey", 3: "RGB", 4: "CMYK"}.get(channels, "unknown"), depth)
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None
