"""``train.log`` and the console: PaddleSeg's lines, so that its readers, people and scripts, can read ours."""

from __future__ import annotations

import re
import time
from pathlib import Path

from paddleisa.training.logging.appending import AppendFile, keep_lines
from paddleisa.training.logging.window import Averages

FILE_NAME = "train.log"

# Only our [TRAIN] and [EVAL] lines hold an iteration and the total. Both begin a stretch of the file that belongs to
# that iteration: the lines of an evaluation's table follow its [EVAL] line.
_ITERATION = re.compile(r"\[(?:TRAIN|EVAL)\] .*\biter: (\d+)/\d+")


def train_line(iteration: int, iters: int, means: Averages) -> str:
    """PaddleSeg's line of a logged step; ``| ETA`` is the time left at the pace of the steps averaged.

    Example:
        ``[TRAIN] epoch: 1, iter: 10/80000, loss: 1.2345, lr: 0.009989, batch_cost: 0.4567, reader_cost: 0.00012,
        ips: 4.3800 samples/sec | ETA 10:10:10`` (one line)
    """
    return (
        f"[TRAIN] epoch: {means.epoch}, iter: {iteration}/{iters}, loss: {means.loss:.4f}, lr: {means.lr:.6f}, "
        f"batch_cost: {means.batch_cost:.4f}, reader_cost: {means.reader_cost:.5f}, "
        f"ips: {means.ips:.4f} samples/sec | ETA {clock(means.batch_cost * (iters - iteration))}"
    )


def clock(seconds: float) -> str:
    """``HH:MM:SS``; hours go beyond 24, as PaddleSeg has it."""
    minutes, seconds = divmod(max(int(seconds), 0), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


class Console:
    """Writes lines with time and level to standard output and to ``train.log``.

    Raises WriteError when the file cannot be written.
    """

    def __init__(self, path: Path):
        self._file = AppendFile(path)
        self._is_there = True

    def write(self, text: str) -> None:
        """Write one message; only its first line gets the time."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} [INFO]\t{text}\n"
        if self._is_there:
            self._print(line)
        self._file.write(line.encode("utf-8"))

    def _print(self, line: str) -> None:
        try:
            print(line, end="", flush=True)
        except (OSError, ValueError):  # a closed terminal or pipe must not end a training that runs for days
            self._is_there = False

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def rewind(path: Path, iteration: int) -> None:
    """Drop a torn last line, and from the first line of a later iteration on everything.

    Messages between two iterations belong to the earlier one and stay with it.
    """
    passed = False

    def wanted(line: str) -> bool:
        nonlocal passed
        match = _ITERATION.search(line)
        passed = passed or bool(match and int(match[1]) > iteration)
        return not passed

    keep_lines(path, wanted)
