"""Files that are either whole or not there: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paddleisa.errors import PaddleISAError


class WriteError(PaddleISAError):
    """A file that could not be written; the previous one of that name, if any, is untouched."""


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Open a file that takes the name ``path`` only when the block ends without an exception.

    The data is fsynced before the rename and the folder after it, so that a crash at any moment leaves either the
    old file or the new one. Missing parent folders are made. Raises WriteError on a full disk or a forbidden path.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Shortened: the temporary name must not be too long where the final one just fits.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
        Path(temporary).chmod(0o666 & ~_umask())
        with os.fdopen(handle, mode, **({} if "b" in mode else {"encoding": "utf-8"})) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        temporary = None
        fsync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_error(path: str | os.PathLike, error: OSError) -> WriteError:
    """The user's form of an OSError met while writing ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return WriteError("no space left to write the file", where=path, fix="Free some space or choose another folder")
    return WriteError(f"cannot be written ({error.strerror or error})", where=path, fix="Choose another folder")


def fsync_folder(folder: str | os.PathLike) -> None:
    """Make a rename inside ``folder`` durable (POSIX); a no-op where folders cannot be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
