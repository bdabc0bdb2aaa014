"""Is an exported file the same function as the model? Decided by running both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from paddleisa.errors import DeployError

# Of the largest logit, if that is above 1. Another order of the same sums moves the logits of the published networks
# by up to 1e-4; an export that goes wrong is off by the logits' own size, or NaN.
TOLERANCE = 5e-4

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Difference:
    """What one comparison found.

    Attributes:
        shape: of the input.
        largest: largest difference of a logit or of a probability; None for class ids.
        equal: share of pixels with the same class.
    """

    shape: tuple[int, ...]
    largest: float | None
    equal: float

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        largest = "" if self.largest is None else f"largest difference {self.largest:.1e}, "
        return f"{size}: {largest}{100 * self.equal:.2f} % equal pixels"

    def to_dict(self) -> dict[str, object]:
        """For JSON and YAML."""
        return {"shape": list(self.shape), "largest_difference": self.largest, "equal_pixels": self.equal}


def logits_differ(expected: np.ndarray, found: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    """Whether ``found`` is not ``expected`` up to rounding; True for another shape or a number that is not finite."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return True
    return bool(np.abs(expected - found).max() > tolerance * max(1.0, np.abs(expected).max()))


def compare(model: Run, exported: Run, output_op: str, shapes: Sequence[tuple], where: object) -> list[Difference]:
    """Run both functions on images of ``shapes`` and refuse a difference.

    Args:
        model: images (N, 3, H, W) float32 to logits (N, K, H, W), as the model computes them.
        exported: the same images to what ``output_op`` makes of the logits.
        output_op: ``none``, ``softmax`` or ``argmax``.
        shapes: of the images, in normalised units.
        where: the file, for the message.

    Raises:
        DeployError: the two differ; names the first shape where they do.
    """
    rng = np.random.default_rng(1)
    found = []
    for shape in shapes:
        images = rng.uniform(-1, 1, shape).astype(np.float32)
        difference, same = _compare(model(images), exported(images), output_op, tuple(shape))
        if not same:
            raise DeployError(
                f"the exported network does not compute what the model computes ({difference})",
                where=where,
                fix="The file is not kept. Take another format, or other versions of Paddle and of the converter",
            )
        found.append(difference)
    return found


def _compare(logits: np.ndarray, output: np.ndarray, output_op: str, shape: tuple) -> tuple[Difference, bool]:
    wanted = (logits.shape[0], *logits.shape[2:]) if output_op == "argmax" else logits.shape
    if output.shape != wanted:
        return Difference(shape, math.inf, 0.0), False
    expected_mask = logits.argmax(1)
    if output_op == "argmax":
        same = expected_mask == output
        tie = lead(logits) <= 2 * TOLERANCE * max(1.0, float(np.abs(logits).max()))  # closer than rounding may move
        return Difference(shape, None, float(same.mean())), bool((tie | same).all())
    expected = _softmax(logits) if output_op == "softmax" else logits
    mask_equal = float((expected_mask == output.argmax(1)).mean())
    largest = float(np.abs(expected - output).max()) if np.isfinite(output).all() else math.inf
    # A probability moves by at most half of what its logits move.
    limit = TOLERANCE * max(1.0, float(np.abs(logits).max()))
    return Difference(shape, largest, mask_equal), largest <= limit


def lead(scores: np.ndarray) -> np.ndarray:
    """(N, H, W): by how much the best class leads; 0 of one class alone."""
    if scores.shape[1] == 1:
        return np.zeros_like(scores[:, 0])
    second, first = np.partition(scores, -2, axis=1)[:, -2:].swapaxes(0, 1)
    return first - second


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def shapes_to_compare(input_shape: Sequence[int], unit: tuple[int, int]) -> list[tuple[int, ...]]:
    """Image shapes that an export is tried on: with and without padding, batch 1 and 2, where they are free.

    Args:
        input_shape: (N, 3, H, W), -1 for what is free.
        unit: (height, width) of the smallest image that the attention does not have to pad.
    """
    height, width = unit
    tried = [
        (1, height, width),  # nothing to pad
        (2, height + 1, width),  # one more row of features asks for a window less one row of padding
        (1, height + height // 2 + 1, width // 2 + 1),  # both padded, odd sizes
        (1, 2 * height, width + width // 4),  # wide windows in one direction only
    ]
    shapes = [
        tuple(free if size == -1 else size for free, size in zip((n, 3, h, w), input_shape, strict=True))
        for n, h, w in tried
    ]
    return list(dict.fromkeys(shapes))
