"""Archives, read with suspicion: members in a row, within bounds, and only plain files with plain names.

A tar may name `../../etc/passwd`, hold links and devices, declare headers of gigabytes, and decompress to a thousand
times its size. `tar_members` is the one way through a tar here; `read_archive` reads a backbone's weights out of one
without touching the disk, and `extract` unpacks data sets.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import numpy as np

from paddleisa.errors import DataError, WeightsError
from paddleisa.weights.opening import HEAD, archive_kind, kind_of, open_regular
from paddleisa.weights.state_files import read_pickle

MAX_HEADER = 8 << 10  # bytes of one tar header record; long names need less than 5 KB
MAX_CHUNK = 1 << 20  # bytes asked for at once while a member is read
MAX_PAX = 64  # global pax records
MAX_XZ_MEMORY = 80 << 20  # `xz -9` declares 65 MB
WEIGHTS_RATIO, WEIGHTS_SLACK = 2, 64 << 20  # weights hardly compress: 1.1 is usual
MAX_WEIGHTS_MEMBERS = 100

# What tarfile, zipfile and the decompressors raise on damaged data, besides OSErrors without a number.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
    struct.error,
)


class ArchiveError(WeightsError, DataError):
    """An archive, of weights or of a data set, that is damaged or unsafe."""


@dataclass(frozen=True)
class Member:
    """A file or folder of an archive; ``open`` works until the next member is asked for."""

    name: PurePosixPath
    is_folder: bool
    size: int
    open: Callable[[], io.BufferedIOBase]


def is_archive(path: str | os.PathLike) -> bool:
    """Whether ``path`` begins like a tar, compressed or not. WeightsError when it cannot be read."""
    with archive_errors(path), open_regular(path) as stream:
        return archive_kind(stream.read(HEAD)) in ("tar", "gzip", "bzip2", "xz")


def read_archive(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The state dict in the one ``.pdparams`` of a tar archive (plain, gzip, bzip2 or xz); nothing is written.

    Raises:
        WeightsError: the archive is damaged or unsafe (`tar_members`), decompresses to more than twice its size and
            64 MB, has no or several ``.pdparams``, or the one is not a safe state dict (`read_weights`).
    """
    limit = WEIGHTS_RATIO * _size(path) + WEIGHTS_SLACK
    found: dict[str, np.ndarray] = {}
    others: list[str] = []
    with archive_errors(path):
        for count, member in enumerate(tar_members(path, limit)):
            if count >= MAX_WEIGHTS_MEMBERS:
                raise ArchiveError(f"holds more than {MAX_WEIGHTS_MEMBERS} files, which no weights archive does")
            if member.is_folder or member.name.suffix != ".pdparams" or member.name.name.startswith("._"):
                others.append(str(member.name))
            elif found:
                raise ArchiveError("holds more than one .pdparams", fix="Unpack it and give the one that you mean")
            else:
                found = _read_member(member)
        if not found:
            raise ArchiveError(f"holds no .pdparams, only {', '.join(others[:5]) or 'nothing'}")
    return found


def _read_member(member: Member) -> dict[str, np.ndarray]:
    with member.open() as data:
        try:
            if kind_of(cast("io.BufferedReader", data).peek(HEAD)[:HEAD], member.size) != "pickle":
                raise WeightsError("is a .safetensors by content", fix="Unpack the archive and give the file")
            return read_pickle(data, member.size)
        except WeightsError as error:
            raise ArchiveError(f"its member '{member.name}' {error.problem}", fix=error.fix) from error


def tar_members(path: str | os.PathLike, limit: int) -> Iterator[Member]:
    """The files and folders of a tar, in order, reading it once from front to back.

    Args:
        path: a tar, plain or compressed with gzip, bzip2 or xz.
        limit: decompressed bytes beyond which the archive counts as a decompression bomb.

    Raises:
        ArchiveError: without a place, for an absolute name or one with ``..``, a link, device, pipe or sparse file,
            an oversized header, a bomb, and an archive that ends before its end mark.
        Any of ``DAMAGE`` for damaged data: use it within `archive_errors`.
    """
    with _decompressed(path) as raw:
        stream = _Bounded(raw, limit)
        with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or it would keep every header
                if len(tar.pax_headers) > MAX_PAX:
                    raise ArchiveError("holds oversized headers")
                kind = _kind(info)
                name = safe_name(info.name)
                stream.most = MAX_CHUNK
                yield Member(name, kind == "folder", info.size, partial(_opened, tar, info))
                stream.most = MAX_HEADER
        if stream.last.strip(b"\0") or len(stream.last) < tarfile.BLOCKSIZE:
            raise ArchiveError("ends before its end mark (an interrupted download or copy)", fix="Download it again")
        while stream.read(MAX_HEADER):  # to the checksum at the end of the compressed data
            pass


def _kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return "folder"
    if info.isreg() and not info.issparse():
        return "file"
    kind = "link" if info.issym() or info.islnk() else "sparse file" if info.isreg() else "device or pipe"
    raise ArchiveError(f"holds a {kind}, {info.name[:80]!r}", fix="Use an archive of plain files")


def safe_name(name: str) -> PurePosixPath:
    """``name`` as a relative path that stays below the folder it is joined to; ArchiveError for any other name."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not name.isprintable() or not name:
        raise ArchiveError(
            f"holds a file that would be written elsewhere or has an unusable name, {name[:80]!r}",
            fix="Do not unpack it by hand; get it from its author again",
        )
    return path


@contextmanager
def archive_errors(path: str | os.PathLike):
    """Turn what goes wrong in the block into errors with a place: damaged data into ArchiveErrors."""
    try:
        yield
    except WeightsError as error:
        if error.where is not None:
            raise
        raise type(error)(error.problem, where=path, fix=error.fix) from error
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ArchiveError(f"cannot be read ({error.strerror})", where=path) from error
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise ArchiveError(f"is a damaged archive ({reason})", where=path, fix="Download it again") from error


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> io.BufferedIOBase:
    """The member's data; only regular files come here."""
    return cast("io.BufferedIOBase", tar.extractfile(info))


def _size(path: str | os.PathLike) -> int:
    with archive_errors(path), open_regular(path) as stream:
        return os.fstat(stream.fileno()).st_size


@contextmanager
def _decompressed(path: str | os.PathLike) -> Iterator[io.BufferedIOBase]:
    """The tar itself; each of these decompresses no more at a time than it is asked for."""
    with open_regular(path) as file:
        kind = archive_kind(file.read(HEAD))
        file.seek(0)
        if kind == "gzip":
            yield gzip.GzipFile(fileobj=file)
        elif kind == "bzip2":
            yield bz2.BZ2File(file)
        elif kind == "xz":
            yield cast("io.BufferedIOBase", _Xz(file))
        elif kind == "tar":
            yield file
        else:
            raise ArchiveError("is not a tar archive", fix=f"Check what {Path(path).name} is")


class _Xz:
    """An .xz with a bound on the dictionary that its header may ask for, which lzma.LZMAFile lacks."""

    def __init__(self, file: io.BufferedIOBase):
        self._file, self._decoder = file, lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count and not self._decoder.eof:
            raw = self._file.read(MAX_CHUNK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not raw:
                raise EOFError("the compressed data is truncated")
            data += self._decoder.decompress(raw, count - len(data))
        return data


class _Bounded:
    """A stream that only moves forward, gives at most ``limit`` bytes, and refuses to give many at once."""

    def __init__(self, stream: io.BufferedIOBase, limit: int):
        self._stream, self._limit, self._position = stream, limit, 0
        self.most, self.last = MAX_HEADER, b""

    def tell(self) -> int:
        return self._position

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.most:
            raise ArchiveError("declares a header of an absurd size", fix="Get the archive from its author again")
        self.last = self._stream.read(count)
        self._position += len(self.last)
        if self._position > self._limit:
            raise ArchiveError(
                f"decompresses to more than {self._limit >> 20} MB, far more than its size suggests",
                fix="It may be a decompression bomb; do not unpack it by hand",
            )
        return self.last

    def seek(self, offset: int) -> int:
        if offset < self._position:
            raise ArchiveError("is damaged: a member begins inside another", fix="Download it again")
        while self._position < offset:
            if not self.read(min(MAX_HEADER, offset - self._position)):
                raise EOFError("a member is truncated")
        return self._position
