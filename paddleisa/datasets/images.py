"""Reading and writing of images and labels. Names may hold any character; no file is read by halves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from paddleisa.datasets import png
from paddleisa.errors import DataError
from paddleisa.utils.files import atomic_write

_JPEG_SIGNATURE, _JPEG_SCAN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
_COPY_AGAIN = "Copy or download the file again"
_LABEL_FIX = (
    "A label is an 8-bit PNG with one class id per pixel (greyscale or palette); 255 marks pixels that do not count"
)


def read_image(path: str | Path) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB.

    As ``cv2.imread`` does for the original: an EXIF orientation is applied, grey becomes RGB, alpha is dropped, and
    of 16 bits the upper 8 are kept.

    Raises:
        DataError: the file is missing, truncated, damaged (PNG: checksums are compared; JPEG: the end is looked for,
            damage inside it cannot be told) or not an image.
    """
    return decode_image(read_intact(path), path)


def decode_image(data: bytes, path: str | Path) -> np.ndarray:
    """``read_image`` of a file's content; ``path`` is for messages."""
    img = _decode(data, cv2.IMREAD_COLOR, path)
    return cv2.cvtColor(img, cv2.COLOR_BGR2RGB, dst=img)


def read_label(path: str | Path) -> np.ndarray:
    """A label as (H, W) uint8: the number stored for each pixel, which in a palette PNG is its index.

    Greyscale of 1, 2 or 4 bits gives the stored numbers too (0 and 1 for one bit), not shades of grey.

    Raises:
        DataError: the file is missing, truncated or damaged, or holds something else than 8-bit class ids.
    """
    return decode_label(read_intact(path), path)


def decode_label(data: bytes, path: str | Path) -> np.ndarray:
    """``read_label`` of a file's content; ``path`` is for messages."""
    if not data.startswith(png.SIGNATURE):
        return _other_label(data, path)
    info = png.header(data)
    if info.kind not in (png.GREY, png.PALETTE):
        raise DataError(f"the label is an {png.KINDS.get(info.kind)} image, not class ids", where=path, fix=_LABEL_FIX)
    if info.depth == 16:
        raise DataError("the label has 16 bits per pixel", where=path, fix=_LABEL_FIX)
    label = _decode(png.as_grey(data), cv2.IMREAD_GRAYSCALE, path)
    if info.depth < 8:
        label //= 255 // (2**info.depth - 1)  # decoders stretch fewer bits to 0..255
    return label


def write_image(path: str | Path, img: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB, in the format that the name ends with (.png, .jpg, ...); whole or not at all."""
    _write(path, cv2.cvtColor(img, cv2.COLOR_RGB2BGR), None)


def write_label(path: str | Path, label: np.ndarray, palette: np.ndarray | None = None) -> None:
    """Write (H, W) uint8 class ids as PNG: greyscale, or with ``palette`` ((K, 3) uint8) a palette PNG.

    Reading either back with ``read_label`` gives the same ids. Ids beyond the palette are shown black.
    """
    if Path(path).suffix.lower() != ".png":
        raise DataError("class ids can only be written as .png", where=path, fix="Give a name that ends with .png")
    if palette is not None:
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(palette)] = palette
        palette = colours
    _write(path, np.ascontiguousarray(label), palette)


def read_intact(path: str | Path) -> bytes:
    """A file's content; DataError when there is none, when it is empty, or a PNG or JPEG that is cut off or damaged."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=path) from error
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror or error})", where=path) from error
    problem = damage(data)
    if problem:
        raise DataError(problem, where=path, fix=_COPY_AGAIN)
    return data


def damage(data: bytes) -> str | None:
    """What is wrong with a file's content as such, None when nothing can be seen without decoding it."""
    if not data:
        return "the file is empty"
    if data.startswith(png.SIGNATURE):
        return png.damage(data)
    if data.startswith(_JPEG_SIGNATURE) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        # Neither marker can occur inside compressed data. A thumbnail's end lies before the image's first scan.
        return "the file is truncated"
    return None


def _decode(data: bytes, flags: int, path: str | Path) -> np.ndarray:
    try:
        img = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DataError(f"the image cannot be decoded ({error.err})", where=path) from error
    if img is None:
        raise DataError("the file is not an image that can be decoded", where=path, fix=_what_instead(data))
    return img


def _what_instead(data: bytes) -> str:
    if data[:512].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "It is an HTML page, perhaps an error page saved by a download"
    return "Formats that work: JPEG, PNG, BMP, TIFF, WebP"


def _other_label(data: bytes, path: str | Path) -> np.ndarray:
    if data.startswith(_JPEG_SIGNATURE):
        raise DataError("the label is a JPEG, whose compression changes class ids", where=path, fix=_LABEL_FIX)
    label = _decode(data, cv2.IMREAD_UNCHANGED, path)
    if label.ndim != 2 or label.dtype != np.uint8:
        shape = "x".join(map(str, label.shape))
        raise DataError(f"the label decodes to {shape} {label.dtype} values", where=path, fix=_LABEL_FIX)
    return label


def _write(path: str | Path, img: np.ndarray, palette: np.ndarray | None) -> None:
    try:
        done, data = cv2.imencode(Path(path).suffix, img)
    except cv2.error as error:
        raise DataError("no image format goes by this ending", where=path, fix="Use .png or .jpg") from error
    if not done:
        raise DataError("the image cannot be encoded in this format", where=path, fix="Use .png or .jpg")
    data = data.tobytes()
    if palette is not None:
        data = png.as_palette(data, palette.tobytes())
    with atomic_write(path) as stream:
        stream.write(data)
