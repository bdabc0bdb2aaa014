"""Small pictures of a sample for comparing it with others: is it the same photograph, does the label belong to it?"""

from __future__ import annotations

import cv2
import numpy as np

THUMBNAIL = 16  # pixels, both ways
EDGES = (48, 32)  # width, height
_WORK = 384  # edges are found at about this width: fine enough for thin things, cheap enough for thousands of frames


def of_image(img: np.ndarray) -> tuple[bytes, bytes]:
    """Thumbnail and edges of an (H, W, 3) uint8 RGB image.

    The thumbnail has 16 x 16 shades of grey: the same for a copy of another size or compression. The edges say how
    much goes on in each of 48 x 32 cells: the mean gradient, its root as uint8.
    """
    small = _about(img, _WORK)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).tobytes(), _edges(small)


def _edges(small: np.ndarray) -> bytes:
    small = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    across, down = np.zeros(small.shape[:2], np.float32), np.zeros(small.shape[:2], np.float32)
    across[:, 1:] = np.abs(np.diff(small, axis=1)).max(axis=2)
    down[1:] = np.abs(np.diff(small, axis=0)).max(axis=2)
    return _cells(np.maximum(across, down) / 255)


def of_label(label: np.ndarray) -> bytes:
    """How much border between classes each of the same cells of a label holds."""
    step = max(1, round(label.shape[1] / _WORK))
    small = label[::step, ::step]
    border = np.zeros(small.shape, np.float32)
    border[:, 1:] += small[:, 1:] != small[:, :-1]
    border[1:] += small[1:] != small[:-1]
    return _cells(np.minimum(border, 1))


def _about(img: np.ndarray, width: int) -> np.ndarray:
    """``img`` shrunk to about ``width``, unchanged if it is smaller."""
    height, wide = img.shape[:2]
    if wide <= width:
        return img
    return cv2.resize(img, (width, max(1, round(height * width / wide))), interpolation=cv2.INTER_AREA)


def _cells(values: np.ndarray) -> bytes:
    cells = cv2.resize(values, EDGES, interpolation=cv2.INTER_AREA)
    return (np.sqrt(np.clip(cells, 0, 1)) * 255).astype(np.uint8).tobytes()
