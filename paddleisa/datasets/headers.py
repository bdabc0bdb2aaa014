"""What image files say of themselves, without decoding them."""

from __future__ import annotations

import io
import warnings

from PIL import Image


def header_of(data: bytes) -> Image.Image | None:
    """What an image file says of itself (nothing is decoded); None where Pillow does not know it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels: decoding has a bound of its own
            return Image.open(io.BytesIO(data))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
