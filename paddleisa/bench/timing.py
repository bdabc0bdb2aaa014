"""Seconds of repeated work, on CPU and GPU."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


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
        self.restart()

    def restart(self) -> None:
        """What happened since the last lap does not count."""
        synchronise()
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on ``name``."""
        synchronise()
        now = time.perf_counter()
        self.seconds.setdefault(name, []).append(now - self._last)
        self._last = now


def synchronise() -> None:
    """Wait for the GPU, if Paddle computes on one."""
    import paddle

    if paddle.get_device().startswith("gpu"):
        paddle.device.synchronize()


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Latency in milliseconds that 50, 90 and 99 % of the runs did not exceed, linearly interpolated."""
    return {f"p{p}_ms": 1e3 * float(np.percentile(seconds, p)) for p in (50, 90, 99)}
