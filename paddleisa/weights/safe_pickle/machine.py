"""An interpreter for the part of the pickle language that a state dict needs, and for nothing else.

Why not Python's own ``pickle.Unpickler`` with a ``find_class`` that hands out stand-ins: it would call nothing either,
but a file of 400 kB that uses 200,000 nested tuples as a dictionary's key ends the process with a segmentation fault
(hashing recurses in C), and a memo index of 2**30 asks for 16 GB. This machine knows 38 of the 68 instructions (no
INST, OBJ, NEWOBJ, EXT or persistent id; the table stands at the end), hands every call to ``reduce``, which calls
nothing of the file's choice, and believes no length: memory stays below the file's size plus a few dozen MB. Data goes
straight from the file into the array that is returned, so that 150 MB take a fraction of a second.
"""

from __future__ import annotations

import codecs
import io
import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from paddleisa.errors import WeightsError
from paddleisa.weights.safe_pickle import numpy_records as records

CHUNK = 1 << 16
SHORT_TEXT = 512  # longer text can only be the data of an array (protocol 2), and is kept as bytes
MAX_TEXT = 16 << 20  # bytes of all short texts together: Python may need four times as many
MAX_INSTRUCTIONS = 500_000  # about 40 per tensor; each may take some 100 bytes of memory
TRUNCATED = "ends before its data does (an interrupted download or copy)"
AGAIN = "Download or copy the file again"

_MARK = object()
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}


def unpickle(stream: io.BufferedIOBase, size: int) -> object:
    """The object that ``stream``, ``size`` bytes of pickle protocol 2 to 4, describes.

    Returns:
        Dicts, lists, tuples, numbers and text as such; arrays as `records.ArrayRecord`; bytes as uint8 arrays.

    Raises:
        WeightsError: without a place, for anything that a state dict does not need and for damaged data.
    """
    return StateUnpickler(stream, size).load()


class StateUnpickler:
    """The pickle machine: a stack, and a memo of values that are used again.

    What a file may ask for is decided by five methods, here with the answers for Paddle's state dicts: ``look_up``,
    ``reduce``, ``build``, ``set_items`` and ``append``. Another format overrides them, and adds instructions.
    """

    instructions: ClassVar[dict[bytes, Callable[[Any], object]]] = {}  # by code: the table at the end of this file

    def __init__(self, stream: io.BufferedIOBase, size: int):
        self._stream, self._left = stream, size
        self._text_left = MAX_TEXT
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def load(self) -> object:
        """Run to the STOP instruction and return the one value that is then on the stack."""
        if self._take(1) != pickle.PROTO or self._take(1)[0] not in (2, 3, 4):
            raise WeightsError("is not a pickle of protocol 2, 3 or 4")
        for _ in range(MAX_INSTRUCTIONS):
            code = self._take(1)
            if code == pickle.STOP:
                return self._result()
            self._run(code)
        raise WeightsError(f"has more than {MAX_INSTRUCTIONS} pickle instructions, far more than a state dict needs")

    def _run(self, code: bytes) -> None:
        if code not in self.instructions:
            known = _OPCODES.get(code.decode("latin-1"))
            name = known.name if known else f"0x{code.hex()}"
            raise WeightsError(f"uses the pickle instruction {name}, which no state dict needs")
        try:
            self.instructions[code](self)
        except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
            raise WeightsError("is damaged: its pickle instructions do not fit together", fix=AGAIN) from error

    def _result(self) -> object:
        if len(self._stack) != 1 or self._stack[0] is _MARK:
            raise WeightsError("is damaged: its pickle ends in the middle of a value", fix=AGAIN)
        if self._left:
            raise WeightsError(f"goes on for {self._left} bytes after its end", fix=AGAIN)
        return self._stack[0]

    # Reading: no length is believed before it has been compared with what is left of the file.

    def _claim(self, count: int) -> None:
        if not 0 <= count <= self._left:
            raise WeightsError(TRUNCATED, fix=AGAIN)
        self._left -= count

    def _take(self, count: int) -> bytes:
        self._claim(count)
        data = self._stream.read(count)
        if len(data) != count:
            raise WeightsError(TRUNCATED, fix=AGAIN)
        return data

    def _number(self, form: str) -> int:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _data(self, count: int) -> np.ndarray:
        """The next ``count`` bytes as a new uint8 array."""
        self._claim(count)
        data = np.empty(count, np.uint8)
        view, filled = data.data, 0
        while filled < count:
            got = self._stream.readinto(view[filled : filled + (CHUNK << 4)])
            if not got:
                raise WeightsError(TRUNCATED, fix=AGAIN)
            filled += got
        return data

    def _text(self, count: int) -> object:
        """UTF-8 text of ``count`` bytes: a str when short, its latin-1 bytes when it can only be data."""
        if count <= SHORT_TEXT:
            self._text_left -= count
            if self._text_left < 0:
                raise WeightsError(f"holds more than {MAX_TEXT >> 20} MB of names")
            return self._take(count).decode("utf-8")
        if count > self._left:
            raise WeightsError(TRUNCATED, fix=AGAIN)
        data, filled = np.empty(count, np.uint8), 0
        decoder = codecs.getincrementaldecoder("utf-8")()
        for start in range(0, count, CHUNK):
            part = self._take(min(CHUNK, count - start))
            text = decoder.decode(part, final=start + len(part) == count)
            try:
                raw = text.encode("latin-1")
            except UnicodeEncodeError as error:
                raise WeightsError("holds a long text, which no state dict needs") from error
            data[filled : filled + len(raw)] = np.frombuffer(raw, np.uint8)
            filled += len(raw)
        return data[:filled]

    def _line(self) -> str:
        """Text up to the end of the line, for GLOBAL; no module or name of interest is longer than 512 bytes."""
        line = self._stream.readline(min(SHORT_TEXT, self._left))
        self._claim(len(line))
        if not line.endswith(b"\n"):
            raise WeightsError("is damaged: a global's name does not end", fix=AGAIN)
        return line[:-1].decode("utf-8")

    # The stack.

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self, count: int) -> list[object]:
        """The top ``count`` values, deepest first."""
        if len(self._stack) < count:
            raise IndexError("stack underflow")
        values = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        if any(value is _MARK for value in values):
            raise IndexError("a mark where a value is expected")
        return values

    def _pop_to_mark(self) -> list[object]:
        start = len(self._stack) - 1
        while start >= 0 and self._stack[start] is not _MARK:
            start -= 1
        if start < 0:
            raise IndexError("no mark")
        values = self._stack[start + 1 :]
        del self._stack[start:]
        return values

    # What a file may ask for.

    def look_up(self, module: object, name: object) -> object:
        """What stands for the global ``module.name`` on the stack; WeightsError for one that is not allowed."""
        return records.look_up(module, name)

    def reduce(self, function: object, arguments: object) -> object:
        """What stands for ``function(*arguments)``, without calling it."""
        return records.reduce(function, arguments)

    def build(self, target: object, state: object) -> None:
        """Give ``target``, made by ``reduce``, its state."""
        if not isinstance(target, (records.ArrayRecord, records.DtypeRecord)):
            raise WeightsError(f"sets attributes of a {records.shown(target)}, which no state dict needs")
        target.build(state)

    def set_items(self, items: list[object]) -> None:
        """Names and values in turn, for the dict on top of the stack."""
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise WeightsError(f"sets items of a {records.shown(target)}, which no state dict needs")
        for name, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(name, str):
                raise WeightsError(f"has a name that is a {records.shown(name)}, not text")
            if name in target:
                raise WeightsError(f"names {records.shown(name)!r} twice")
            target[name] = value

    def append(self, items: list[object]) -> None:
        """``items`` for the list on top of the stack."""
        target = self._stack[-1]
        if type(target) is not list:
            raise WeightsError(f"appends to a {records.shown(target)}, which no state dict needs")
        target.extend(items)

    # Instructions that take more than a line.

    def _frame(self) -> None:
        if self._number("<Q") > self._left:
            raise WeightsError(TRUNCATED, fix=AGAIN)

    def _long1(self) -> None:
        count = self._take(1)[0]
        if count > 8:
            raise WeightsError("holds a number of more than 64 bits")
        self._push(int.from_bytes(self._take(count), "little", signed=True))

    def _short_binstring(self) -> None:  # Python 2, which Paddle 2.0 still ran on
        self._push(self._take(self._number("<B")).decode("latin-1"))

    def _global(self) -> None:
        module = self._line()
        self._push(self.look_up(module, self._line()))

    def _build(self) -> None:
        (state,) = self._pop(1)
        self.build(self._stack[-1], state)

    def _memoize(self, index: int) -> None:
        self._memo[index] = self._stack[-1]


StateUnpickler.instructions = {
    # constants and numbers
    pickle.NONE: lambda vm: vm._push(None),
    pickle.NEWTRUE: lambda vm: vm._push(True),
    pickle.NEWFALSE: lambda vm: vm._push(False),
    pickle.BININT: lambda vm: vm._push(vm._number("<i")),
    pickle.BININT1: lambda vm: vm._push(vm._number("<B")),
    pickle.BININT2: lambda vm: vm._push(vm._number("<H")),
    pickle.BINFLOAT: lambda vm: vm._push(vm._number(">d")),
    pickle.LONG1: StateUnpickler._long1,
    # text and bytes
    pickle.SHORT_BINUNICODE: lambda vm: vm._push(vm._text(vm._number("<B"))),
    pickle.BINUNICODE: lambda vm: vm._push(vm._text(vm._number("<I"))),
    pickle.BINUNICODE8: lambda vm: vm._push(vm._text(vm._number("<Q"))),
    pickle.SHORT_BINSTRING: StateUnpickler._short_binstring,
    pickle.SHORT_BINBYTES: lambda vm: vm._push(vm._data(vm._number("<B"))),
    pickle.BINBYTES: lambda vm: vm._push(vm._data(vm._number("<I"))),
    pickle.BINBYTES8: lambda vm: vm._push(vm._data(vm._number("<Q"))),
    pickle.BINSTRING: lambda vm: vm._push(vm._data(vm._number("<i"))),
    # containers
    pickle.EMPTY_TUPLE: lambda vm: vm._push(()),
    pickle.TUPLE1: lambda vm: vm._push(tuple(vm._pop(1))),
    pickle.TUPLE2: lambda vm: vm._push(tuple(vm._pop(2))),
    pickle.TUPLE3: lambda vm: vm._push(tuple(vm._pop(3))),
    pickle.TUPLE: lambda vm: vm._push(tuple(vm._pop_to_mark())),
    pickle.EMPTY_DICT: lambda vm: vm._push({}),
    pickle.SETITEM: lambda vm: vm.set_items(vm._pop(2)),
    pickle.SETITEMS: lambda vm: vm.set_items(vm._pop_to_mark()),
    pickle.EMPTY_LIST: lambda vm: vm._push([]),
    pickle.APPEND: lambda vm: vm.append(vm._pop(1)),
    pickle.APPENDS: lambda vm: vm.append(vm._pop_to_mark()),
    # what the file names and wants done with it
    pickle.GLOBAL: StateUnpickler._global,
    pickle.STACK_GLOBAL: lambda vm: vm._push(vm.look_up(*vm._pop(2))),
    pickle.REDUCE: lambda vm: vm._push(vm.reduce(*vm._pop(2))),
    pickle.BUILD: StateUnpickler._build,
    # the machine's own
    pickle.FRAME: StateUnpickler._frame,
    pickle.MARK: lambda vm: vm._stack.append(_MARK),
    pickle.MEMOIZE: lambda vm: vm._memoize(len(vm._memo)),
    pickle.BINPUT: lambda vm: vm._memoize(vm._number("<B")),
    pickle.LONG_BINPUT: lambda vm: vm._memoize(vm._number("<I")),
    pickle.BINGET: lambda vm: vm._push(vm._memo[vm._number("<B")]),
    pickle.LONG_BINGET: lambda vm: vm._push(vm._memo[vm._number("<I")]),
}
