"""This process among others: one at a time in one place, and how it is asked to stop.

Ctrl-C and a scheduler's SIGTERM are acknowledged at once and obeyed after the step; the second of a kind ends now. The
operating system frees a lock when its process ends, however it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from paddleisa.errors import UsageError
from paddleisa.utils import files
from paddleisa.utils.environment import rank

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h
SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


class StopRequest:
    """Within the block, the two signals set ``signal`` instead of ending the process.

    The first is acknowledged on standard error. A second of the same kind ends the process with code 128 + its number,
    whatever it is doing (a launcher that hands Ctrl-C on as SIGTERM does not count twice). A thread does both: the
    main one may be inside an operation of Paddle's for half a minute. Outside the main thread, where Python allows no
    handlers, nothing is changed.

    Attributes:
        signal: number of the first signal, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is not threading.main_thread():
            return self
        read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._answer, args=(read,), daemon=True)
        self._thread.start()
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._before:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._write)  # which ends the thread, when it has said what there is to say
        self._thread.join(timeout=5)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = self.signal or number

    def _answer(self, pipe: int) -> None:
        seen: Counter[int] = Counter()
        while number := int.from_bytes(os.read(pipe, 1), "little"):
            seen[number] += 1
            if number in SIGNALS and seen[number] == 2:
                _tell("ended at once; what was saved before is kept")
                os._exit(128 + number)
            if number in SIGNALS and seen.total() == 1:
                self.signal = self.signal or number
                _tell("stopping after this step, and saving; once more to end now")
        os.close(pipe)


def stop_with_parent() -> None:
    """Let this process get SIGTERM when its parent, a launcher that is killed, is gone (Linux; nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGTERM))


def _tell(text: str) -> None:
    if rank() == 0:
        with suppress(OSError):  # a closed terminal
            os.write(2, f"\npaddleisa: {text}\n".encode())
