"""What a pickled state dict may ask for, as records of ours: no callable of the file's choice is ever called.

A `.pdparams` describes an array in three steps: ``_reconstruct(ndarray, (0,), b"b")`` makes an empty one,
``dtype("f4", False, True)`` its type, and a BUILD instruction fills in shape, type and data. Here each step is a
record that checks what it is given; the only thing that numpy gets to see in the end is a block of bytes whose length
is exactly that of the declared shape.
"""

from __future__ import annotations

import enum
import math

import numpy as np

from paddleisa.errors import WeightsError


class Global(enum.Enum):
    """The things outside the file that a state dict refers to."""

    RECONSTRUCT = "numpy's _reconstruct"
    NDARRAY = "numpy's ndarray"
    DTYPE = "numpy's dtype"
    ENCODE = "_codecs.encode"
    BYTES = "bytes"
    TUPLE = "tuple"
    ORDERED_DICT = "OrderedDict"


# Exact (module, name) pairs. numpy renamed `core` to `_core` in 2.0; pickle protocol 2 spells byte strings as
# `_codecs.encode(text, "latin1")` and the empty one as `bytes()`; Paddle 2.1 and later write a Tensor that is not in
# a plain state dict as `tuple((name, array))`.
ALLOWED_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): Global.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): Global.RECONSTRUCT,
    ("numpy", "ndarray"): Global.NDARRAY,
    ("numpy", "dtype"): Global.DTYPE,
    ("_codecs", "encode"): Global.ENCODE,
    ("__builtin__", "bytes"): Global.BYTES,
    ("builtins", "bytes"): Global.BYTES,
    ("__builtin__", "tuple"): Global.TUPLE,
    ("builtins", "tuple"): Global.TUPLE,
    ("collections", "OrderedDict"): Global.ORDERED_DICT,
}

DTYPES = {
    code: np.dtype(code).newbyteorder("<")
    for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
}

MAX_DIMENSIONS = 16
MAX_ELEMENTS = 2**40


def shown(value: object, limit: int = 60) -> str:
    """``value`` for a one-line message: printable and short whatever a hostile file put there."""
    text = value if isinstance(value, str) else type(value).__name__
    text = "".join(c if c.isprintable() else "?" for c in text[: limit + 1])
    return text if len(text) <= limit else f"{text[:limit]}..."


class DtypeRecord:
    """A numpy dtype with one of the 12 codes of ``DTYPES``."""

    def __init__(self, code: object):
        if not isinstance(code, str) or code not in DTYPES:
            objects = isinstance(code, str) and code.startswith("O")
            what = "Python objects, which can run code when they are unpickled" if objects else "not plain numbers"
            raise WeightsError(f"holds an array of dtype {shown(code)!r}: {what}")
        self.dtype = DTYPES[code]

    def build(self, state: object) -> None:
        """Check the state that numpy writes after ``dtype(...)``: byte order, no fields, no sub-array."""
        if not isinstance(state, tuple) or len(state) != 8 or any(item is not None for item in state[2:5]):
            raise WeightsError("holds an array whose dtype has fields or another unknown state")
        if not isinstance(state[1], str) or state[1] not in ("<", "|", "="):
            raise WeightsError("holds big-endian arrays", fix="Write the file again on a little-endian machine")


class ArrayRecord:
    """An array under construction; ``array`` is None until its BUILD instruction has been met."""

    def __init__(self) -> None:
        self.array: np.ndarray | None = None

    def build(self, state: object) -> None:
        """Fill from numpy's state ``(version, shape, dtype, is_fortran, data)``; the data is not copied."""
        if self.array is not None:
            raise WeightsError("fills the same array twice")
        if not isinstance(state, tuple) or len(state) != 5:
            raise WeightsError("holds an array with an unknown state")
        _, shape, dtype, is_fortran, data = state
        if not isinstance(dtype, DtypeRecord) or not isinstance(is_fortran, int):
            raise WeightsError("holds an array without a dtype or with an unknown order")
        if isinstance(data, str):  # Python 2 wrote byte strings and text alike
            data = _latin1(data)
        if not isinstance(data, np.ndarray):
            raise WeightsError(f"holds an array whose data is a {shown(data)}, not bytes")
        check_shape(shape)
        expected = math.prod(shape) * dtype.dtype.itemsize
        if expected != data.size:
            raise WeightsError(
                f"declares an array of shape {shape}, {expected} bytes, but holds {data.size} bytes of it"
            )
        self.array = data.view(dtype.dtype).reshape(shape, order="F" if is_fortran else "C")


def check_shape(shape: object) -> None:
    """WeightsError unless ``shape`` is a tuple of at most 16 whole numbers >= 0 with at most 2**40 elements."""
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise WeightsError("declares an array whose shape is not a short tuple of whole numbers")
    if math.prod(max(n, 1) for n in shape) > MAX_ELEMENTS:
        raise WeightsError("declares an array of more than 2**40 elements")


def look_up(module: object, name: object) -> Global:
    """The record for a global of the file; everything outside ``ALLOWED_GLOBALS`` is refused by name."""
    if not isinstance(module, str) or not isinstance(name, str):
        raise WeightsError("asks for a global whose name is not text")
    if (module, name) not in ALLOWED_GLOBALS:
        raise WeightsError(
            f"would import and could run {shown(f'{module}.{name}')!r} when it is unpickled",
            fix="Do not open it with paddle.load; get the file from its author again",
        )
    return ALLOWED_GLOBALS[module, name]


def reduce(function: object, arguments: object) -> object:
    """The record for a call that the file asks for, ``function(*arguments)``; other calls are refused.

    Raises WeightsError for a function that is not a Global or for arguments that numpy and Paddle never write.
    """
    if not isinstance(function, Global):
        raise WeightsError(f"calls a {shown(function)}, which is not a function")
    match function, arguments:  # the guards compare identities and text only: an array's == is not a yes or no
        case Global.RECONSTRUCT, (base, tuple(), _) if base is Global.NDARRAY:
            return ArrayRecord()
        case Global.DTYPE, (code, int(), int()):
            return DtypeRecord(code)
        case Global.ENCODE, (str() | np.ndarray() as text, str() as codec) if codec == "latin1":
            return _latin1(text) if isinstance(text, str) else text  # long text is kept as its latin-1 bytes
        case Global.BYTES, ():
            return np.empty(0, np.uint8)
        case Global.TUPLE, (tuple() as items,):
            return items
        case Global.ORDERED_DICT, ():
            return {}
    raise WeightsError(f"calls {function.value} with arguments that no state dict needs")


def _latin1(text: str) -> np.ndarray:
    try:
        return np.frombuffer(bytearray(text, "latin-1"), np.uint8)
    except UnicodeEncodeError as error:
        raise WeightsError("holds text where bytes are expected") from error
