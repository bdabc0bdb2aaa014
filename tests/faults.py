"""Faults of the disk, one at a time, at every operation that a job makes. The points are recorded, not written by hand.

A job is a function of a folder that does its work there, to the end; called again, it goes on from what is there.
"""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from paddleisa.errors import PaddleISAError
from paddleisa.utils import files

Job = Callable[[Path], object]
CODES = (errno.ENOSPC, errno.EIO, errno.EACCES)


@contextmanager
def observed(observer: Callable[[str, Path], None]) -> Iterator[None]:
    """Within the block, ``observer`` is called before every operation that changes the disk."""
    before, files.before_operation = files.before_operation, observer
    try:
        yield
    finally:
        files.before_operation = before


def points(job: Job, folder: Path) -> list[str]:
    """The operations of a job that meets no fault, in order: ``"rename iter_2"``."""
    seen: list[str] = []
    with observed(lambda operation, path: seen.append(f"{operation} {path.name}")):
        job(folder)
    return seen


def at(index: int, strike: Callable[[], None]) -> Callable[[str, Path], None]:
    """An observer that calls ``strike`` at the operation of that number, once."""
    count = iter(range(index + 1))

    def observer(operation: str, path: Path) -> None:
        if next(count, None) == index:
            strike()

    return observer


def fails(job: Job, folder: Path, index: int, code: int) -> PaddleISAError | None:
    """Run the job with one operation failing once; gives the error that the user sees, None when there is none."""

    def strike() -> None:
        raise OSError(code, os.strerror(code))

    with observed(at(index, strike)):
        try:
            job(folder)
        except PaddleISAError as error:
            return error
    return None


def killed(job: Job, folder: Path, index: int) -> bool:
    """Run the job in a child that SIGKILLs itself before one operation; whether it came to that."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with observed(at(index, lambda: os.kill(os.getpid(), signal.SIGKILL))):
            job(folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Within the block a write that would make a file longer than ``size`` bytes fails, whoever makes it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with redirect_stdout(io.StringIO()):  # pytest's is a file
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def killed_within(job: Job, folder: Path, size: int) -> bool:
    """Run the job in a child that the system kills in the first write past ``size`` bytes; whether it was."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with files_at_most(size):
            job(folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGXFSZ


def in_fresh_process(module: str, function: str, *arguments: object) -> None:
    """Call ``module.function(*arguments)`` in a new process: one that forks must not have computed with Paddle before.

    Raises AssertionError with what it printed when it fails.
    """
    code = "import sys; sys.path[:0] = sys.argv[1].split(':'); import importlib; import paddleisa; "
    code += "getattr(importlib.import_module(sys.argv[2]), sys.argv[3])(*map(eval, sys.argv[4:]))"
    places = ":".join(str(place) for place in (Path(__file__).parent, Path(__file__).parent / "training"))
    words = [sys.executable, "-c", code, places, module, function, *map(repr, arguments)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "FLAGS_paddle_num_threads": "1"}  # threads do not survive a fork
    done = subprocess.run(words, capture_output=True, text=True, env=alone)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
