"""Interpolation along one axis, bilinear as Paddle computes it and cubic as OpenCV does, written as a matrix.

Interpolation along an axis is linear: each new position is the weighted sum of two or four old ones. So it is a matrix
with as many entries in a row, and several steps in sequence are a product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Upsampling:
    """Where the pixels of a resized map lie; Paddle's two options (``paddle.nn.functional.interpolate``).

    Args:
        align_corners: the outermost pixels' centres stay at the corners.
        align_mode: without that, 0: pixel centres at half positions; 1: pixel i at i * scale.
    """

    align_corners: bool = False
    align_mode: int = 0


HALF_PIXEL = Upsampling()


def neighbours(old: int, new: int, how: Upsampling = HALF_PIXEL) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two old positions that each new one lies between, and how much of the second it takes.

    Args:
        old, new: number of positions on the axis.

    Returns:
        (new,) first position, (new,) second position, (new,) float32 weight of the second, 0..1.
    """
    # In float32, as Paddle does it: at position 2000 its rounding moves the weights by 1e-4.
    place = np.arange(new, dtype=np.float32)
    if new == 1:  # Paddle then takes the first position, not the middle
        place = np.zeros(1, np.float32)
    elif how.align_corners:
        place = place * np.float32((old - 1) / (new - 1))
    elif how.align_mode == 1:
        place = place * np.float32(old / new)
    else:
        place = np.maximum(np.float32(old / new) * (place + np.float32(0.5)) - np.float32(0.5), 0)
    first = np.minimum(place.astype(np.int64), old - 1)
    return first, np.minimum(first + 1, old - 1), np.minimum(place - first.astype(np.float32), np.float32(1))


def matrix(old: int, new: int, how: Upsampling = HALF_PIXEL) -> np.ndarray:
    """(new, old) float32: interpolation from ``old`` to ``new`` positions."""
    first, second, weight = neighbours(old, new, how)
    result = np.zeros((new, old), np.float32)
    rows = np.arange(new)
    result[rows, first] += 1 - weight
    result[rows, second] += weight
    return result


def cubic_matrix(old: int, new: int) -> np.ndarray:
    """(new, old) float32: OpenCV's ``INTER_CUBIC`` (a = -0.75); beyond an edge the outermost value goes on."""
    place = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    first = np.floor(place)
    weights = np.empty((new, 4), np.float32)
    for offset in range(4):
        distance = np.abs(place - first - (offset - 1))
        near = (1.25 * distance - 2.25) * distance * distance + 1
        far = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
        weights[:, offset] = np.where(distance <= 1, near, far)
    result = np.zeros((new, old), np.float32)
    neighbour = np.clip(first[:, None].astype(np.int64) + np.arange(-1, 3), 0, old - 1)
    np.add.at(result, (np.arange(new)[:, None], neighbour), weights)
    return result


def nearest(old: int, new: int) -> np.ndarray:
    """(new,) the old position that nearest-neighbour interpolation takes for each new one."""
    place = np.arange(new, dtype=np.float32) * np.float32(old / new)
    return np.minimum(place.astype(np.int64), old - 1)
