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
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85] if ending == ".jpg" else []
    data = base64.b64encode(cv2.imencode(ending, cv2.cvtColor(img, cv2.COLOR_RGB2BGR), quality)[1].tobytes()).decode()
    kind = "jpeg" if ending == ".jpg" else "png"
    return Picture(caption, img.shape[1], img.shape[0], f"data:image/{kind};base64,{data}")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("paddleisa.visual"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
