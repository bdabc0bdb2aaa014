"""Reading PyTorch checkpoints (`.pth`, `.pt`) as state dicts, without PyTorch and without running anything.

Both formats of `torch.save` are read: the zip since 1.6 (a pickle ``data.pkl`` beside one member per storage), and
the stream before it (pickles, then the storages one after the other). ``torch_pickle`` says why that is safe.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from paddleisa.errors import WeightsError
from paddleisa.weights.opening import AGAIN, HEAD, TORCH_MAGIC, archive_kind, kind_of, open_regular, placed
from paddleisa.weights.safe_pickle.numpy_records import check_shape, shown
from paddleisa.weights.safe_pickle.torch_pickle import Inert, Storage, TensorRecord, TorchUnpickler
from paddleisa.weights.safe_pickle.torch_zip import Member, read_member, zip_members

MAX_PICKLE = 64 << 20  # bytes; that of ISANet-101 takes 150 KB
MAX_STORAGES = 100_000
_TORCH_VERSION = b"\x80\x02M\xe9\x03."  # 1001, the one version of the old format
_PARTS = ("state_dict", "model", "model_state_dict")  # where a checkpoint keeps the model, by custom

Storages = Callable[[Storage], np.ndarray]


def read_torch(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch checkpoint.

    Args:
        path: what ``torch.save`` wrote: a state dict, or a dict that holds one as ``state_dict`` (mmsegmentation),
            ``model`` or ``model_state_dict``. Whatever else it holds is left out, unread.

    Returns:
        Arrays by name, in the file's order, contiguous and writable; bfloat16 as uint16 holding its bits.

    Raises:
        WeightsError: the file is missing or damaged, is not such a checkpoint, or its state dict holds something else
            than tensors.
    """
    with placed(path), open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(HEAD)
        stream.seek(0)
        if head.startswith(TORCH_MAGIC):
            return _read_stream(stream, size)
        if archive_kind(head) == "zip":
            return _read_zip(stream, size)
        raise WeightsError(f"is a {kind_of(head, size)} file, not a PyTorch one", fix="Read it with read_weights")


def is_torch(path: str | os.PathLike) -> bool:
    """Whether `read_torch` is what reads this file; any zip counts. WeightsError when there is no such file."""
    with placed(path), open_regular(path) as stream:
        head = stream.read(HEAD)
    return head.startswith(TORCH_MAGIC) or archive_kind(head) == "zip"


def _read_zip(stream: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    members = zip_members(stream, size)
    folders = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(folders) != 1 or f"{folders[0]}constants.pkl" in members:
        raise WeightsError(
            "is a zip that torch.save did not write (an archive, or an exported TorchScript model)",
            fix="Give the training's checkpoint, as torch.save wrote it",
        )
    folder = folders[0]
    order = members.get(f"{folder}byteorder")
    if order and read_member(stream, order).tobytes() != b"little":
        raise WeightsError("was written on a big-endian machine", fix="Write it on a little-endian one")
    if members[f"{folder}data.pkl"].size > MAX_PICKLE:
        raise WeightsError(f"has a pickle of more than {MAX_PICKLE >> 20} MB, far more than weights need")
    pickled = read_member(stream, members[f"{folder}data.pkl"])
    machine = TorchUnpickler(io.BytesIO(pickled.tobytes()), pickled.size)
    checkpoint = machine.load()
    if machine.rest:
        raise WeightsError(f"has a pickle that goes on for {machine.rest} bytes after its end", fix=AGAIN)
    places = {key: members.get(f"{folder}data/{key}") for key in machine.storages}
    return _tensors(checkpoint, machine.storages, lambda s: _stored(s, places[s.key], stream))


def _stored(storage: Storage, member: Member | None, stream: io.BufferedIOBase) -> np.ndarray:
    if member is None or member.size != storage.elements * storage.dtype.itemsize:
        raise WeightsError(f"is damaged: its storage {shown(storage.key)!r} is missing or of another size", fix=AGAIN)
    return read_member(stream, member).view(storage.dtype)


def _read_stream(stream: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The format before 1.6: magic, version, system, checkpoint, keys (pickles); then count and data per storage."""
    start = len(TORCH_MAGIC + _TORCH_VERSION)
    if stream.read(start)[len(TORCH_MAGIC) :] != _TORCH_VERSION:
        raise WeightsError("is a PyTorch file of an unknown version", fix="Save it again with a current PyTorch")
    system = TorchUnpickler(stream, size - start)
    facts = system.load()
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise WeightsError("was written on a big-endian machine", fix="Write it on a little-endian one")
    machine = TorchUnpickler(stream, system.rest)
    checkpoint = machine.load()
    listing = TorchUnpickler(stream, machine.rest)
    keys = listing.load()
    if not isinstance(keys, list) or len(keys) > MAX_STORAGES or any(type(key) is not str for key in keys):
        raise WeightsError("is damaged: its storages are not listed", fix=AGAIN)
    if sorted(keys) != sorted(machine.storages):
        raise WeightsError("is damaged: it lists other storages than it uses", fix=AGAIN)
    starts, at = {}, size - listing.rest
    for key in keys:
        storage = machine.storages[key]
        stream.seek(at)
        count, length = stream.read(8), storage.elements * storage.dtype.itemsize
        if int.from_bytes(count, "little") != storage.elements or not 0 <= length <= size - at - 8:
            raise WeightsError(f"is damaged: its storage {shown(key)!r} is cut off or of another size", fix=AGAIN)
        starts[key], at = at + 8, at + 8 + length
    if at != size:
        raise WeightsError(f"goes on for {size - at} bytes after its end", fix=AGAIN)
    return _tensors(checkpoint, machine.storages, lambda s: _streamed(s, starts[s.key], stream))


def _streamed(storage: Storage, start: int, stream: io.BufferedIOBase) -> np.ndarray:
    stream.seek(start)
    data = np.empty(storage.elements, storage.dtype)
    if data.size and stream.readinto(data.view(np.uint8).data) != data.nbytes:
        raise WeightsError("changed while it was read", fix="Read it again when nothing writes to it")
    return data


def _tensors(checkpoint: object, storages: dict[str, Storage], load: Storages) -> dict[str, np.ndarray]:
    """The arrays of the checkpoint's state dict. Together they hold no more bytes than their storages."""
    records = _state_dict(checkpoint)
    used = {record.storage.key for record in records.values()}
    left = sum(storages[key].elements * storages[key].dtype.itemsize for key in used)
    state, loaded = {}, {}
    for name, record in records.items():
        left -= _checked_size(name, record)
        if left < 0:
            raise WeightsError(
                "has tensors that share or repeat their data, which no ISANet does",
                fix="Save clones of them: {name: tensor.clone() ...}",
            )
        if record.storage.key not in loaded:
            loaded[record.storage.key] = load(record.storage)
        state[name] = _array(record, loaded[record.storage.key])
    return state


def _state_dict(checkpoint: object) -> dict[str, TensorRecord]:
    """The part of the checkpoint that holds the model's tensors."""
    value = checkpoint
    if isinstance(checkpoint, dict):
        value = next((checkpoint[part] for part in _PARTS if isinstance(checkpoint.get(part), dict)), checkpoint)
    if not isinstance(value, dict) or not value:
        what = value.name if isinstance(value, Inert) else f"a {shown(value)} without tensors"
        raise WeightsError(f"holds {what}, not a state dict", fix="Save model.state_dict() with torch.save")
    for name, record in value.items():
        if not isinstance(record, TensorRecord) or not isinstance(name, str):
            what = record.name if isinstance(record, Inert) else f"a {shown(record)}"
            raise WeightsError(
                f"holds {what} as {shown(str(name))!r} where a state dict has a tensor",
                fix="Save model.state_dict(), alone or as 'state_dict' of a dict",
            )
    return value


def _checked_size(name: str, record: TensorRecord) -> int:
    """The tensor's bytes, once it is certain that all of it lies inside its storage."""
    shape: Any = record.shape
    strides: Any = record.strides
    offset: Any = record.offset
    check_shape(shape)
    whole = isinstance(strides, tuple) and len(strides) == len(shape)
    if not whole or any(type(n) is not int or not 0 <= n < 2**48 for n in (offset, *strides)):
        raise WeightsError(f"is damaged: {shown(name)!r} has impossible strides", fix=AGAIN)
    count = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if count else offset
    if count and last >= record.storage.elements:
        raise WeightsError(f"is damaged: {shown(name)!r} reaches beyond its data", fix=AGAIN)
    return count * record.storage.dtype.itemsize


def _array(record: TensorRecord, data: np.ndarray) -> np.ndarray:
    """The tensor as a view of its storage's ``data`` where it lies there in order, else as a copy."""
    shape: Any = record.shape  # all three were checked by `_checked_size`
    steps: Any = record.strides
    offset: Any = record.offset
    count, expected = math.prod(shape), 1
    for n, step in zip(reversed(shape), reversed(steps), strict=True):
        if n > 1 and step != expected and count:
            strides = [step * data.itemsize for step in steps]
            return np.lib.stride_tricks.as_strided(data[offset:], shape, strides).copy()
        expected *= n
    return data[offset : offset + count].reshape(shape)
