"""VisualDL's record files: reading their frames, and dropping a torn tail and the records of later steps.

A file is a row of frames, each ``<uint64 little-endian length><protobuf Record>``. A frame that is cut short stops
the board at its start, and everything appended behind one is unreadable for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from paddleisa.errors import UsageError
from paddleisa.training.logging.appending import keep_pieces

_LENGTH = struct.Struct("<Q")
# The kinds of record that describe the run: their ``id`` is no iteration.
_OF_THE_RUN = ("meta_data", "hparam")


def record_types() -> ModuleType:
    """VisualDL's protobuf module. Imported on first use: 0.23 s, a third of it a client for a cloud storage."""
    try:
        from visualdl.proto import record_pb2
    except ImportError as error:
        raise UsageError(f"VisualDL cannot be imported ({error})", where="--use_vdl", fix=_WITHOUT) from error
    except OSError as error:  # importing it makes ~/.visualdl
        raise UsageError(f"VisualDL cannot make its folder ({error})", where="--use_vdl", fix=_WITHOUT) from error
    return record_pb2


_WITHOUT = "Install visualdl 2.5.3 and let HOME be writable, or train without --use_vdl"


def frame(record: object) -> bytes:
    """A protobuf Record as it stands in the file."""
    data = record.SerializeToString()
    return _LENGTH.pack(len(data)) + data


def rewind(path: Path, iteration: int) -> bool:
    """Cut a torn or damaged tail off a record file, and drop the records of later iterations.

    Args:
        path: the file; a missing one stays missing.
        iteration: the last one to keep.

    Returns:
        Whether the file holds the run's hyper-parameters.

    Raises WriteError; the file is then as it was. Raises UsageError when VisualDL cannot be imported.
    """
    has_hparams = False

    def pieces() -> Iterator[tuple[int, int, bool]]:
        nonlocal has_hparams
        for start, end, value in _values(path):
            kind = value.WhichOneof("one_value")
            has_hparams = has_hparams or kind == "hparam"
            yield start, end, kind in _OF_THE_RUN or value.id <= iteration

    keep_pieces(path, pieces())
    return has_hparams


def repair(path: Path) -> None:
    """Cut a torn tail off a record file; this needs no VisualDL. Raises WriteError; the file is then as it was."""
    keep_pieces(path, ((start, end, True) for start, end, _ in _frames(path)))


def is_whole(path: Path) -> bool:
    """Whether the file ends with a whole frame, so that the board can read it."""
    return sum(end - start for start, end, _ in _frames(path)) == path.stat().st_size


def _frames(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, protobuf) of the frames up to the first that is cut short or empty: a loss of power leaves zeros."""
    size, start = path.stat().st_size, 0
    with path.open("rb") as stream:
        while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
            length = _LENGTH.unpack(head)[0]
            end = start + _LENGTH.size + length
            if not length or end > size:
                return
            yield start, end, stream.read(length)
            start = end


def _values(path: Path) -> Iterator[tuple[int, int, object]]:
    """(start, end, the record's value) of the frames up to the first that holds no record."""
    from google.protobuf.message import DecodeError

    record = record_types().Record()
    for start, end, data in _frames(path):
        try:
            record.ParseFromString(data)
        except DecodeError:
            return
        if not record.values or record.values[0].WhichOneof("one_value") is None:
            return
        yield start, end, record.values[0]
