"""What a model computes, as one hash: two models with the same one give the same exported file."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.utils.files import sha256_of

if TYPE_CHECKING:
    from paddle import nn

_PER_PROCESS = ("_full_name", "training")  # the one counts layers, the other is set before every use


def weights_digest(model: nn.Layer) -> str:
    """SHA-256 over names, types, shapes and values of the state dict, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        value = np.ascontiguousarray(tensor.numpy())
        digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
        digest.update(value.data)
    return digest.hexdigest()


def structure_digest(model: nn.Layer) -> str:
    """SHA-256 over the layers' names, classes and plain attributes, and the source of every class not Paddle's own.

    ``align_corners`` and the attention's window, say, are in no state dict, and a plug-in's forward is in no config.
    """
    layers: list[list[object]] = []
    sources: set[str] = set()
    for name, layer in model.named_sublayers(include_self=True):
        kind = type(layer)
        plain = {
            key: value for key, value in vars(layer).items() if key not in _PER_PROCESS and _is_plain(value, depth=3)
        }
        layers.append([name, f"{kind.__module__}.{kind.__qualname__}", plain])
        sources.update(file for cls in kind.__mro__ if (file := _source(cls)))
    text = json.dumps([layers, sorted(map(sha256_of, sources))], sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(folder: Path) -> str:
    """SHA-256 over the Python files in ``folder`` and below."""
    hashes = [sha256_of(file) for file in sorted(folder.rglob("*.py"))]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _is_plain(value: object, depth: int) -> bool:
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    if isinstance(value, Mapping):
        items = value.items()
        return depth > 0 and all(isinstance(k, str) and _is_plain(v, depth - 1) for k, v in items)
    if is_dataclass(value) and not isinstance(value, type):
        return _is_plain(asdict(value), depth)
    return value is None or isinstance(value, bool | int | float | str)


def _source(cls: type) -> str | None:
    if cls.__module__.partition(".")[0] in ("paddle", "builtins"):
        return None
    try:
        return inspect.getsourcefile(cls)
    except (TypeError, OSError):  # a class made in an interactive session
        return None
