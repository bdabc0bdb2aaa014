"""A model's tensors as text: one sorted line ``name [shape] dtype`` each, so that a digest identifies the whole set.

The digest is the sha256 of the text, which is also what ``sha256sum`` says of the manifest file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from paddleisa.errors import ConfigError


class Tensor(NamedTuple):
    """What is known of a tensor before its values: ``shape`` of non-negative integers, numpy's name of the dtype."""

    shape: tuple[int, ...]
    dtype: str


def manifest_text(tensors: Mapping[str, Tensor]) -> str:
    """The canonical text of a set of tensors, one line each, sorted by name (by code point)."""
    lines = (
        f"{name} {json.dumps(list(shape), separators=(',', ':'))} {dtype}" for name, (shape, dtype) in tensors.items()
    )
    return "".join(f"{line}\n" for line in sorted(lines))


def manifest_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 (hex) of :func:`manifest_text`."""
    return hashlib.sha256(manifest_text(tensors).encode()).hexdigest()


def parse_manifest(text: str, where: object) -> dict[str, Tensor]:
    """The tensors of a manifest text. Raises ConfigError naming the line that is not ``name [shape] dtype``."""
    tensors: dict[str, Tensor] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, shape, dtype = _fields(line, f"{where}:{number}")
        if name in tensors:
            raise ConfigError(f"tensor {name!r} is listed twice", where=f"{where}:{number}")
        tensors[name] = Tensor(shape, dtype)
    return tensors


def byte_count(tensors: Iterable[Tensor]) -> int:
    """Bytes that the tensors' values take (an unknown dtype counts 8 bytes a value)."""
    width = {"float32": 4, "float16": 2, "bfloat16": 2, "int32": 4, "uint8": 1, "int8": 1, "bool": 1}
    total = 0
    for tensor in tensors:
        count = width.get(tensor.dtype, 8)
        for length in tensor.shape:
            count *= length
        total += count
    return total


def _fields(line: str, where: str) -> tuple[str, tuple[int, ...], str]:
    parts = line.rsplit(" ", 2)
    try:
        name, shape, dtype = parts[0], json.loads(parts[1]), parts[2]
    except (IndexError, ValueError) as error:
        raise ConfigError("is not a line of a manifest", where=where, fix="Write: name [shape] dtype") from error
    if not (name and dtype and isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)):
        raise ConfigError("is not a line of a manifest", where=where, fix="Write: name [shape] dtype")
    return name, tuple(shape), dtype
