"""Reports as one HTML file each: templates in ``templates``, one layout for all, pictures inline, no script."""

from __future__ import annotations

import base64
from functools import cache
from typing import NamedTuple

import cv2
import jinja2
import numpy as np


class Picture(NamedTuple):
    """A picture for a template's ``figure``: its caption, its size in pixels, and its bytes as a data address."""

    caption: str
    width: int
    height: int
    src: str


def render(template: str, **values: object) -> str:
    """A page: ``templates/TEMPLATE`` with ``values``. Text is escaped, whatever files or classes are called."""
    return _environment().get_template(template).render(**values)


def picture(img: np.ndarray, caption: str, ending: str = ".png") -> Picture:
    """An inline picture.

    Args:
        img: (H, W, 3) uint8 RGB.
        caption: what it shows.
        ending: .png, or .jpg for photographs.
    """
    return Picture(caption, img.shape[1], img.shape[0], inline(encoded(img, ending)))


def encoded(img: np.ndarray, ending: str = ".png") -> bytes:
    """(H, W, 3) RGB or (H, W, 4) RGBA uint8 as a .png, or as a .jpg for photographs."""
    code = cv2.COLOR_RGBA2BGRA if img.shape[2] == 4 else cv2.COLOR_RGB2BGR
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85] if ending == ".jpg" else []
    return cv2.imencode(ending, cv2.cvtColor(np.ascontiguousarray(img), code), quality)[1].tobytes()


def inline(data: bytes) -> str:
    """A PNG or JPEG as a data address."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("paddleisa.visual"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
