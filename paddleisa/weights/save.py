"""Writing state dicts: `.pdparams` that paddle.load reads everywhere, or `.safetensors`, which cannot run code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from paddleisa.errors import UsageError, WeightsError
from paddleisa.utils.files import atomic_write

PROTOCOL = 4  # paddle.save's own; Paddle 2.0 to 3.3 read it, and arrays above 4 GB fit


def save_weights(
    state: Mapping[str, object],
    path: str | os.PathLike,
    *,
    dtype: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a state dict; the file is whole or not there.

    Args:
        state: numpy arrays or paddle Tensors by name (``model.state_dict()``).
        path: ends in ``.pdparams`` or ``.safetensors``, which chooses the format.
        dtype: ``"float16"`` or ``"float32"`` to convert the floating-point tensors; None keeps them. bfloat16
            Tensors are written as uint16 holding their bits, which is Paddle's convention, and are not converted.
        metadata: texts to keep in the header of a ``.safetensors``.

    Returns:
        ``path`` as a Path.

    Raises:
        UsageError: another suffix or dtype, or metadata for a ``.pdparams``.
        WeightsError: a value that is not an array of numbers, or does not fit into float16.
        WriteError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".pdparams", ".safetensors"):
        raise UsageError("weights are written as .pdparams or .safetensors", where=path, fix="Choose one by the suffix")
    if dtype not in (None, "float16", "float32"):
        raise UsageError(f"weights cannot be written as {dtype!r}", fix="Choose float16 or float32")
    if metadata and path.suffix == ".pdparams":
        raise UsageError("a .pdparams holds tensors only, no metadata", where=path, fix="Write a .safetensors")
    arrays = {name: _array(name, value, dtype) for name, value in state.items()}
    if not arrays:
        raise WeightsError("there is no tensor to write", where=path)
    with atomic_write(path) as stream:
        if path.suffix == ".pdparams":
            pickle.dump(arrays, stream, protocol=PROTOCOL)
        else:
            import safetensors.numpy

            stream.write(safetensors.numpy.save(arrays, metadata=dict(metadata) if metadata else None))
    return path


def _array(name: str, value: object, dtype: str | None) -> np.ndarray:
    """``value`` as a contiguous little-endian array, 0-dimensional ones included."""
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value, order="C")
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise WeightsError(
            f"{name!r} is of type {array.dtype}, not an array of numbers", fix="Leave it out of the state"
        )
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if dtype is None or array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if not np.array_equal(np.isfinite(converted), np.isfinite(array)):
        raise WeightsError(f"{name!r} holds numbers too large for {dtype}", fix="Write float32")
    return converted
