"""Results as plain data: put together without loss, written as JSON that every reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from os import PathLike

from paddleisa.utils.files import atomic_write


def joined(*parts: Mapping[str, object]) -> dict[str, object]:
    """One mapping of all parts, in order.

    Raises:
        ValueError: two parts have a key in common, so that one value would be lost.
    """
    result: dict[str, object] = {}
    for part in parts:
        if twice := result.keys() & part.keys():
            raise ValueError(f"the result has two values for {', '.join(sorted(twice))}")
        result.update(part)
    return result


def plain_number(value: float) -> float | None:
    """``value`` for JSON, which has no NaN: None stands for "there is no such number"."""
    return None if math.isnan(value) else float(value)


def write_json(path: str | PathLike, value: object) -> None:
    """Write ``value`` as JSON, whole or not at all.

    Raises:
        ValueError: it holds NaN or infinity, which JSON has no word for. WriteError: a full disk, a forbidden path.
    """
    text = json.dumps(value, indent=1, allow_nan=False)
    with atomic_write(path, "w") as stream:
        stream.write(text + "\n")
