"""The training loop."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddleisa.build import build_dataset, build_loss, build_model, build_optimizer
from paddleisa.config import CheckedConfig, Config, check, read_config
from paddleisa.config.memory import require_step
from paddleisa.data.check.check import quick_check
from paddleisa.errors import DataError, TrainingError
from paddleisa.training import start
from paddleisa.training.batches import Batch, Plan, training_batches
from paddleisa.training.checkpoint import Checkpoint, keep_only, save_checkpoint
from paddleisa.training.logging import RunLog, open_run_log
from paddleisa.training.logging.visualdl import serve
from paddleisa.training.options import Profiler, TrainOptions
from paddleisa.training.precision import Precision
from paddleisa.training.reporting import Validation, announcement, hparams, peak_memory_mb, save_best
from paddleisa.training.train_state import EMA, TrainState
from paddleisa.utils import distributed
from paddleisa.utils.environment import rank, world_size
from paddleisa.utils.files import remove_leftovers
from paddleisa.utils.process import StopRequest, exclusive

StepHook = Callable[[TrainState, Batch], None]


@dataclass(frozen=True)
class TrainResult:
    """How a training ended.

    Attributes:
        iteration: the last one done.
        best_miou, best_iteration, measured_with: of the best evaluation; None without any.
        signal: the signal that stopped it early, or None.
    """

    iteration: int
    best_miou: float | None
    best_iteration: int | None
    measured_with: str | None
    signal: int | None


def train(
    config: Config | str | Path,
    options: TrainOptions | None = None,
    before_step: StepHook | None = None,
    *,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    flags: Mapping[str, object] | None = None,
    **settings: Any,
) -> TrainResult:
    """Train what a config describes, from the beginning or from a checkpoint, after a look at its data.

    Args:
        config: a config, its file, a shipped name, or the folder of an earlier training.
        options: where and how often results are kept.
        before_step: called before every step with the state, whose ``iteration`` is that step's, and its batch.
        opts, plugins, flags: changes of a config that is named, as of :func:`paddleisa.load_config`.
        settings: the options one by one, instead of ``options``: ``save_dir="output"``, ``do_eval=True``, ...; see
            :class:`paddleisa.training.options.TrainOptions`.

    Raises:
        ConfigError, DataError, WeightsError, CheckpointError, UsageError: before the first step.
        TrainingError: the loss is no longer a finite number.
        WriteError: a full disk; the checkpoints before it are whole.
    """
    options = options or TrainOptions(**settings)
    if not isinstance(config, Config):
        config = read_config(config, opts=opts, plugins=plugins, flags=flags)
    checked = check(config, "train" if options.resume is None else "resume")
    if rank() != 0:
        return Trainer(checked, options, before_step).run()
    quick_check(checked, "train")
    if options.do_eval:
        quick_check(checked, "val")
    with exclusive(Path(options.save_dir, "training"), "training into this folder", "Give another --save_dir"):
        return Trainer(checked, options, before_step).run()


class Trainer:
    """One training: the parts that the config describes, and the loop over them.

    Args:
        config: checked for training.
        options, before_step: as :func:`train` takes them.

    Attributes:
        state: model, optimizer and what else the next step depends on.
        plan: what happens at which iteration.
        origin: lines that say where the weights come from.
    """

    def __init__(self, config: CheckedConfig, options: TrainOptions, before_step: StepHook | None = None):
        self._config, self._options, self._before_step = config, options, before_step
        settings = config.settings
        paddle.seed(settings.seed)  # the initial weights
        self._dataset = build_dataset(config, "train")
        self._dataset.seed = settings.seed
        self._validation = Validation(config, options) if options.do_eval else None
        self.plan = Plan(
            settings.iters,
            len(self._dataset),
            settings.batch_size,
            world_size(),
            settings.seed,
            settings.repeats,
            options.save_interval,
        )
        self._loss = build_loss(config)
        self.state, self.origin, self._resumed = self._start()
        self._parallel = distributed.wrap(self.state.model)

    def _start(self) -> tuple[TrainState, list[str], bool]:
        """The state before the first step, where it comes from, and whether that is a checkpoint."""
        config, options = self._config, self._options
        found = start.find(options)
        model = build_model(config)
        require_step(config, model)
        origin = [] if found else start.load_initial(model, config.to_dict()["model"], options.reinit_classifier)
        optimizer, schedule = build_optimizer(config)
        self._update_rule = optimizer
        scheduler = schedule.scheduler(self.plan.iters)
        settings = config.settings
        precision = Precision(settings.precision, settings.amp_level)
        state = TrainState(model, optimizer.create(model, scheduler), scheduler, precision)
        precision.prepare(model, state.optimizer)
        if settings.ema is not None:
            state.ema = EMA(model, settings.ema.decay)
        if found:
            origin = start.resume(state, found[1], found[0], config, self.plan, options.force)
        return state, [*origin, *optimizer.frozen_lines(model)], found is not None

    def run(self) -> TrainResult:
        """Train to the end, to a signal, or until evaluations no longer get better."""
        state, options = self.state, self._options
        if rank() == 0:
            self._tidy()
        with distributed.peers_alive(), StopRequest() as stop, self._open_log() as log:
            for line in [*self.origin, *announcement(self._config, self.plan, state.precision)]:
                log.message(line)
            log.hparams(hparams(self._config, self.plan, state.precision), metrics=["Evaluate/mIoU"])
            if options.vdl_server and rank() == 0:  # after the log has repaired its files
                log.message(f"VisualDL: {serve(options.save_dir)}")
            log.message(f"iteration {state.iteration + 1} of {self.plan.iters} begins")
            profiler = Profiler(options.profile, Path(options.save_dir, "profiler"))
            for name in options.profile.ignored if options.profile else ():
                log.message(f"--profiler_options {name} does nothing with this Paddle")
            waiting = time.perf_counter()
            for batch in training_batches(self._dataset, self.plan, rank(), state.iteration, options.num_workers):
                start = time.perf_counter()
                state.iteration += 1
                rate = state.optimizer.get_lr()
                losses, stopping = self._step(batch, stop)
                now = time.perf_counter()
                log.step(
                    state.iteration,
                    self.plan.epoch(state.iteration),
                    losses,
                    rate,
                    batch_cost=now - waiting,
                    reader_cost=start - waiting,
                    memory_mb=peak_memory_mb(),
                )
                if told := profiler.step(self.plan.total_batch):
                    log.message(told)
                if self.plan.saves(state.iteration) or stopping or profiler.ends_training:
                    self._milestone(log)
                if stopping:
                    log.message(f"stopped after iteration {state.iteration}; go on with --resume_model auto")
                    break
                if profiler.ends_training:
                    log.message("ended after the profiled steps: exit_on_finished=False goes on")
                    break
                if self._is_exhausted():
                    log.message(f"no better mIoU in {state.evaluations_since_best} evaluations: stopped early")
                    break
                waiting = time.perf_counter()
            best = (state.best_miou, state.best_iteration, state.best_measured_with)
            return TrainResult(state.iteration, *best, stop.signal)

    def _step(self, batch: Batch, stop: StopRequest) -> tuple[dict[str, float], bool]:
        """One iteration: (mean loss terms over the processes, whether to stop after it)."""
        state = self.state
        if self._before_step:
            self._before_step(state, batch)
        self._update_rule.train_mode(state.model)  # not the wrapper's: what is frozen stays in evaluation
        paddle.seed(self.plan.step_seed(state.iteration, rank()))
        with state.precision.cast():
            outputs = self._parallel(paddle.to_tensor(batch.images))
            try:
                terms = self._loss(outputs, paddle.to_tensor(batch.labels).astype("int64"))
            except DataError as error:  # a label that is no class: the loss cannot know the files
                raise DataError(error.problem, where=f"one of {', '.join(batch.files)}", fix=error.fix) from None
            loss = sum(terms)
        values = np.array([term.item() for term in terms], np.float64)
        finite = bool(np.isfinite(values).all())
        shared = distributed.summed(np.array([not finite, stop.signal is not None, *np.nan_to_num(values)], np.float32))
        if shared[0]:
            whose = f"\n  {chr(10).join(batch.files)}\n" if not finite else " of another process"
            raise TrainingError(
                f"the loss is {float(values.sum())}, not a finite number, at the batch{whose}",
                where=f"iteration {state.iteration}",
                fix="Look at those images and labels, or lower learning_rate; the checkpoints before it are good",
            )
        state.precision.update(loss, state.optimizer)
        state.schedule.step()
        if state.ema:
            state.ema.update()
        means = values if world_size() == 1 else shared[2:] / world_size()
        names = ["main", "aux", *(f"aux{i}" for i in range(2, len(terms)))]
        return dict(zip(names, map(float, means), strict=False)), bool(shared[1])

    def _milestone(self, log: RunLog) -> None:
        """Evaluate if asked, keep the best model, write a checkpoint. The best goes first: see the comment."""
        state, save_dir = self.state, Path(self._options.save_dir)
        validation = self._validation if self.plan.saves(state.iteration) else None
        best = validation if validation is not None and validation.score(state, log) else None
        if rank() == 0:
            # A run killed between the two repeats this iteration and writes the same best model again; the other
            # way round, the checkpoint would promise a best model that was never written.
            if best is not None:
                save_best(state, save_dir / "best_model", best)
            log.sync()  # the log is never behind the checkpoint
            facts = {**state.facts(), "epoch": self.plan.epoch(max(state.iteration, 1))}
            save_checkpoint(save_dir, Checkpoint(facts | start.run_facts(self._config, self.plan), state.arrays()))
            self._tidy()
        distributed.barrier()

    def _tidy(self) -> None:
        """Leave the checkpoints that an uninterrupted run has at this iteration, and nothing half-written."""
        for folder in ("", "best_model", "visualdl"):
            remove_leftovers(Path(self._options.save_dir, folder))
        if self._options.keep_checkpoint_max:
            kept = self.plan.kept(self.state.iteration, self._options.keep_checkpoint_max)
            keep_only(self._options.save_dir, kept, until=self.state.iteration)

    def _is_exhausted(self) -> bool:
        patience = self._config.settings.early_stop
        return patience is not None and self.state.evaluations_since_best >= patience

    def _open_log(self) -> RunLog:
        if rank() != 0:
            return RunLog()
        return open_run_log(
            self._options.save_dir,
            iters=self.plan.iters,
            batch_size=self.plan.total_batch,
            use_vdl=self._options.use_vdl,
            resume_at=self.state.iteration if self._resumed else None,
            log_iters=self._options.log_iters,
        )
