"""The files that a run is logged to: ``train.log`` for people, ``log.jsonl`` for scripts; VisualDL's has its own page.

``train.log`` and the console have PaddleSeg's lines, so that its readers, people and scripts, can read ours.
``log.jsonl`` has one JSON object a line, whose ``kind`` is hparams, train or eval.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import to_json
from tqdm import tqdm

from paddleisa.utils.files import AppendFile, joined, keep_lines

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.evaluation.evaluate import Evaluation

QUIET_SECONDS = 60.0  # of training without a line, after which there is one all the same

# Only our [TRAIN] and [EVAL] lines hold an iteration and the total. Both begin a stretch of the file that belongs to
# that iteration: the lines of an evaluation's table follow its [EVAL] line.
_ITERATION = re.compile(r"\[(?:TRAIN|EVAL)\] .*\biter: (\d+)/\d+")


@dataclass(frozen=True)
class Averages:
    """What is logged of a stretch of steps."""

    epoch: int  # of the last step, from 1
    losses: dict[str, float]  # mean of each loss term, weighted as it goes into the sum
    loss: float  # mean of the sum of the terms
    lr: float  # learning rate of the last step
    batch_cost: float  # mean seconds of a step, data loading included
    reader_cost: float  # mean seconds of a step spent waiting for data
    ips: float  # samples per second of all processes together
    memory_mb: float | None  # the greatest value met; None when no step gave one


class Sink:
    """One file that a run is logged to. What a kind of log has no use for is left as it is here: ignored.

    Every method raises WriteError when the file cannot be written; it is then whole, without the piece that did not
    fit. What a method has written survives SIGKILL.
    """

    def __init__(self, path: Path):
        self._file = AppendFile(path)

    def message(self, text: str) -> None:
        """A line for people."""

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str]) -> None:
        """The run's settings, and tags of the scalars to show beside them; a resumed run has written them already."""

    def step(self, iteration: int, seconds: float) -> None:
        """A step has been made: a sign of life."""

    def train(self, iteration: int, means: Averages) -> None:
        """Averages of the steps up to ``iteration``."""

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: list[str]) -> None:
        """Scores of the model at ``iteration``."""

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        """(H, W, 3) uint8 RGB images by name."""

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()


class TextLog(Sink):
    """Writes lines with time and level to standard output and to ``train.log``.

    Between the lines a terminal shows a bar with the time left; other outputs get a line for the first step, when the
    next one is far off, and one for every minute without any.
    """

    def __init__(self, path: Path, iters: int, log_iters: int, resume_at: int | None):
        if resume_at is not None:
            rewind_text(path, resume_at)
        super().__init__(path)
        self._iters, self._log_iters = iters, log_iters
        self._first, self._quiet, self._is_there = True, 0.0, True
        self._bar = tqdm(
            total=iters, initial=resume_at or 0, desc="train", unit="iter", leave=False, disable=None, file=sys.stderr
        )

    def message(self, text: str) -> None:
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} [INFO]\t{text}\n"
        self._show(line)
        self._file.write(line.encode("utf-8"))

    def step(self, iteration: int, seconds: float) -> None:
        self._bar.update()
        self._quiet += seconds
        to_come = min(-iteration % self._log_iters, self._iters - iteration) * seconds
        if self._bar.disable and (self._quiet > QUIET_SECONDS or (self._first and to_come > QUIET_SECONDS / 10)):
            left = clock(seconds * (self._iters - iteration))
            self._show(f"iter: {iteration}/{self._iters}, {seconds:.1f} s an iteration | ETA {left}\n")
        self._first = False

    def train(self, iteration: int, means: Averages) -> None:
        self.message(
            f"[TRAIN] epoch: {means.epoch}, iter: {iteration}/{self._iters}, loss: {means.loss:.4f}, "
            f"lr: {means.lr:.6f}, batch_cost: {means.batch_cost:.4f}, reader_cost: {means.reader_cost:.5f}, "
            f"ips: {means.ips:.4f} samples/sec | ETA {clock(means.batch_cost * (self._iters - iteration))}"
        )

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: list[str]) -> None:
        notes = [f"[EVAL] {note}" for note in evaluation.notes()]
        first = f"{evaluation.summary()} iter: {iteration}/{self._iters}"
        self.message("\n".join([first, evaluation.table(class_names), *notes]))

    def close(self) -> None:
        self._bar.close()
        super().close()

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


def rewind_text(path: Path, iteration: int) -> None:
    """Drop a torn last line, and from the first line of a later iteration on everything.

    Messages between two iterations belong to the earlier one and stay with it.
    """

    def wanted(line: str) -> bool | None:
        match = _ITERATION.search(line)
        return None if match and int(match[1]) > iteration else True

    keep_lines(path, wanted)


class JsonLog(Sink):
    """Appends objects to ``log.jsonl``; numbers that are not finite become null, for which JSON has no word."""

    def __init__(self, path: Path, resume_at: int | None):
        self._has_hparams = resume_at is not None and rewind_json(path, resume_at)
        super().__init__(path)

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str]) -> None:
        if not self._has_hparams:
            self._write("hparams", {"values": dict(values), "metrics": list(metrics)})
            self._has_hparams = True

    def train(self, iteration: int, means: Averages) -> None:
        self._write("train", {"iteration": iteration, **asdict(means)})

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: list[str]) -> None:
        self._write("eval", joined({"iteration": iteration, "class_names": class_names}, evaluation.to_dict()))

    def _write(self, kind: str, values: dict[str, object]) -> None:
        record = {"kind": kind, "time": round(time.time(), 3), **values}  # seconds since 1970
        self._file.write(to_json(record, inf_nan_mode="null", fallback=_plain) + b"\n")


def _plain(value: object) -> object:
    """NumPy's numbers and arrays as Python's, anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def rewind_json(path: Path, iteration: int) -> bool:
    """Drop a torn or damaged tail and every record of a later iteration; true when hparams are among the rest."""
    kinds = set()

    def wanted(line: str) -> bool | None:
        try:
            record = json.loads(line)
            kinds.add(record["kind"])
        except (ValueError, TypeError, KeyError):
            return None
        return record.get("iteration", 0) <= iteration

    keep_lines(path, wanted)
    return "hparams" in kinds
