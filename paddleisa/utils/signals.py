"""Ctrl-C and a scheduler's SIGTERM: acknowledged at once, obeyed after the step; the second of a kind ends now."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any

from paddleisa.utils.environment import rank

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h
SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        with contextlib.suppress(OSError):  # a closed terminal
            os.write(2, f"\npaddleisa: {text}\n".encode())
