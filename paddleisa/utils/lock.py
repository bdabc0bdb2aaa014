"""One process at a time in one place. The operating system frees a lock when its process ends, however it ends."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from paddleisa.errors import UsageError
from paddleisa.utils import files


@contextmanager
def exclusive(path: str | os.PathLike, doing: str, fix: str) -> Iterator[None]:
    """Hold ``path`` within the block: a file or folder, there or not, that nobody else may write meanwhile.

    ``.NAME.lock`` beside it stays; ``.NAME.owner`` says whose it is, and goes.

    Args:
        path: what is to be written.
        doing: what the holder is doing with it: "training into it".
        fix: what a second one may do instead.

    Raises:
        UsageError: somebody holds it; names the process, its machine, its command and since when.
        WriteError: the lock cannot be made.
    """
    path = Path(path)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    owner = path.with_name(f".{path.name}.owner")
    try:
        files.before_operation("lock", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(f"{_said(owner)} is {doing}", where=path, fix=fix) from error
    except OSError as error:
        raise files.write_error(path, error) from error
    try:
        with suppress(OSError):  # a message only: a full disk is told by what is written next
            owner.write_text(_me(), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def _me() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    return f"process {os.getpid()} on {socket.gethostname()} ({command}, since {time.strftime('%Y-%m-%d %H:%M:%S')})"


def _said(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8") or "another process"
    except (OSError, ValueError):
        return "another process"
