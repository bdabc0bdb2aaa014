"""The log of a training run: one call a step, three readers (people, scripts, VisualDL)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.training.logging.sinks import Averages, JsonLog, Sink, TextLog
from paddleisa.training.logging.visualdl import VisualDLLog, cut_torn_tail
from paddleisa.utils.files import WriteError, write_error

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.evaluation.evaluate import Evaluation

TEXT_NAME, JSON_NAME = "train.log", "log.jsonl"
# A fixed name: VisualDL shows only the newest file of a folder, so a resumed run must append to the one it has.
VISUALDL = Path("visualdl", "vdlrecords.paddleisa.log")


class RunLog:
    """Averages the steps and hands them, and everything else, to its sinks; without sinks it is silent.

    Args:
        sinks: where to; see :func:`open_run_log` for those of a training.
        iters: iterations of the whole schedule.
        batch_size: samples of one step, all processes together.
        log_iters: steps between two records of training, each the average of its steps.

    Raises WriteError, from every method, when a file cannot be written.
    """

    def __init__(self, sinks: Sequence[Sink] = (), *, iters: int = 1, batch_size: int = 1, log_iters: int = 10):
        self._sinks, self._iters, self._batch_size, self._log_iters = sinks, iters, batch_size, log_iters
        self._steps: list[tuple[dict[str, float], float, float]] = []
        self._last = (0, 0, 0.0)  # iteration, epoch, rate
        self._memory: list[float] = []  # MB

    def _tell(self, event: str, *values: object) -> None:
        for sink in self._sinks:
            getattr(sink, event)(*values)

    def message(self, text: str) -> None:
        """Write a line for people."""
        self._tell("message", text)

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str] = ()) -> None:
        """Write the run's settings, unless the run that is resumed has; VisualDL shows the tags ``metrics`` beside."""
        self._tell("hparams", values, metrics)

    def step(
        self,
        iteration: int,
        epoch: int,
        losses: Mapping[str, float],
        lr: float,
        batch_cost: float,
        reader_cost: float,
        memory_mb: float | None = None,
    ) -> None:
        """Take one step; every ``log_iters``-th, and the last, writes the averages since the one before.

        Args:
            iteration: from 1.
            epoch: from 1.
            losses: the terms of the loss, weighted: their sum is what is minimised. NaN and infinities are written.
            lr: learning rate that the step used.
            batch_cost: seconds of the step, waiting for data included.
            reader_cost: seconds spent waiting for data.
            memory_mb: peak memory; None where it is unknown.
        """
        self._steps.append(({name: float(value) for name, value in losses.items()}, batch_cost, reader_cost))
        self._last = (iteration, epoch, float(lr))
        self._memory += [] if memory_mb is None else [float(memory_mb)]
        if iteration % self._log_iters == 0 or iteration == self._iters:
            self._write_averages()
        self._tell("step", iteration, batch_cost)

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: Sequence[str]) -> None:
        """Write the scores, and each class's, of the model at ``iteration``."""
        self._tell("evaluation", iteration, evaluation, list(class_names))

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        """Show (H, W, 3) uint8 RGB images on the board under ``Predictions/NAME``; large ones are shrunk."""
        self._tell("images", iteration, images)

    def sync(self) -> None:
        """Wait until the log is on the disk: then a checkpoint written after it never knows more than the log."""
        self._tell("sync")

    def close(self) -> None:
        """Write the averages of the steps since the last record, and close the files; a second call does nothing."""
        try:
            if self._steps:
                self._write_averages()
        finally:
            self._tell("close")

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None and issubclass(kind, WriteError):
            self._steps.clear()  # a second error of a full disk would hide the first
        self.close()

    def _write_averages(self) -> None:
        steps, memory, (iteration, epoch, rate) = self._steps, max(self._memory, default=None), self._last
        self._steps, self._memory = [], []
        losses = {name: sum(terms.get(name, 0.0) for terms, _, _ in steps) / len(steps) for name in steps[-1][0]}
        batch_cost = sum(cost for _, cost, _ in steps) / len(steps)
        reader_cost = sum(cost for _, _, cost in steps) / len(steps)
        ips = self._batch_size / batch_cost if batch_cost > 0 else 0.0
        means = Averages(epoch, losses, sum(losses.values()), rate, batch_cost, reader_cost, ips, memory)
        self._tell("train", iteration, means)


def open_run_log(
    save_dir: str | os.PathLike,
    *,
    iters: int,
    batch_size: int,
    use_vdl: bool = False,
    resume_at: int | None = None,
    log_iters: int = 10,
) -> RunLog:
    """The log of a run in ``save_dir``: ``train.log`` and the console, ``log.jsonl``, and VisualDL's ``visualdl/``.

    A run that resumes first repairs the files that a killed one left: torn tails are cut, and what comes after
    ``resume_at`` is dropped, since those steps are made again. A fresh run in a folder that holds logs moves them
    aside (``train.1.log``, ``log.1.jsonl``, ``visualdl.1/``), so that nothing is lost and no curve mixes two runs.

    Args:
        save_dir: folder of the run.
        iters, batch_size, log_iters: as :class:`RunLog` takes them.
        use_vdl: write the VisualDL run; without it visualdl is not imported.
        resume_at: iteration of the checkpoint that is continued from; None for a fresh run.

    Raises:
        WriteError: a file cannot be written. UsageError: VisualDL cannot be imported.
    """
    folder = Path(save_dir)
    if resume_at is None:
        _move_aside(folder)
    sinks: list[Sink] = [
        TextLog(folder / TEXT_NAME, iters, log_iters, resume_at),
        JsonLog(folder / JSON_NAME, resume_at),
    ]
    if use_vdl:
        sinks.append(VisualDLLog(folder / VISUALDL, resume_at))
    return RunLog(sinks, iters=iters, batch_size=batch_size, log_iters=log_iters)


def _move_aside(folder: Path) -> None:
    """Rename the logs of an earlier run: ``train.log`` to ``train.N.log`` and so on, with the first free N.

    VisualDL then shows the earlier run beside the new one, so its file must not be torn. Raises WriteError.
    """
    present = [folder / name for name in (TEXT_NAME, JSON_NAME, VISUALDL.parent) if (folder / name).exists()]
    number = 1
    while any(_numbered(path, number).exists() for path in present):
        number += 1
    cut_torn_tail(folder / VISUALDL)
    for path in present:
        try:
            path.rename(_numbered(path, number))
        except OSError as error:
            raise write_error(path, error) from error


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")
