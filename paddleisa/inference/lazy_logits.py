"""The logits of a whole image, kept as the little that they are made of.

A network computes scores at an eighth of the image's resolution. Everything that follows until the mask (upsampling,
averaging sliding windows, mirroring back, resizing to the image's size, cutting off padding) acts linearly on rows and
columns: with matrices R and C that hold two to four numbers in a row,

    logits = sum over windows of  R @ scores @ C

So 19 maps of 2049 x 1025 pixels are never made: the small scores are kept, the steps are done on R and C, and the
logits appear only in bands of rows while the mask is computed. A Cityscapes frame keeps 2.5 MB instead of 160 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from paddleisa.errors import ConfigError
from paddleisa.utils.interpolation import HALF_PIXEL, Upsampling, cubic_matrix, matrix, neighbours

BAND = 64  # rows; 19 classes x 64 rows x 2049 columns are 10 MB, and more rows are no faster


@dataclass(frozen=True)
class LowResLogits:
    """What a network gives for a batch.

    Attributes:
        values: (N, K, h, w) float32, at any resolution.
        upsampling: how these become logits at the input's size.
    """

    values: np.ndarray
    upsampling: Upsampling = HALF_PIXEL


@dataclass(frozen=True)
class Axis:
    """One axis of a map: positions ``start`` to ``start + extent`` of ``length`` as means of small positions.

    Attributes:
        weights: (extent, small), or None where each position is the small one of the same number.
        length: positions on the whole axis; there is nothing (zero) where ``weights`` does not reach.
    """

    weights: np.ndarray | None
    length: int
    start: int = 0

    @property
    def weighted(self) -> bool:
        """Whether positions are anything but the small ones."""
        return self.weights is not None

    @property
    def extent(self) -> int:
        """Number of positions that are not zero."""
        return self.length if self.weights is None else len(self.weights)

    def dense(self) -> np.ndarray:
        """Its weights written out."""
        return self.weights if self.weights is not None else np.eye(self.length, dtype=np.float32)

    def placed_in(self, start: int, length: int, share: np.ndarray) -> Axis:
        """This axis, which begins at 0, at ``start`` of a longer one, each position multiplied by ``share``."""
        return Axis(self.dense() * share[:, None], length, start)

    def resized(self, length: int, how: Upsampling = HALF_PIXEL) -> Axis:
        """The same things at ``length`` positions, between which is interpolated."""
        if length == self.length:
            return self
        if self.weights is None:
            return Axis(matrix(self.length, length, how), length)
        first, second, weight = neighbours(self.length, length, how)
        padded = np.concatenate([self.weights, np.zeros_like(self.weights[:1])])  # the last row is "nothing there"

        def rows(places: np.ndarray) -> np.ndarray:
            inside = (places >= self.start) & (places < self.start + self.extent)
            return padded[np.where(inside, places - self.start, self.extent)]

        reached = np.flatnonzero((second >= self.start) & (first < self.start + self.extent))
        low, high = (int(reached[0]), int(reached[-1]) + 1) if reached.size else (0, 0)
        near, far, share = first[low:high], second[low:high], weight[low:high, None]
        return Axis((1 - share) * rows(near) + share * rows(far), length, low)

    def resized_cubic(self, length: int) -> Axis:
        """As `resized`, by OpenCV's cubic interpolation."""
        if length == self.length:
            return self
        return Axis(cubic_matrix(self.length, length)[:, self.start : self.start + self.extent] @ self.dense(), length)

    def cropped(self, length: int) -> Axis:
        """The first ``length`` positions."""
        if length >= self.length:
            return self
        weights = self.dense()[: max(length - self.start, 0)]
        return Axis(weights, length, min(self.start, length))

    def mirrored(self) -> Axis:
        """Read from the other end; without weights it stays as it is, see `SeparableTerm.read_backwards`."""
        if self.weights is None:
            return self
        return Axis(self.weights[::-1], self.length, self.length - self.start - self.extent)


@lru_cache(maxsize=32)  # the same for every image of a size
def upsampled(small: int, large: int, how: Upsampling) -> Axis:
    """An axis of ``small`` scores at ``large`` positions."""
    return Axis(None, small).resized(large, how)


@dataclass(frozen=True)
class SeparableTerm:
    """LowResLogits (K, h, w) of one pass of the network, with the axes that bring them to the map's size."""

    values: np.ndarray
    rows: Axis
    columns: Axis

    def add_to(self, band: np.ndarray, top: int) -> None:
        """Add this term's logits to ``band`` (K, n, W), rows ``top`` to ``top + n`` of the map."""
        low, high = max(top, self.rows.start), min(top + band.shape[1], self.rows.start + self.rows.extent)
        if low >= high or not self.columns.extent:
            return
        if self.rows.weights is None:
            part = self._columns(slice(low, high))
        else:
            weights = self.rows.weights[low - self.rows.start : high - self.rows.start]
            used = np.flatnonzero(weights.any(axis=0))  # a band needs few rows of the small scores
            if not used.size:
                return
            near = slice(used[0], used[-1] + 1)
            part = np.matmul(weights[:, near], self._columns(near))
        start = self.columns.start
        band[:, low - top : high - top, start : start + self.columns.extent] += part

    def read_backwards(self, axes: Sequence[int]) -> SeparableTerm:
        """With the scores themselves mirrored along those of ``axes``, as in `LazyLogits.mirrored`, without weights."""
        plain = [axis - 1 for axis, line in ((2, self.rows), (3, self.columns)) if axis in axes and not line.weighted]
        return replace(self, values=np.flip(self.values, tuple(plain))) if plain else self

    def _columns(self, rows: slice) -> np.ndarray:
        """(K, rows, extent)."""
        values = self.values[:, rows]
        return values if self.columns.weights is None else np.matmul(values, self.columns.weights.T)


@dataclass(frozen=True)
class LazyLogits:
    """Logits (K, H, W) of one image; every method gives a new map and computes nothing large.

    Attributes:
        terms: the map is their sum; all have one length of rows and of columns.
    """

    terms: tuple[SeparableTerm, ...]

    @classmethod
    def of(cls, values: np.ndarray, size: tuple[int, int], upsampling: Upsampling = HALF_PIXEL) -> LazyLogits:
        """LowResLogits (K, h, w) of an input of ``size`` (height, width), brought to that size."""
        rows, columns = (upsampled(*sizes, upsampling) for sizes in zip(values.shape[1:], size, strict=True))
        return cls((SeparableTerm(values, rows, columns),))

    @property
    def classes(self) -> int:
        """K."""
        return self.terms[0].values.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.terms[0].rows.length, self.terms[0].columns.length

    def resized(self, size: tuple[int, int], how: Upsampling = HALF_PIXEL) -> LazyLogits:
        """Bilinear interpolation to ``size`` (height, width)."""
        return self._each(lambda rows: rows.resized(size[0], how), lambda columns: columns.resized(size[1], how))

    def resized_cubic(self, size: tuple[int, int]) -> LazyLogits:
        """OpenCV's cubic interpolation to ``size`` (height, width)."""
        return self._each(lambda rows: rows.resized_cubic(size[0]), lambda columns: columns.resized_cubic(size[1]))

    def exchanged(self, pairs: Sequence[tuple[int, int]]) -> LazyLogits:
        """With the classes of each pair exchanged.

        Raises:
            ConfigError: there is no such class.
        """
        if not pairs:
            return self
        order = np.arange(self.classes)
        for one, other in pairs:
            if max(one, other) >= self.classes:
                raise ConfigError(
                    f"classes {one} and {other} cannot be exchanged: the model's are 0 to {self.classes - 1}",
                    where="test_config.swapped_labels",
                )
            order[[one, other]] = other, one
        return LazyLogits(tuple(replace(term, values=term.values[order]) for term in self.terms))

    def cropped(self, size: tuple[int, int]) -> LazyLogits:
        """The upper left part of ``size`` (height, width)."""
        return self._each(lambda rows: rows.cropped(size[0]), lambda columns: columns.cropped(size[1]))

    def mirrored(self, axes: Sequence[int]) -> LazyLogits:
        """Mirrored along ``axes`` of (N, K, H, W): 2 is upside down, 3 is left-right."""
        turned = LazyLogits(tuple(term.read_backwards(axes) for term in self.terms))
        return turned._each(*(Axis.mirrored if axis in axes else lambda same: same for axis in (2, 3)))

    def _each(self, rows, columns) -> LazyLogits:
        done: dict = {}  # terms of one sliding window's row share their rows

        def once(change, axis: Axis) -> Axis:
            key = (change, id(axis))
            if key not in done:
                done[key] = change(axis)
            return done[key]

        return LazyLogits(
            tuple(SeparableTerm(t.values, once(rows, t.rows), once(columns, t.columns)) for t in self.terms)
        )

    def band(self, top: int, bottom: int) -> np.ndarray:
        """Logits (K, bottom - top, W)."""
        result = np.zeros((self.classes, bottom - top, self.size[1]), np.float32)
        for term in self.terms:
            term.add_to(result, top)
        return result


def mask_of(maps: Sequence[LazyLogits], softmax: bool = False, confidence: np.ndarray | None = None) -> np.ndarray:
    """The class with the largest sum over ``maps``, of logits or of their softmax; the first of equal ones.

    Args:
        maps: of one size (H, W).
        softmax: sum probabilities.
        confidence: (H, W) float32 that is filled with the chosen class's probability: by the mean over the maps of
            their probabilities, or the softmax of the mean of their logits.

    Returns:
        (H, W), uint8 for up to 256 classes, else int32.
    """
    (height, width), classes = maps[0].size, maps[0].classes
    mask = np.empty((height, width), np.uint8 if classes <= 256 else np.int32)
    for top, total in _summed_bands(maps, softmax):
        bottom = top + total.shape[1]
        if confidence is not None:
            confidence[top:bottom] = _confidence(total / len(maps), softmax)
        _argmax(total, mask[top:bottom])
    return mask


def probability_bands(maps: Sequence[LazyLogits], softmax: bool = False) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, probabilities (K, n, W)) of bands of rows that cover the maps, as `mask_of`'s confidence."""
    for top, total in _summed_bands(maps, softmax):
        total /= len(maps)
        yield top, total if softmax else _softmax(total)


def _summed_bands(maps: Sequence[LazyLogits], softmax: bool) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, sum over the maps (K, n, W)) of logits or of their softmax."""
    height = maps[0].size[0]
    for top in range(0, height, BAND):
        bands = (each.band(top, min(top + BAND, height)) for each in maps)
        total = next(bands)
        total = _softmax(total) if softmax else total
        for band in bands:
            total += _softmax(band) if softmax else band
        yield top, total


def _softmax(band: np.ndarray) -> np.ndarray:
    """Over the classes, in place."""
    band -= band.max(axis=0)
    np.exp(band, out=band)
    band /= band.sum(axis=0)
    return band


def _confidence(mean: np.ndarray, probabilities: bool) -> np.ndarray:
    """The largest probability of each pixel, from the mean over the maps."""
    best = mean.max(axis=0)
    return best if probabilities else 1 / np.exp(mean - best).sum(axis=0)


def _argmax(band: np.ndarray, mask: np.ndarray) -> None:
    """Along the first axis, into ``mask``: 8 times faster than ``ndarray.argmax``, whose steps are a map apart."""
    best = band[0].copy()
    mask[...] = 0
    for number, logits in enumerate(band[1:], 1):
        np.copyto(mask, mask.dtype.type(number), where=logits > best)
        np.maximum(best, logits, out=best)
