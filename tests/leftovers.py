"""Commands in processes of their own, and what is still running of them after they were killed. Linux only."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

MARK = "PADDLEISA_TEST_RUN"  # an environment variable, which all descendants of a process inherit


class Command:
    """``paddleisa WORDS`` as a user starts it."""

    def __init__(self, *words: object, **environment: str):
        self.mark = uuid.uuid4().hex
        given = {**os.environ, **environment, MARK: self.mark, "PYTHONPATH": str(Path(__file__).parents[1])}
        line = [sys.executable, "-m", "paddleisa", *map(str, words)]
        self.process = subprocess.Popen(line, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def killed(self, number: int, when: Callable[[], bool]) -> str:
        """Send a signal once ``when`` is true, wait for the process's end; what it printed."""
        waited_for(lambda: when() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()[0]
        self.process.send_signal(number)
        self.process.wait()
        assert waited_for(lambda: not self.running()), self.running()  # descendants notice it a moment later
        return self.process.communicate()[0]

    def running(self) -> list[int]:
        """Processes of this command that are there, zombies not counted."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                its = f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
                zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if its and not zombie:
                found.append(int(folder.name))
        return found


def waited_for(condition: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether it came true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()
