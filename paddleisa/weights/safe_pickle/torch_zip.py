"""The directory of a zip as PyTorch writes it: members stored as they are, one after the other.

Nothing is unpacked and no name of the file is used as a path. A member is a range of bytes of the file, so it can be
no larger than the file, and no byte belongs to two members: compressed members and overlaps, which is what
decompression bombs are made of, are refused. Python's zipfile does not look at either.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from paddleisa.errors import WeightsError
from paddleisa.weights.opening import AGAIN
from paddleisa.weights.safe_pickle.numpy_records import shown

MAX_DIRECTORY = 4 << 20  # bytes; a member takes about 100, and ISANet-101 has 800 members
CHUNK = 1 << 22
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY, _LOCAL = struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s5H3I2H")


@dataclass(frozen=True)
class Member:
    """A member's data: ``size`` bytes from ``start`` of the file on, with this CRC-32."""

    name: str
    start: int
    size: int
    crc: int


def zip_members(stream: io.BufferedIOBase, size: int) -> dict[str, Member]:
    """The members of the zip that ``stream``, ``size`` bytes long, holds, by name.

    Raises:
        WeightsError: without a place; damaged, compressed, encrypted or overlapping members.
    """
    try:
        start, length = _directory(stream, size)
        members = [_located(stream, start, *entry) for entry in _entries(_read(stream, start, length))]
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise WeightsError("is damaged: its zip directory does not fit together", fix=AGAIN) from error
    end = 0
    for member in sorted(members, key=lambda member: member.start):
        if member.start < end:
            raise WeightsError(f"has the member {shown(member.name)!r} overlapping another one")
        end = member.start + member.size
    by_name = {member.name: member for member in members}
    if len(by_name) != len(members):
        raise WeightsError("has two members of one name")
    return by_name


def read_member(stream: io.BufferedIOBase, member: Member) -> np.ndarray:
    """The member's data as a new uint8 array, compared with its checksum."""
    data = np.empty(member.size, np.uint8)
    view, filled, crc = data.data, 0, 0
    stream.seek(member.start)
    while filled < member.size:
        got = stream.readinto(view[filled : filled + CHUNK])
        if not got:
            raise WeightsError("ends before its data does (an interrupted download or copy)", fix=AGAIN)
        crc = zlib.crc32(view[filled : filled + got], crc)
        filled += got
    if crc != member.crc:
        raise WeightsError(f"is damaged: the checksum of its member {shown(member.name)!r} differs", fix=AGAIN)
    return data


def _read(stream: io.BufferedIOBase, start: int, length: int) -> bytes:
    stream.seek(start)
    return stream.read(length)


def _directory(stream: io.BufferedIOBase, size: int) -> tuple[int, int]:
    """Start and length of the directory, by the record at the end of the file."""
    tail_start = max(0, size - 22 - 0xFFFF)
    tail = _read(stream, tail_start, size - tail_start)
    at = tail.rfind(_END)
    if at < 0:
        raise WeightsError("ends before its zip directory does (an interrupted download or copy)", fix=AGAIN)
    length, start = struct.unpack_from("<II", tail, at + 12)
    locator = tail[at - 20 : at] if at >= 20 else b""
    if locator[:4] == _LOCATOR64:
        record = _read(stream, min(struct.unpack_from("<Q", locator, 8)[0], size), 56)
        if record[:4] != _END64:
            raise WeightsError("is damaged: its zip directory is not where it says", fix=AGAIN)
        length, start = struct.unpack_from("<QQ", record, 40)
    if start + length > tail_start + at:
        raise WeightsError("is damaged: its zip directory is longer than the file", fix=AGAIN)
    if length > MAX_DIRECTORY:
        raise WeightsError(f"has a zip directory of more than {MAX_DIRECTORY >> 20} MB, far more than weights need")
    return start, length


def _entries(directory: bytes) -> list[tuple[str, int, int, int]]:
    """(name, position of the local header, size, CRC-32) of each entry."""
    entries, at = [], 0
    while at < len(directory):
        fields = _ENTRY.unpack_from(directory, at)
        flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
        name_length, extra_length, comment_length, header = *fields[10:13], fields[16]
        at += _ENTRY.size
        name = directory[at : at + name_length].decode("utf-8")
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        if fields[0] != b"PK\x01\x02" or at > len(directory):
            raise WeightsError("is damaged: its zip directory does not fit together", fix=AGAIN)
        size, packed, header = _wide(extra, (size, packed, header))
        if flags & 1 or method != 0 or packed != size:
            raise WeightsError(
                f"has the compressed or encrypted member {shown(name)!r}, which torch.save never writes",
                fix="Unpack it, if it is an archive of a .pth; else get the file from its author again",
            )
        entries.append((name, header, size, crc))
    return entries


def _wide(extra: bytes, values: tuple[int, int, int]) -> list[int]:
    """``values`` with those that do not fit 32 bits taken from the zip64 extra field, where they stand in order."""
    at, wide = 0, iter(())
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
        at += 4 + length
    return [next(wide, value) if value == 0xFFFFFFFF else value for value in values]


def _located(stream: io.BufferedIOBase, end: int, name: str, header: int, size: int, crc: int) -> Member:
    """The member whose local header stands at ``header``; its data must end before ``end``, the directory."""
    raw = _read(stream, min(header, end), _LOCAL.size)
    fields = _LOCAL.unpack(raw)
    start = header + _LOCAL.size + fields[9] + fields[10]
    own_name = _read(stream, header + _LOCAL.size, fields[9])
    if fields[0] != b"PK\x03\x04" or own_name != name.encode() or start + size > end:
        raise WeightsError(f"is damaged: its member {shown(name)!r} is not where its directory says", fix=AGAIN)
    return Member(name, start, size, crc)
