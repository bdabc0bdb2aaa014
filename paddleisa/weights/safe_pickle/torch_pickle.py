"""The pickle inside a PyTorch checkpoint, read without PyTorch and without running anything.

A checkpoint holds more than tensors: configs, dates, an optimizer's state, whatever its author put into it. What is
not a tensor is not wanted here, but must not make the file unreadable either. So every global that is not known
becomes an `Inert`: an object with a name and no behaviour. Calling it, giving it attributes, items or elements leaves
it as it is. The machine itself never calls a value, so there is nothing that a file could reach.
"""

from __future__ import annotations

import enum
import pickle
from dataclasses import dataclass

import numpy as np

from paddleisa.errors import WeightsError
from paddleisa.weights.safe_pickle.machine import CHUNK, SHORT_TEXT, TRUNCATED, StateUnpickler
from paddleisa.weights.safe_pickle.numpy_records import shown


class Inert:
    """Stands for a part of the file that is not known here; ``name`` says what it would have been."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = shown(name)


class Known(enum.Enum):
    """The functions that make up a state dict."""

    REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2"
    REBUILD_PARAMETER = "torch._utils._rebuild_parameter"
    ORDERED_DICT = "collections.OrderedDict"


@dataclass(frozen=True)
class StorageType:
    """A class of ``torch`` that holds numbers of one type. bfloat16, which numpy lacks, is kept as its bits."""

    dtype: np.dtype


@dataclass(frozen=True)
class Storage:
    """A block of numbers elsewhere in the file."""

    key: str
    dtype: np.dtype
    elements: int


@dataclass(frozen=True)
class TensorRecord:
    """What the file says about a tensor; nothing but the type of ``storage`` has been checked."""

    storage: Storage
    offset: object
    shape: object
    strides: object


_STORAGE_CODES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
GLOBALS: dict[tuple[str, str], Known | StorageType] = {
    **{(known.value.rpartition(".")[0], known.value.rpartition(".")[2]): known for known in Known},
    **{("torch", name): StorageType(np.dtype(code)) for name, code in _STORAGE_CODES.items()},
}


class TorchUnpickler(StateUnpickler):
    """As StateUnpickler, for `torch.save`: tensors become `TensorRecord`, everything unknown becomes `Inert`.

    Attributes:
        storages: the blocks that the pickle refers to, by key.
        rest: bytes that follow the pickle, once it has been read.
    """

    def __init__(self, stream, size: int):
        super().__init__(stream, size)
        self.storages: dict[str, Storage] = {}
        self.rest = 0

    def _result(self) -> object:
        self.rest, self._left = self._left, 0
        return super()._result()

    def _text(self, count: int) -> object:
        """Short text as a str. Long text is no tensor's name (a config, a log): it is skipped."""
        return super()._text(count) if count <= SHORT_TEXT else self._skip(count, "a long text")

    def _skip(self, count: int, name: str) -> Inert:
        if count > self._left:
            raise WeightsError(TRUNCATED)
        while count > 0:
            count -= len(self._take(min(CHUNK, count)))
        return Inert(name)

    def look_up(self, module: object, name: object) -> object:
        """The known thing of that name, else an Inert."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise WeightsError("asks for a global whose name is not text")
        return GLOBALS.get((module, name)) or Inert(f"{module}.{name}")

    def reduce(self, function: object, arguments: object) -> object:
        """The record of a call that makes a tensor or a dict; an Inert for any other."""
        if not isinstance(function, Known):
            return function if isinstance(function, Inert) else Inert(f"a call of a {shown(function)}")
        match function, arguments:
            case Known.REBUILD_TENSOR, (Storage() as storage, offset, shape, strides, _, _, *metadata):
                if len(metadata) <= 1:
                    return TensorRecord(storage, offset, shape, strides)
            case Known.REBUILD_PARAMETER, (TensorRecord() as tensor, _, _):
                return tensor
            case Known.ORDERED_DICT, ():
                return {}
        return Inert(f"an unusual {function.value}")

    def build(self, target: object, state: object) -> None:
        """Attributes are dropped: an OrderedDict's ``_metadata`` is the only one that a state dict has."""

    def set_items(self, items: list[object]) -> None:
        """Into a dict, as far as the keys are plain; dropped elsewhere.

        Other keys (tuples, Inerts) are dropped too: hashing a nested tuple can take for ever.
        """
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            return
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int, float, bool, type(None)):
                continue
            if key in target:
                raise WeightsError(f"names {shown(str(key))!r} twice")
            target[key] = value

    def append(self, items: list[object]) -> None:
        """To a list; dropped elsewhere."""
        if type(self._stack[-1]) is list:
            self._stack[-1].extend(items)

    def persistent(self, identity: object) -> object:
        """The storage that ``("storage", type, key, location, elements[, view])`` stands for, else an Inert."""
        match identity:  # guards on identity and on text only: an array's == is not a yes or no
            case (str() as tag, StorageType() as kind, str() as key, _, int() as count, *view):
                if tag != "storage" or len(view) > 1 or any(item is not None for item in view):
                    return Inert("a persistent id")
            case _:
                return Inert("a persistent id")
        storage = Storage(key, kind.dtype, count)
        if self.storages.setdefault(key, storage) != storage:
            raise WeightsError(f"describes its storage {shown(key)!r} in two ways")
        return storage

    def inert_from_mark(self, name: str) -> None:
        """Replace everything above the last mark by an Inert."""
        self._pop_to_mark()
        self._push(Inert(name))


def _inst(vm: TorchUnpickler) -> None:
    module = vm._line()
    vm.inert_from_mark(f"{module}.{vm._line()}")


def _long1(vm: TorchUnpickler) -> None:
    count = vm._take(1)[0]
    digits = vm._take(count)
    vm._push(int.from_bytes(digits, "little", signed=True) if count <= 8 else Inert("a long number"))


TorchUnpickler.instructions = {
    **StateUnpickler.instructions,
    pickle.BINPERSID: lambda vm: vm._push(vm.persistent(*vm._pop(1))),
    pickle.NEWOBJ: lambda vm: vm._push(vm.reduce(*vm._pop(2))),
    pickle.NEWOBJ_EX: lambda vm: vm._push(vm.reduce(*vm._pop(3)[:2])),
    pickle.OBJ: lambda vm: vm.inert_from_mark("an object"),
    pickle.INST: _inst,
    pickle.LONG1: _long1,
    pickle.LONG4: lambda vm: vm._push(vm._skip(vm._number("<I"), "a long number")),
    pickle.EMPTY_SET: lambda vm: vm._push(Inert("a set")),
    pickle.ADDITEMS: lambda vm: vm._pop_to_mark(),
    pickle.FROZENSET: lambda vm: vm.inert_from_mark("a set"),
    pickle.POP: lambda vm: vm._stack.pop(),
    pickle.POP_MARK: lambda vm: vm._pop_to_mark(),
    pickle.EXT1: lambda vm: vm._push(Inert(f"extension {vm._number('<B')}")),
    pickle.EXT2: lambda vm: vm._push(Inert(f"extension {vm._number('<H')}")),
    pickle.EXT4: lambda vm: vm._push(Inert(f"extension {vm._number('<i')}")),
}
