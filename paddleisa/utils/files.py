"""Files and folders that are either whole or not there, and results as JSON. Every change of the disk that must hold
goes through here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from paddleisa.errors import PaddleISAError

PART, OLD = ".part", ".old"  # suffixes of what is being written, and of what is being replaced or removed


class WriteError(PaddleISAError):
    """A file that could not be written; the previous one of that name, if any, is untouched."""


def _go_on(operation: str, path: Path) -> None:
    """Do nothing."""


# Called before every operation that changes the disk, with its name (make, write, sync, rename, remove, lock) and the
# path. Tests of a failing disk put a function here that raises an OSError, or kills the process, at one of them.
before_operation: Callable[[str, Path], None] = _go_on


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Open a file that takes the name ``path`` only when the block ends without an exception.

    The data is fsynced before the rename and the folder after it, so that a crash at any moment leaves either the
    old file or the new one. Missing parent folders are made. Raises WriteError on a full disk or a forbidden path.
    """
    path = Path(path)
    temporary = None
    try:
        before_operation("make", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Shortened: the temporary name must not be too long where the final one just fits.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=PART, dir=path.parent)
        Path(temporary).chmod(0o666 & ~_umask())
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            before_operation("write", path)
            stream.flush()
            before_operation("sync", path)
            os.fsync(stream.fileno())
        before_operation("rename", path)
        Path(temporary).replace(path)
        temporary = None
        fsync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


@contextmanager
def new_folder(target: str | os.PathLike) -> Iterator[Path]:
    """A folder to fill, which takes the name ``target`` only when the block ends without an exception.

    A folder of that name is replaced, so the caller must know that it may be, and that nobody else is writing it
    (:mod:`paddleisa.utils.process`). Readers of its files keep what they have opened. What a killed process left of an
    earlier attempt is removed first.

    Raises:
        WriteError: the folder cannot be made or renamed; one that was there still is.
    """
    target = Path(target)
    filling, old = (target.with_name(f".{target.name}{suffix}") for suffix in (PART, OLD))
    try:
        _restore(old)
        shutil.rmtree(filling, ignore_errors=True)
        before_operation("make", target)
        filling.mkdir(parents=True)
        yield filling
        for file in filling.rglob("*"):
            before_operation("sync", target / file.relative_to(filling))
            _fsync(file)
        fsync_folder(filling)
        if target.exists():
            before_operation("rename", target)
            target.rename(old)
        try:
            before_operation("rename", target)
            filling.rename(target)
        except OSError:
            _restore(old)
            raise
        fsync_folder(target.parent)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        shutil.rmtree(filling, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def remove_folder(folder: str | os.PathLike) -> None:
    """Remove a folder so that a crash in between leaves no half of it under its name. Raises WriteError."""
    folder = Path(folder)
    doomed = folder.with_name(f".{folder.name}{OLD}{PART}")
    try:
        before_operation("remove", folder)
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise write_error(folder, error) from error


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Remove what a killed process was writing or removing in ``folder``, which nobody else may be doing now."""
    for path in Path(folder).glob(f".*{OLD}"):
        _restore(path)
    for path in Path(folder).glob(f".*{PART}"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


class AppendFile:
    """Append-only file in which a piece is either whole or, after an error, not there.

    Every piece goes to the operating system at once: a SIGKILL after :meth:`write` loses nothing. Only a loss of
    power can; :meth:`sync` guards against that.

    Raises WriteError (from the constructor, write and sync) on a full disk or a forbidden path.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        with self._told():
            before_operation("make", self.path)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def write(self, piece: bytes) -> None:
        """Append ``piece``; where only a part of it fits, that part is taken back."""
        with self._told():
            size = os.fstat(self._handle).st_size
            rest = memoryview(piece)
            try:
                before_operation("write", self.path)
                while rest:
                    rest = rest[os.write(self._handle, rest) :]
            except OSError:
                os.ftruncate(self._handle, size)
                raise

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        with self._told():
            before_operation("sync", self.path)
            os.fsync(self._handle)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(self.path, error) from error


def keep_pieces(path: Path, pieces: Iterator[tuple[int, int, bool]]) -> None:
    """Keep the wanted pieces of a file, in their order; without anything to drop the file is not touched.

    Args:
        path: the file; a missing one stays missing.
        pieces: (start, end, whether to keep it), bytes, in the order of the file. What lies between the last one's
            end and the end of the file, the torn tail, is dropped.

    Raises WriteError; the file is then as it was.
    """
    if not path.exists():
        return
    kept: list[tuple[int, int]] = []
    end = 0
    for start, stop, wanted in pieces:
        end = stop
        if wanted and kept and kept[-1][1] == start:
            kept[-1] = (kept[-1][0], stop)
        elif wanted:
            kept.append((start, stop))
    if end == path.stat().st_size and sum(stop - start for start, stop in kept) == end:
        return
    with path.open("rb") as source, atomic_write(path) as target:
        for start, stop in kept:
            source.seek(start)
            while start < stop:
                block = source.read(min(stop - start, 1 << 20))
                target.write(block)
                start += len(block)


def keep_lines(path: Path, wanted: Callable[[str], bool | None]) -> None:
    """Keep the lines of a text file for which ``wanted`` is true; a last line without its line break goes too.

    ``wanted`` is called once for each whole line, in order; None drops the line and all that follow. Raises
    WriteError; the file is then as it was.
    """
    keep_pieces(path, _lines(path, wanted))


def _lines(path: Path, wanted: Callable[[str], bool | None]) -> Iterator[tuple[int, int, bool]]:
    start = 0
    with path.open("rb") as stream:
        for line in stream:
            keep = wanted(line.decode("utf-8", errors="replace")) if line.endswith(b"\n") else None
            if keep is None:
                return
            yield start, start + len(line), keep
            start += len(line)


def write_error(path: str | os.PathLike, error: OSError) -> WriteError:
    """The user's form of an OSError met while writing ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return WriteError("no space left to write the file", where=path, fix="Free some space or choose another folder")
    return WriteError(f"cannot be written ({error.strerror or error})", where=path, fix="Choose another folder")


def fsync_folder(folder: str | os.PathLike) -> None:
    """Make a rename inside ``folder`` durable (POSIX); a no-op where folders cannot be opened."""
    before_operation("sync", Path(folder))
    with suppress(PermissionError, IsADirectoryError):  # of opening: Windows opens no folders
        _fsync(folder)


def require_room(path: Path) -> None:
    """Raise OSError where a file could not have grown: what ignores failed writes may then have cut it short."""
    size = path.stat().st_size
    with path.open("ab") as stream:
        try:
            stream.write(b"\0")
            stream.flush()
        finally:
            os.ftruncate(stream.fileno(), size)


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def joined(*parts: Mapping[str, object]) -> dict[str, object]:
    """One mapping of all parts, in order.

    Raises:
        ValueError: two parts have a key in common, so that one value would be lost.
    """
    result: dict[str, object] = {}
    for part in parts:
        if twice := result.keys() & part.keys():
            raise ValueError(f"the result has two values for {', '.join(sorted(twice))}")
        result.update(part)
    return result


def plain_number(value: float) -> float | None:
    """``value`` for JSON, which has no NaN: None stands for "there is no such number"."""
    return None if math.isnan(value) else float(value)


def write_json(path: str | os.PathLike, value: object) -> None:
    """Write ``value`` as JSON, whole or not at all.

    Raises:
        ValueError: it holds NaN or infinity, which JSON has no word for. WriteError: a full disk, a forbidden path.
    """
    text = json.dumps(value, indent=1, allow_nan=False)
    with atomic_write(path, "w") as stream:
        stream.write(text + "\n")


def _fsync(path: str | os.PathLike) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _restore(old: Path) -> None:
    """Give a folder that was being replaced its name back where nothing has taken it; else remove it."""
    target = old.with_name(old.name.removeprefix(".").removesuffix(OLD))
    if old.exists() and not target.exists():
        old.rename(target)
    else:
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
