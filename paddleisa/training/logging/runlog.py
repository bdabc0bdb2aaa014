"""The log of a training run: one call a step, three readers (people, scripts, VisualDL)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.training.logging import console, jsonl, records, visual
from paddleisa.training.logging.aside import set_aside
from paddleisa.training.logging.window import Averages, Window
from paddleisa.utils.files import WriteError
from paddleisa.utils.records import joined

if TYPE_CHECKING:
    from paddleisa.evaluation.evaluate import Evaluation


class RunLog:
    """Writes ``train.log`` (and the console), ``log.jsonl`` and the VisualDL run ``visualdl/`` in ``save_dir``.

    What a method has written survives SIGKILL. A run that resumes first repairs the files that a killed one left:
    torn tails are cut, and what comes after ``resume_at`` is dropped, since those steps are made again. A fresh run in
    a folder that holds logs moves them aside (``train.1.log``, ``log.1.jsonl``, ``visualdl.1/``), so that nothing is
    lost and no curve mixes two runs.

    Args:
        save_dir: folder of the run.
        iters: iterations of the whole schedule.
        batch_size: samples of one step, all processes together.
        use_vdl: write the VisualDL run; without it visualdl is not imported.
        resume_at: iteration of the checkpoint that is continued from; None for a fresh run.
        log_iters: steps between two records of training, each the average of its steps.

    Raises WriteError, from every method too, when a file cannot be written; the files are then whole, without the
    piece that did not fit. Raises UsageError when VisualDL cannot be imported.
    """

    def __init__(
        self,
        save_dir: str | os.PathLike,
        *,
        iters: int,
        batch_size: int,
        use_vdl: bool = False,
        resume_at: int | None = None,
        log_iters: int = 10,
    ):
        folder = Path(save_dir)
        text, lines, run = (
            folder / console.FILE_NAME,
            folder / jsonl.FILE_NAME,
            folder / visual.FOLDER / visual.FILE_NAME,
        )
        self._iters, self._log_iters = iters, log_iters
        self._window, self._iteration = Window(batch_size), resume_at or 0
        self._knows_hparams = {"json": False, "vdl": False}
        if resume_at is None:
            set_aside(folder)
        else:
            console.rewind(text, resume_at)
            self._knows_hparams["json"] = jsonl.rewind(lines, resume_at)
            if use_vdl:
                self._knows_hparams["vdl"] = records.rewind(run, resume_at)
        self._console, self._json = console.Console(text), jsonl.JsonLines(lines)
        self._vdl = visual.VisualRun(run) if use_vdl else None

    def message(self, text: str) -> None:
        """Write a line to the console and ``train.log``."""
        self._console.write(text)

    def hparams(self, values: Mapping[str, object], metrics: tuple[str, ...] | list[str] = ()) -> None:
        """Write the run's settings, unless the run that is resumed has done so.

        Args:
            values: name to number or text; dicts inside become dotted names, other types text.
            metrics: tags of the scalars that VisualDL shows beside them.
        """
        if not self._knows_hparams["json"]:
            self._json.write("hparams", {"values": dict(values), "metrics": list(metrics)})
            self._knows_hparams["json"] = True
        if self._vdl and not self._knows_hparams["vdl"]:
            self._vdl.hparams(values, metrics)
            self._knows_hparams["vdl"] = True

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
        self._window.add(epoch, dict(losses), lr, batch_cost, reader_cost, memory_mb)
        self._iteration = iteration
        if iteration % self._log_iters == 0 or iteration == self._iters:
            self._write_window()

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: list[str]) -> None:
        """Write the scores, and each class's, of the model at ``iteration``."""
        scores = evaluation.scores
        self._console.write(
            "\n".join(
                [
                    f"{evaluation.summary()} iter: {iteration}/{self._iters}",
                    evaluation.table(list(class_names)),
                    *(f"[EVAL] {note}" for note in evaluation.notes()),
                ]
            )
        )
        self._json.write(
            "eval", joined({"iteration": iteration, "class_names": list(class_names)}, evaluation.to_dict())
        )
        if self._vdl and scores.pixels:
            named = {"mIoU": scores.miou, "Acc": scores.accuracy, "Kappa": scores.kappa, "Dice": scores.mdice}
            points = {f"Evaluate/{name}": value for name, value in named.items()}
            names = visual.tags(("Evaluate", "IoU"), class_names)
            rows = zip(names, scores.class_iou, scores.class_absent, strict=True)
            present = {name: iou for name, iou, absent in rows if not absent}
            self._vdl.scalars(iteration, {**points, **present})

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        """Show (H, W, 3) uint8 RGB images on the board under ``Predictions/NAME``; large ones are shrunk."""
        if self._vdl:
            names = visual.tags(("Predictions",), images)
            self._vdl.images(iteration, dict(zip(names, images.values(), strict=True)))

    def sync(self) -> None:
        """Wait until the log is on the disk: then a checkpoint written after it never knows more than the log."""
        for part in self._parts():
            part.sync()

    def close(self) -> None:
        """Write the averages of the steps since the last record, and close the files; a second call does nothing."""
        try:
            if len(self._window):
                self._write_window()
        finally:
            for part in self._parts():
                part.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None and issubclass(kind, WriteError):
            self._window.clear()  # a second error of a full disk would hide the first
        self.close()

    def _write_window(self) -> None:
        means = self._window.take()
        self._console.write(console.train_line(self._iteration, self._iters, means))
        self._json.write("train", {"iteration": self._iteration, **asdict(means)})
        if self._vdl:
            self._vdl.scalars(self._iteration, _curves(means))

    def _parts(self) -> list[console.Console | jsonl.JsonLines | visual.VisualRun]:
        return [part for part in (self._console, self._json, self._vdl) if part is not None]


def _curves(means: Averages) -> dict[str, float]:
    """VisualDL tag to value, with PaddleSeg's tags where it has one."""
    curves = {f"Train/{name}": getattr(means, name) for name in ("loss", "lr", "batch_cost", "reader_cost", "ips")}
    names = visual.tags((), (f"loss_{name}" for name in means.losses))
    curves |= {f"Train/{name}": value for name, value in zip(names, means.losses.values(), strict=True)}
    if means.memory_mb is not None:
        curves["Train/memory_mb"] = means.memory_mb
    return curves
