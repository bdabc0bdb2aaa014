"""A file that grows by whole pieces, and the cutting of one that a killed process left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from paddleisa.utils.files import atomic_write, write_error


class AppendFile:
    """Append-only file in which a piece is either whole or, after an error, not there.

    Every piece goes to the operating system at once: a SIGKILL after :meth:`write` loses nothing. Only a loss of
    power can; :meth:`sync` guards against that.

    Raises WriteError (from the constructor, write and sync) on a full disk or a forbidden path.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise write_error(self.path, error) from error

    def write(self, piece: bytes) -> None:
        """Append ``piece``; where only a part of it fits, that part is taken back."""
        try:
            size = os.fstat(self._handle).st_size
            rest = memoryview(piece)
            try:
                while rest:
                    rest = rest[os.write(self._handle, rest) :]
            except OSError:
                os.ftruncate(self._handle, size)
                raise
        except OSError as error:
            raise write_error(self.path, error) from error

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise write_error(self.path, error) from error

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


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
    kept, end = [], 0
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


def keep_lines(path: Path, wanted: Callable[[str], bool]) -> None:
    """Keep the lines of a text file for which ``wanted`` is true; a last line without its line break goes too.

    ``wanted`` is called once for each whole line, in order. Raises WriteError; the file is then as it was.
    """
    keep_pieces(path, _lines(path, wanted))


def _lines(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[int, int, bool]]:
    start = 0
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            yield start, start + len(line), wanted(line.decode("utf-8", errors="replace"))
            start += len(line)
