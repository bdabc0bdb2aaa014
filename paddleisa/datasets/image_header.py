"""What an image file says of itself before a pixel of it is decoded, by Pillow: size, kind of pixels, orientation."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from paddleisa.errors import DataError
from paddleisa.utils.memory import require_size

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# The classes themselves: `Image.open` would also try every format that Pillow knows, and has a bound of its own.
_READERS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (PNG, PngImagePlugin.PngImageFile),
    (JPEG, JpegImagePlugin.JpegImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"II", TiffImagePlugin.TiffImageFile),
    (b"MM", TiffImagePlugin.TiffImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    *((b"P%d" % number, PpmImagePlugin.PpmImageFile) for number in range(1, 7)),
)
_ORIENTATION, _BITS, _PHOTOMETRIC = 274, 258, 262  # tags of TIFF; the first is EXIF's too
_HEIGHT, _STRIP_OFFSETS, _ROWS_PER_STRIP = 257, 273, 278
_QUARTER, _MIRRORED_QUARTER = "turned by 90 degrees", "turned by 90 degrees and mirrored"
TURNS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "upside down",
    5: _MIRRORED_QUARTER,
    6: _QUARTER,
    7: _MIRRORED_QUARTER,
    8: _QUARTER,
}


def open_header(data: bytes, path: str | Path) -> ImageFile.ImageFile:
    """The image in ``data`` as a Pillow image of which only the header has been read.

    Args:
        data: a file's content.
        path: for messages.

    Raises:
        DataError: it is no image of a format that can be read, or has more pixels than an image may have.
    """
    reader = next((reader for start, reader in _READERS if data.startswith(start)), None)
    if reader is None:
        raise DataError("the file is not an image that can be decoded", where=path, fix=_instead(data))
    try:
        header = reader(io.BytesIO(data))
        complete = not isinstance(header, TiffImagePlugin.TiffImageFile) or _has_all_strips(header)
    except Exception as error:  # whatever a damaged header makes Pillow raise
        fix = "Convert it to 8-bit RGB" if reader is TiffImagePlugin.TiffImageFile else "Copy or download it again"
        problem = "the header is damaged, or of a kind of pixels that cannot be read (floats or many bands, say)"
        raise DataError(problem, where=path, fix=fix) from error
    require_size(*header.size, path)
    if not complete:
        raise DataError("the file says more rows than it holds", where=path, fix="Copy or download it again")
    return header


def _has_all_strips(header: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether a TIFF in strips has one for every row; decoders leave missing rows black."""
    tags = header.tag_v2
    height, rows, offsets = tags.get(_HEIGHT), tags.get(_ROWS_PER_STRIP), tags.get(_STRIP_OFFSETS)
    if not (offsets and rows and height):
        return True  # tiles, or one strip for all rows
    return len(offsets) * rows >= height


def orientation(header: ImageFile.ImageFile) -> int:
    """EXIF's orientation: 1 for upright, 2 to 8 for what ``TURNS`` calls them; 1 as well where it says nonsense."""
    if isinstance(header, TiffImagePlugin.TiffImageFile):
        number = header.tag_v2.get(_ORIENTATION)
    else:
        exif = Image.Exif()
        try:
            exif.load(header.info.get("exif") or b"")
            number = exif.get(_ORIENTATION)
        except Exception:  # damaged notes beside the pixels do no harm
            number = None
    return number if isinstance(number, int) and 2 <= number <= 8 else 1


def bits_of(header: ImageFile.ImageFile, data: bytes) -> int:
    """Bits of each stored number; 8 where the format has nothing else."""
    if header.format == "PNG":
        return data[24]
    bits = header.tag_v2.get(_BITS, 1) if isinstance(header, TiffImagePlugin.TiffImageFile) else 8
    return max(bits) if isinstance(bits, tuple) else bits


def is_inverted(header: ImageFile.ImageFile) -> bool:
    """Whether a TIFF of shades counts them from white, so that its numbers are turned round when they are decoded."""
    if not isinstance(header, TiffImagePlugin.TiffImageFile):
        return False
    return header.mode == "L" and header.tag_v2.get(_PHOTOMETRIC) == 0


def _instead(data: bytes) -> str:
    if data[:512].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "It is an HTML page, perhaps an error page saved by a download"
    return "Formats that work: JPEG, PNG, BMP, TIFF, WebP, PPM"
