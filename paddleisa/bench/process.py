"""Run a measurement in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleisa.bench.child import says_out_of_memory


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


def run_in_child(function: Callable[..., dict], **params: object) -> Outcome:
    """``function(**params)``, computed in a new process.

    Args:
        function: of a module's top level; it returns a dict that JSON can hold.
        params: what JSON can hold.
    """
    command = [sys.executable, "-m", "paddleisa.bench.child", f"{function.__module__}:{function.__qualname__}"]
    # The child finds what this process found, wherever it was started.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
    done = subprocess.run(command, input=json.dumps(params), capture_output=True, text=True, env=env, errors="replace")
    try:
        return Outcome(**json.loads(done.stdout))  # first: a library that crashes while it is unloaded changes nothing
    except json.JSONDecodeError:
        return Outcome(problem=_reason(done.returncode, done.stderr))


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
