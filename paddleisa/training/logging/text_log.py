"""``train.log`` and the console: PaddleSeg's lines, so that its readers, people and scripts, can read ours."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from paddleisa.training.logging.sink import Averages, Sink
from paddleisa.utils.files import AppendFile, keep_lines

if TYPE_CHECKING:
    from paddleisa.evaluation.evaluate import Evaluation

FILE_NAME = "train.log"
QUIET_SECONDS = 60.0  # of training without a line, after which there is one all the same

# Only our [TRAIN] and [EVAL] lines hold an iteration and the total. Both begin a stretch of the file that belongs to
# that iteration: the lines of an evaluation's table follow its [EVAL] line.
_ITERATION = re.compile(r"\[(?:TRAIN|EVAL)\] .*\biter: (\d+)/\d+")


class TextLog(Sink):
    """Writes lines with time and level to standard output and to ``train.log``.

    Between the lines a terminal shows a bar with the time left; other outputs get a line for the first step, when the
    next one is far off, and one for every minute without any.

    Args:
        path: the file.
        iters: iterations of the whole schedule.
        log_iters: iterations between two records.
        resume_at: iteration of the checkpoint that is continued from; None for a fresh run.
    """

    def __init__(self, path: Path, iters: int, log_iters: int, resume_at: int | None):
        if resume_at is not None:
            rewind(path, resume_at)
        self._file, self._iters, self._log_iters = AppendFile(path), iters, log_iters
        self._first, self._quiet, self._is_there = True, 0.0, True
        self._bar = tqdm(
            total=iters, initial=resume_at or 0, desc="train", unit="iter", leave=False, disable=None, file=sys.stderr
        )

    def message(self, text: str) -> None:
        """Write one message; only its first line gets the time."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} [INFO]\t{text}\n"
        self._show(line)
        self._file.write(line.encode("utf-8"))

    def step(self, iteration: int, seconds: float) -> None:
        """Move the bar; without one, write to the console alone when it has been quiet for a minute."""
        self._bar.update()
        self._quiet += seconds
        to_come = min(-iteration % self._log_iters, self._iters - iteration) * seconds
        if self._bar.disable and (self._quiet > QUIET_SECONDS or (self._first and to_come > QUIET_SECONDS / 10)):
            left = clock(seconds * (self._iters - iteration))
            self._show(f"iter: {iteration}/{self._iters}, {seconds:.1f} s an iteration | ETA {left}\n")
        self._first = False

    def train(self, iteration: int, means: Averages) -> None:
        """Write PaddleSeg's line of a logged step; ``| ETA`` is the time left at the pace of the steps averaged."""
        self.message(
            f"[TRAIN] epoch: {means.epoch}, iter: {iteration}/{self._iters}, loss: {means.loss:.4f}, "
            f"lr: {means.lr:.6f}, batch_cost: {means.batch_cost:.4f}, reader_cost: {means.reader_cost:.5f}, "
            f"ips: {means.ips:.4f} samples/sec | ETA {clock(means.batch_cost * (self._iters - iteration))}"
        )

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: Sequence[str]) -> None:
        """Write the scores and every class's."""
        notes = [f"[EVAL] {note}" for note in evaluation.notes()]
        first = f"{evaluation.summary()} iter: {iteration}/{self._iters}"
        self.message("\n".join([first, evaluation.table(list(class_names)), *notes]))

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file and the bar."""
        self._bar.close()
        self._file.close()

    def _show(self, line: str) -> None:
        self._quiet = 0.0
        if not self._is_there:
            return
        try:
            with tqdm.external_write_mode(file=sys.stdout):
                print(line, end="", flush=True)
        except (OSError, ValueError):  # a closed terminal or pipe must not end a training that runs for days
            self._is_there = False


def clock(seconds: float) -> str:
    """``HH:MM:SS``; hours go beyond 24, as PaddleSeg has it."""
    minutes, seconds = divmod(max(int(seconds), 0), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


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
