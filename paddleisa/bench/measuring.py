"""A measurement in a process of its own, and the stopwatch inside it.

``python -m paddleisa.bench.measuring MODULE:FUNCTION`` is that process: it takes the function's arguments as JSON on
stdin and prints, as JSON on stdout, ``{"value": what it returned}`` or ``{"problem": why there is nothing}``.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from paddleisa.errors import PaddleISAError, essence
from paddleisa.utils.memory import says_out_of_memory

if TYPE_CHECKING:
    from paddleisa.config import Config

Item = TypeVar("Item")


@dataclass(frozen=True)
class OfConfig:
    """The config that every measurement of a bench reads anew: file or name, its changes, and plugins' files."""

    config: str
    opts: list[str]
    plugins: list[str]

    def load(self) -> Config:
        """The config."""
        from paddleisa.config import load_config

        return load_config(self.config, opts=self.opts, plugins=self.plugins)


@dataclass(frozen=True)
class Outcome:
    """What came of a measurement: ``value``, or why there is none.

    Attributes:
        value: what the function returned; None if it did not.
        problem: begins with ``out of memory``, or is the reason in other words; None with a value.
    """

    value: dict[str, Any] | None = None
    problem: str | None = None

    @property
    def out_of_memory(self) -> bool:
        """Whether it needed more memory than there was."""
        return self.problem is not None and self.problem.startswith("out of memory")

    @property
    def cell(self) -> str | None:
        """What a table says in place of a number."""
        return self.problem and ("out of memory" if self.out_of_memory else "cannot run")

    def row(self, **named: object) -> dict[str, Any]:
        """A row of a report: what was measured, the value, and why there is none."""
        why = {"problem": self.problem, "cell": self.cell, "failed": self.value is None}
        return {**named, **(self.value or {}), **why}


def run_in_child(function: Callable[..., dict], environ: Mapping[str, str] | None = None, **params: object) -> Outcome:
    """``function(**params)``, computed in a new process.

    Args:
        function: of the top level of a module or script; it returns a dict that JSON can hold.
        environ: the process's variables; without it, this one's.
        params: what JSON can hold.
    """
    module = Path(sys.argv[0]).stem if function.__module__ == "__main__" else function.__module__
    command = [sys.executable, "-m", __name__, f"{module}:{function.__qualname__}"]
    # The child finds what this process found, wherever it was started.
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    env = {**(os.environ if environ is None else environ), "PYTHONPATH": path}
    done = subprocess.run(command, input=json.dumps(params), capture_output=True, text=True, env=env, errors="replace")
    try:
        return Outcome(**json.loads(done.stdout))  # first: a library that crashes while it is unloaded changes nothing
    except json.JSONDecodeError:
        return Outcome(problem=_reason(done.returncode, done.stderr))


def announced(items: Sequence[Item], names: Sequence[str], work: Sequence[float] | None = None) -> Iterator[Item]:
    """The items, each under its name on a bar while it is worked on.

    Args:
        items: what to measure.
        names: of the items, for the bar.
        work: what each costs, in any unit; the time left follows from it. Equal shares by default.
    """
    from tqdm import tqdm

    work = work or [1.0] * len(items)
    form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
    with tqdm(total=sum(work), bar_format=form, disable=None) as bar:
        for item, name, share in zip(items, names, work, strict=True):
            bar.set_description(name)
            yield item
            bar.update(share)


def measure(run: Callable[[], object], repeats: int, warmup: int = 1) -> list[float]:
    """Seconds of each of ``repeats`` calls, after ``warmup`` calls that do not count."""
    for _ in range(warmup):
        run()
    laps = Laps()
    for _ in range(repeats):
        run()
        laps.lap("run")
    return laps.seconds["run"]


class Laps:
    """A stopwatch: the time since the last lap, by name. On a GPU a lap ends when all its work is done.

    Attributes:
        seconds: of every lap, by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        _synchronise()
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on ``name``."""
        _synchronise()
        now = time.perf_counter()
        self.seconds.setdefault(name, []).append(now - self._last)
        self._last = now


def _synchronise() -> None:
    """Wait for the GPU, if Paddle computes on one."""
    import paddle

    if paddle.get_device().startswith("gpu"):
        paddle.device.synchronize()


def _reason(code: int, errors: str) -> str:
    """Why a process without an answer ended."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if code == -signal.SIGKILL:
        return "out of memory: the system killed the process"
    if code < 0 and says_out_of_memory(errors):
        return "out of memory: an allocation failed"
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return f"failed: {lines[-1][:300] if lines else f'exit code {code}'}"


def _child(name: str) -> None:
    """Run one measurement; see the module's text."""
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print; stdout is for the answer alone
    score = Path("/proc/self/oom_score_adj")
    if os.access(score, os.W_OK):  # when memory runs out, Linux shall end this process and no other
        score.write_text("1000", encoding="ascii")
    module, _, function = name.partition(":")
    try:
        answer = {"value": getattr(importlib.import_module(module), function)(**json.load(sys.stdin))}
    except PaddleISAError as error:
        answer = {"problem": str(error)}
    except Exception as error:  # of whatever kind: it is told in the table, and the other measurements go on
        traceback.print_exc()
        lost = isinstance(error, MemoryError) or says_out_of_memory(str(error))
        answer = {
            "problem": "out of memory: an allocation failed"
            if lost
            else f"failed: {type(error).__name__}: {essence(error)[:300]}"
        }
    with os.fdopen(answers, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    _child(sys.argv[1])
