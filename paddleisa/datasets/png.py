"""PNG files chunk by chunk: what is damaged, and palette indices without a palette.

Label images are often palette PNGs, whose pixels are class ids and whose palette is only for looking at. OpenCV
applies the palette and loses the ids. Rewriting the header to "greyscale" (and leaving the palette out) makes any
decoder return the ids; the compressed pixels need no change, since both kinds store one number per pixel.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
KINDS = {GREY: "greyscale", RGB: "RGB", PALETTE: "palette", GREY_ALPHA: "grey and alpha", RGB_ALPHA: "RGBA"}


class Header(NamedTuple):
    """What the IHDR chunk says that matters here: size in pixels, bits per sample, kind (a key of ``KINDS``)."""

    width: int
    height: int
    depth: int
    kind: int


def damage(data: bytes) -> str | None:
    """What is wrong with a PNG file, or None for an intact one.

    Decoders return the rows they got from a truncated file and stay silent about the rest. Every checksum is
    compared (zlib's CRC runs at 4.6 GB/s here: 0.5 ms for a Cityscapes frame that takes 38 ms to decode).
    """
    position, last = len(SIGNATURE), b""
    while position < len(data):
        if position + 12 > len(data):
            return "the file is truncated"
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            return "the file is truncated"
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return f"a checksum is wrong at byte {position}: the file was damaged"
        position, last = end, kind
        if kind == b"IEND":
            break
    if last != b"IEND":
        return "the file is truncated"
    return None if data[12:16] == b"IHDR" else "the header is missing"


def header(data: bytes) -> Header:
    """The header of an intact PNG file."""
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    return Header(width, height, depth, kind)


def as_grey(data: bytes) -> bytes:
    """A palette or greyscale PNG as greyscale: the samples of each pixel, unchanged by palette, gamma or alpha."""
    return _rebuilt(data, GREY, b"")


def as_palette(data: bytes, palette: bytes) -> bytes:
    """An 8-bit greyscale PNG as a palette PNG: the same numbers, shown in colour.

    Args:
        data: the greyscale file.
        palette: up to 256 colours, three bytes each.
    """
    return _rebuilt(data, PALETTE, _chunk(b"PLTE", palette))


def _rebuilt(data: bytes, kind: int, before_pixels: bytes) -> bytes:
    """The essential chunks of ``data`` with another kind in the header and ``before_pixels`` after it."""
    parts, position = [SIGNATURE], len(SIGNATURE)
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if name == b"IHDR":
            parts += [_chunk(b"IHDR", body[:9] + bytes([kind]) + body[10:]), before_pixels]
        elif name in (b"IDAT", b"IEND"):
            parts.append(data[position : position + 12 + length])
        position += 12 + length
    return b"".join(parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
