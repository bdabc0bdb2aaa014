"""Reading and writing of images and labels. Names may hold any character; no file is read by halves."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from struct import unpack_from

import cv2
import numpy as np
from PIL import Image, ImageFile

from paddleisa.datasets.image_header import JPEG, PNG, TURNS, bits_of, is_inverted, open_header, orientation
from paddleisa.errors import DataError
from paddleisa.utils.files import atomic_write

_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_COPY_AGAIN = "Copy or download the file again"
_LABEL_FIX = (
    "A label is an 8-bit PNG with one class id per pixel (greyscale or palette); 255 marks pixels that do not count"
)
_LABEL_FORMATS = ("PNG", "BMP", "TIFF")
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_DEPTHS = {"I": "32-bit whole numbers", "F": "floating-point numbers", "LAB": "CIELAB colours", "HSV": "HSV colours"}
_FULL_RANGE = 1 << 14  # the largest value of a 16-bit image that is none of 10, 12 or 14 bits is above this
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda img: cv2.flip(img, 1),
    3: lambda img: cv2.rotate(img, cv2.ROTATE_180),
    4: lambda img: cv2.flip(img, 0),
    5: cv2.transpose,
    6: lambda img: cv2.rotate(img, cv2.ROTATE_90_CLOCKWISE),
    7: lambda img: cv2.rotate(cv2.transpose(img), cv2.ROTATE_180),
    8: lambda img: cv2.rotate(img, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def read_image(path: str | Path) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB, the same for training, evaluation, prediction and calibration.

    An EXIF orientation is applied, grey and palettes become RGB, alpha is dropped, and of 16 bits the upper 8 are kept,
    as ``cv2.imread`` does for the original.

    Raises:
        DataError: the file is missing, truncated, damaged (PNG: checksums are compared; JPEG: the end is looked for,
            damage inside it cannot be told), not an image, or has more pixels than ``PADDLEISA_MAX_PIXELS``; or its
            values have no known range: floats, or 16 bits that hold 10, 12 or 14.
    """
    return decode_image(read_bytes(path), path)


def decode_image(data: bytes, path: str | Path) -> np.ndarray:
    """``read_image`` of a file's content; ``path`` is for messages."""
    return decode_turned(data, path)[0]


def decode_turned(data: bytes, path: str | Path) -> tuple[np.ndarray, int]:
    """``decode_image``, and the EXIF orientation (1 to 8) that was undone for it."""
    require_intact(data, path)
    header = open_header(data, path)
    if header.mode in _DEPTHS and not (header.mode == "I" and bits_of(header, data) <= 16):
        raise DataError(f"the image holds {_DEPTHS[header.mode]}", where=path, fix="Convert it to 8-bit RGB")
    img = _decode(data, path)
    if img.dtype == np.uint16:
        img = _upper_bits(img, path)
    if img.ndim != 3 or img.dtype != np.uint8:
        raise DataError(f"the image decodes to {img.dtype} values", where=path, fix="Convert it to 8-bit RGB")
    turned = orientation(header)
    if turned != 1 and header.format != "TIFF":  # OpenCV turns TIFFs itself, whatever its flags say
        img = _UPRIGHT[turned](img)
    return cv2.cvtColor(img, cv2.COLOR_BGR2RGB, dst=img), turned


def read_label(path: str | Path) -> np.ndarray:
    """A label as (H, W) uint8: the number stored for each pixel, which with a palette is its index.

    Greyscale of 1, 2 or 4 bits gives the stored numbers too (0 and 1 for one bit), not shades of grey.

    Raises:
        DataError: the file is missing, truncated or damaged, or holds something else than 8-bit class ids.
    """
    return decode_label(read_bytes(path), path)


def decode_label(data: bytes, path: str | Path) -> np.ndarray:
    """``read_label`` of a file's content; ``path`` is for messages."""
    require_intact(data, path)
    header = open_header(data, path)
    if problem := _no_label(header, data):
        raise DataError(problem, where=path, fix=_LABEL_FIX)
    bits = bits_of(header, data)
    try:
        label = np.asarray(header).astype(np.uint8, copy=False)
    except Exception as error:  # Pillow has many for damaged data
        raise DataError(f"the image cannot be decoded ({error})", where=path, fix=_COPY_AGAIN) from error
    if header.mode == "L" and bits < 8:
        return label // (255 // (2**bits - 1))  # decoders stretch fewer bits to 0..255
    return np.ascontiguousarray(label)


def _no_label(header: ImageFile.ImageFile, data: bytes) -> str | None:
    """Why an image is no label; None where it may be one."""
    if header.format == "JPEG":
        return "the label is a JPEG, whose compression changes class ids"
    if header.format not in _LABEL_FORMATS:
        return f"the label is a {header.format} file, which may not keep class ids"
    if bits_of(header, data) > 8:
        return f"the label has {bits_of(header, data)} bits per pixel"
    if header.mode not in ("1", "L", "P"):
        kind = {"LA": "grey and alpha", "PA": "palette and alpha"}.get(header.mode, header.mode)
        return f"the label is an {kind} image, not class ids"
    if header.mode == "P" and header.palette is None:
        return "the label has palette indices, but no palette that says what they are"
    if is_inverted(header):
        return "the label counts from white, so that its numbers are not class ids"
    if (turned := orientation(header)) != 1:
        return f"the label says that it is {TURNS[turned]}"
    return None


def write_image(path: str | Path, img: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB, in the format that the name ends with (.png, .jpg, ...); whole or not at all."""
    try:
        done, data = cv2.imencode(Path(path).suffix, cv2.cvtColor(img, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise DataError("no image format goes by this ending", where=path, fix="Use .png or .jpg") from error
    if not done:
        raise DataError("the image cannot be encoded in this format", where=path, fix="Use .png or .jpg")
    with atomic_write(path) as stream:
        stream.write(data.tobytes())


def write_levels(path: str | Path, values: np.ndarray) -> None:
    """Write (H, W) numbers in 0..1 as a grey PNG of 16 bits, in which 65535 is 1."""
    done, data = cv2.imencode(".png", np.rint(values * 65535).astype(np.uint16))
    if not done:
        raise DataError("the image cannot be encoded", where=path)
    with atomic_write(path) as stream:
        stream.write(data.tobytes())


def write_label(path: str | Path, label: np.ndarray, palette: np.ndarray | None = None) -> None:
    """Write (H, W) uint8 class ids as PNG: greyscale, or with ``palette`` ((K, 3) uint8) a palette PNG.

    Reading either back with ``read_label`` gives the same ids. Ids beyond the palette are shown black.
    """
    if Path(path).suffix.lower() != ".png":
        raise DataError("class ids can only be written as .png", where=path, fix="Give a name that ends with .png")
    image = Image.fromarray(np.ascontiguousarray(label))
    if palette is not None:
        image.putpalette(np.concatenate([palette, np.zeros((256 - len(palette), 3), np.uint8)]).tobytes())
    with atomic_write(path) as stream:
        image.save(stream, "PNG", compress_level=1)


def read_bytes(path: str | Path) -> bytes:
    """A file's content; DataError when there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=path) from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"the file cannot be read ({reason})", where=path) from error


def read_intact(path: str | Path) -> bytes:
    """A file's content; DataError when there is none, when it is empty, or a PNG or JPEG that is cut off or damaged."""
    data = read_bytes(path)
    require_intact(data, path)
    return data


def require_intact(data: bytes, path: str | Path) -> None:
    """DataError for a file's content that is empty, or a PNG or JPEG that is cut off or damaged.

    Decoders are not given such files: some return the rows that they got, some ask for gigabytes first.
    """
    if problem := damage(data):
        raise DataError(problem, where=path, fix=_COPY_AGAIN)


def damage(data: bytes) -> str | None:
    """What is wrong with a file's content as such, None when nothing can be seen without decoding it."""
    if not data:
        return "the file is empty"
    if data.startswith(PNG):
        return _png_damage(data)
    if data.startswith(JPEG) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        # Neither marker can occur inside compressed data. A thumbnail's end lies before the image's first scan.
        return "the file is truncated"
    return None


def _png_damage(data: bytes) -> str | None:
    """Every chunk's checksum: decoders return the rows they got from a truncated file, silent about the rest."""
    position, last = len(PNG), b""
    while position < len(data) and last != b"IEND":
        if position + 12 > len(data):
            return "the file is truncated"
        length, last = unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            return "the file is truncated"
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != unpack_from(">I", data, end - 4)[0]:
            return f"a checksum is wrong at byte {position}: the file was damaged"
        position = end
    if last != b"IEND":
        return "the file is truncated"
    return None if data[12:16] == b"IHDR" else "the header is missing"


def _decode(data: bytes, path: str | Path) -> np.ndarray:
    try:
        img = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:
        raise DataError(f"the image cannot be decoded ({error.err})", where=path, fix=_COPY_AGAIN) from error
    if img is None:
        raise DataError("the image cannot be decoded", where=path, fix=_COPY_AGAIN)
    return img


def _upper_bits(img: np.ndarray, path: str | Path) -> np.ndarray:
    """The upper 8 of 16 bits; DataError for values that fill the lower 10, 12 or 14 only, which would be black."""
    peak = int(img.max())
    if 0 < peak < _FULL_RANGE:
        raise DataError(
            f"the image has 16 bits per value but none above {peak}, as if they held {max(8, peak.bit_length())}",
            where=path,
            fix="Stretch its values to 0..65535, the same way for all images, or save it with 8 bits",
        )
    return (img >> 8).astype(np.uint8)
