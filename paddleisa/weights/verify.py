"""Is this state dict what a catalogue says it is? Names, shapes, types, and values that a trained model can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

VARIANCE_SUFFIX = "_variance"  # Paddle's name for a batch norm's running variance


@dataclass(frozen=True)
class Difference:
    """One way in which a state dict differs from its manifest.

    Attributes:
        name: the tensor.
        kind: what differs.
        expected: what the manifest, or sense, asks for; empty for an unexpected tensor.
        found: what the state dict holds; empty for a missing one.
    """

    name: str
    kind: Literal["missing", "unexpected", "shape", "dtype", "finite", "variance"]
    expected: str
    found: str

    def __str__(self) -> str:
        if self.kind in ("missing", "unexpected"):
            return f"{self.name}: {self.kind} ({self.expected or self.found})"
        return f"{self.name}: {self.kind} should be {self.expected}, is {self.found}"


def verify_state(
    state: Mapping[str, np.ndarray], manifest: Iterable[tuple[str, Iterable[int], str]]
) -> list[Difference]:
    """Every difference between ``state`` and ``manifest``; an empty list when there is none.

    Args:
        state: arrays by name, as `read_weights` gives them.
        manifest: name, shape and dtype of each tensor (``"float32"``; bfloat16 is ``"uint16"`` in a state), as in
            the catalogue and in ``reference/state_manifest.json``.

    Returns:
        Differences in the manifest's order: missing names, shapes, types; NaN or infinity; running variances (names
        that end in ``_variance``) that are not all positive. Then the unexpected names.
    """
    differences, known = [], set()
    for name, shape, dtype in manifest:
        known.add(name)
        expected = _described(tuple(shape), dtype)
        if name not in state:
            differences.append(Difference(name, "missing", expected, ""))
        else:
            differences += _compare(name, state[name], tuple(shape), dtype)
    for name, array in state.items():
        if name not in known:
            differences.append(Difference(name, "unexpected", "", _described(array.shape, array.dtype.name)))
            differences += _check_values(name, array)
    return differences


def _compare(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: str) -> list[Difference]:
    found = []
    if array.shape != shape:
        found.append(Difference(name, "shape", str(list(shape)), str(list(array.shape))))
    if array.dtype.name != dtype:
        found.append(Difference(name, "dtype", dtype, array.dtype.name))
    return found + _check_values(name, array)


def _check_values(name: str, array: np.ndarray) -> list[Difference]:
    if array.dtype.kind != "f":
        return []
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        return [Difference(name, "finite", "finite", f"NaN or infinity in {bad} of {array.size} values")]
    if name.endswith(VARIANCE_SUFFIX) and array.size and array.min() <= 0:
        return [Difference(name, "variance", "positive", f"{array.min():g} at the least")]
    return []


def _described(shape: tuple[int, ...], dtype: str) -> str:
    return f"{list(shape)} {dtype}"
