"""How large an image may be: a few kilobytes of PNG can decode to gigabytes, so the header is asked first."""

from __future__ import annotations

import os

from paddleisa.errors import DataError, UsageError

VARIABLE, DEFAULT = "PADDLEISA_MAX_PIXELS", 200_000_000  # 600 MB as RGB bytes, 2.4 GB prepared for a network


def max_pixels() -> int:
    """Pixels that an image may have: the environment variable ``PADDLEISA_MAX_PIXELS``, else 200 million.

    Raises:
        UsageError: the variable is not a number from 1.
    """
    text = os.environ.get(VARIABLE, "")
    if text and not (text.isascii() and text.isdecimal() and int(text[:19]) > 0):
        raise UsageError(f"{text[:40]!r} is not a number from 1", where=VARIABLE)
    return int(text[:19]) if text else DEFAULT


def require_size(width: int, height: int, where: object, what: str = "the image has") -> None:
    """DataError for an image of more pixels than :func:`max_pixels` allows."""
    limit = max_pixels()
    if width * height > limit:
        raise DataError(
            f"{what} {width}x{height} pixels, more than {limit:,}",
            where=where,
            fix=f"Cut it into tiles or scale it down; {VARIABLE}={width * height} allows it, memory permitting",
        )
