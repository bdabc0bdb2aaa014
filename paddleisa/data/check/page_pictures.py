"""Pictures of one sample inside a report: image, label and both, as far as they can be read."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.check.browse import IGNORED, shrunk
from paddleisa.data.check.check import Checked
from paddleisa.datasets.images import read_image, read_label
from paddleisa.errors import DataError
from paddleisa.visual.overlay import colorize, overlay

_EDGE = 300  # pixels of a picture's longer side


def pictures_of(part: Checked, row: int) -> str:
    """HTML of a sample's pictures, each inline; empty when nothing of it can be read."""
    palette = part.split.classes.palette
    img, label, stored = _read(part, row)
    out = []
    if img is not None:
        out.append(_figure(shrunk(img, _EDGE), "image", ".jpg"))
    if stored is not None:
        out.append(_figure(shrunk(stored, _EDGE, smooth=False), "label, as it is stored", ".png"))
    if label is not None:
        small = shrunk(label, _EDGE, smooth=False)
        out.append(_figure(colorize(small, palette, IGNORED), "label (white: ignored or no class)", ".png"))
        if img is not None and img.shape[:2] == label.shape:
            seen = cv2.resize(img, small.shape[::-1], interpolation=cv2.INTER_AREA)
            out.append(_figure(overlay(seen, small, palette, 0.55), "both", ".jpg"))
    return f"<div class=row>{''.join(out)}</div>" if out else ""


def _read(part: Checked, row: int) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Image, label, and the label as a plain picture where it holds no class ids."""
    if part.split.reader is not None:
        sample = part.split.reader(row)
        return sample["img"], sample.get("label"), None
    image_path, label_path = part.split.rows[row]
    img, label = _tried(read_image, image_path), _tried(read_label, label_path)
    return img, label, _tried(read_image, label_path) if label is None else None


def _tried(read, path: str | None) -> np.ndarray | None:
    """What can be read; what cannot is told in the finding's words."""
    if path is None or not Path(path).is_file():
        return None
    try:
        return read(path)
    except DataError:
        return None


def _figure(img: np.ndarray, caption: str, ending: str) -> str:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85] if ending == ".jpg" else []
    data = base64.b64encode(cv2.imencode(ending, cv2.cvtColor(img, cv2.COLOR_RGB2BGR), quality)[1]).decode()
    kind = "jpeg" if ending == ".jpg" else "png"
    height, width = img.shape[:2]
    source = f"<img width={width} height={height} alt='{caption}' src='data:image/{kind};base64,{data}'>"
    return f"<figure>{source}<figcaption>{caption}</figcaption></figure>"
