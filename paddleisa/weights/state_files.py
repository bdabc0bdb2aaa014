"""State dicts as files: Paddle's `.pdparams` (2.0 to 3.3) and `.pdopt`, and `.safetensors`, which cannot run code.

Reading runs nothing of a file; what is written, paddle.load reads everywhere.
"""

from __future__ import annotations

import io
import math
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from paddleisa.errors import PaddleISAError, UsageError, WeightsError
from paddleisa.utils.files import atomic_write
from paddleisa.weights.opening import HEAD, kind_of, open_regular, placed
from paddleisa.weights.safe_pickle.machine import AGAIN, unpickle
from paddleisa.weights.safe_pickle.numpy_records import ArrayRecord, check_shape, shown

NAME_TABLE = "StructuredToParameterName@@"  # {state name: parameter name}, in files of 2021; not needed to load
BIG_PARAMETERS = "UnpackBigParamInfor@@"  # arrays above 1 GiB, cut into pieces (protocol 2 and 3)
SAFETENSORS_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # numpy has none: the bits, as Paddle keeps them in a .pdparams
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
MAX_HEADER = 8 << 20  # bytes; a tensor's entry takes about 120


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The state dict in a weights file; the format is recognised by content, not by name.

    Args:
        path: a ``.pdparams`` that ``paddle.save`` of Paddle 2.0 to 3.3 wrote (pickle protocol 2, 3 or 4), or a
            ``.safetensors``. Nothing of a pickle is executed: see `unpickling`.

    Returns:
        Arrays by name, in the file's order, writable, of the dtypes float16/32/64, int8..64, uint8..64 and bool.
        bfloat16, which numpy lacks, comes as uint16 holding its bits, in both formats.

    Raises:
        WeightsError: the file is missing, unsafe, damaged, or something else than a state dict; says which.
    """
    with placed(path), open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(HEAD)
        stream.seek(0)
        if kind_of(head, size) == "safetensors":
            return _read_safetensors(path, stream, size)
        return read_pickle(stream, size)


def read_pickle(stream: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The state dict that the next ``size`` bytes of ``stream`` hold as a pickle; its errors do not name a place."""
    return _state(unpickle(stream, size))


def _state(value: object) -> dict[str, np.ndarray]:
    """Arrays by name from an unpickled value, without Paddle's two marker entries."""
    if not isinstance(value, dict):
        raise WeightsError(f"holds a {_described(value)}, not a state dict", fix="Save model.state_dict() of the model")
    names, pieces = value.pop(NAME_TABLE, {}), value.pop(BIG_PARAMETERS, {})
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise WeightsError(f"is damaged: its entry {NAME_TABLE!r} does not map names to names", fix=AGAIN)
    state = {name: array_of(name, item) for name, item in value.items()}
    _join(state, pieces)
    if not state:
        raise WeightsError("holds no tensor", fix="Save model.state_dict() of the model")
    return state


def array_of(name: str, value: object) -> np.ndarray:
    """The array in an unpickled entry of a state dict; WeightsError where there is something else."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]  # a Tensor of Paddle >= 2.1: (its own name, array)
    if isinstance(value, ArrayRecord):
        if value.array is None:
            raise WeightsError(f"is damaged: {shown(name)!r} has no data", fix=AGAIN)
        return value.array
    if isinstance(value, dict) and any(isinstance(item, (ArrayRecord, tuple)) for item in value.values()):
        advice = f"This is a checkpoint of several parts: save its part {shown(name)!r} alone"
    else:
        advice = "Give the .pdparams of the model; optimizer states (.pdopt) and checkpoints are something else"
    raise WeightsError(f"holds a {_described(value)} as {shown(name)!r} where a state dict has a tensor", fix=advice)


def _described(value: object) -> str:
    kinds = {dict: "dict", ArrayRecord: "single tensor", str: "text", int: "number", float: "number", bool: "number"}
    return kinds.get(type(value), type(value).__name__)


def _join(state: dict[str, np.ndarray], pieces: object) -> None:
    """Put together the arrays that Paddle cut: ``pieces`` is {name: {"OriginShape": shape, "slices": [names]}}."""
    if not isinstance(pieces, dict):
        raise WeightsError(f"is damaged: its entry {BIG_PARAMETERS!r} is not a dict", fix=AGAIN)
    used: set[int] = set()  # addresses: a hostile file could name one big block of data a thousand times
    for name, info in pieces.items():
        slices = info.get("slices") if isinstance(info, dict) else None
        shape = info.get("OriginShape") if isinstance(info, dict) else None
        if not isinstance(slices, list) or not slices or not all(isinstance(part, str) for part in slices):
            raise WeightsError(f"is damaged: the pieces of {shown(name)!r} are not listed", fix=AGAIN)
        shape = tuple(shape) if isinstance(shape, list) else shape
        check_shape(shape)
        assert isinstance(shape, tuple)  # by check_shape
        lost = [part for part in slices if part not in state]
        if lost or len(set(slices)) != len(slices) or name in state:
            raise WeightsError(f"is damaged: pieces of {shown(name)!r} are missing or used twice", fix=AGAIN)
        parts = [state.pop(part) for part in slices]
        addresses = [part.ctypes.data for part in parts]
        if len(set(addresses)) != len(addresses) or not used.isdisjoint(addresses):
            raise WeightsError(f"is damaged: pieces of {shown(name)!r} share their data", fix=AGAIN)
        used.update(addresses)
        fits = sum(part.size for part in parts) == math.prod(shape)
        if not fits or any(part.ndim != 1 or part.dtype != parts[0].dtype for part in parts):
            raise WeightsError(f"is damaged: the pieces of {shown(name)!r} do not make up shape {shape}", fix=AGAIN)
        state[name] = np.concatenate(parts).reshape(shape)


def _read_safetensors(path: str | os.PathLike, stream: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """As `read_weights`. The safetensors library checks the header (types, shapes and offsets, which must cover the
    file exactly); the data is read here, one tensor after the other, because numpy has no bfloat16 to give it in."""
    import safetensors

    header = int.from_bytes(stream.read(8), "little")
    if header > min(size - 8, MAX_HEADER):
        reason = f"of more than {MAX_HEADER >> 20} MB" if header <= size - 8 else "longer than the file"
        raise WeightsError(f"is damaged: it declares a safetensors header {reason}", fix=AGAIN)
    state = {}
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            layout = {name: file.get_slice(name) for name in file.offset_keys()}
            layout = {name: (item.get_dtype(), tuple(item.get_shape())) for name, item in layout.items()}
    except (safetensors.SafetensorError, PaddleISAError) as error:
        raise WeightsError(f"is damaged ({shown(str(error), 120)})", fix=AGAIN) from error
    stream.seek(8 + header)
    for name, (code, shape) in layout.items():
        if code not in SAFETENSORS_DTYPES:
            raise WeightsError(f"holds {shown(name)!r} of type {code}, which no model here uses")
        check_shape(shape)
        state[name] = array = np.empty(shape, SAFETENSORS_DTYPES[code])
        if array.size and stream.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
            raise WeightsError("changed while it was read", fix="Read it again when nothing writes to it")
    if not state:
        raise WeightsError("holds no tensor", fix="Save model.state_dict() of the model")
    return state


_MASTERS, _SCHEDULE = "master_weights", "LR_Scheduler"


def parameter_names(path: str | os.PathLike) -> dict[str, str]:
    """Paddle's own name of every tensor in a ``.pdparams`` (``conv2d_0.w_0``), to its name in the model.

    Raises:
        WeightsError: the file cannot be read, or holds no such names.
    """
    with placed(path):
        value = _mapping(path)
        table = value.get(NAME_TABLE)
        if not isinstance(table, dict):  # Paddle 2.1 and later, without its table: each tensor is (its name, array)
            table = {name: item[0] for name, item in value.items() if isinstance(item, tuple) and item}
        if not table or not all(isinstance(word, str) for pair in table.items() for word in pair):
            raise WeightsError("does not hold the names that Paddle gave its parameters", fix=AGAIN)
        return {paddle_name: name for name, paddle_name in table.items()}


def read_optimizer(path: str | os.PathLike) -> tuple[dict[str, object], int | None]:
    """What ``paddle.save(optimizer.state_dict())`` wrote; nothing of the pickle is executed.

    Returns:
        (arrays under Paddle's names, with ``master_weights`` inside where there are any; number of steps that the
        learning rate's schedule has made, None where the file does not say).

    Raises:
        WeightsError: the file cannot be read, or is something else.
    """
    with placed(path):
        value = _mapping(path)
        schedule = value.pop(_SCHEDULE, None)
        value.pop(NAME_TABLE, None)
        masters = value.pop(_MASTERS, None)
        state: dict[str, object] = {name: array_of(name, item) for name, item in value.items()}
        if isinstance(masters, dict):
            state[_MASTERS] = {name: array_of(name, item) for name, item in masters.items() if name != NAME_TABLE}
        steps = schedule.get("last_epoch") if isinstance(schedule, dict) else None
        return state, steps if isinstance(steps, int) and steps >= 0 else None


def _mapping(path: str | os.PathLike) -> dict[str, object]:
    with open_regular(path) as stream:
        value = unpickle(stream, os.fstat(stream.fileno()).st_size)
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise WeightsError("is not a state dict", fix=AGAIN)
    return value


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
