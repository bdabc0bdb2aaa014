"""The training loop."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle

from paddleisa.build import build_dataset, build_loss, build_model, build_optimizer
from paddleisa.config import Config, check
from paddleisa.errors import TrainingError
from paddleisa.evaluation.evaluate import Evaluation, evaluate
from paddleisa.predictor import Predictor
from paddleisa.training import resume as state
from paddleisa.training.batches import Batch, training_batches
from paddleisa.training.checkpoint import keep_newest, remove_leftovers, save_checkpoint
from paddleisa.training.ema import EMA
from paddleisa.training.init_weights import load_initial
from paddleisa.training.iteration_plan import Plan
from paddleisa.training.logging import RunLog
from paddleisa.training.logging.board import serve
from paddleisa.training.options import TrainOptions
from paddleisa.training.precision import Precision
from paddleisa.training.reporting import SilentLog, batch_report, overlays, peak_memory_mb
from paddleisa.utils import distributed
from paddleisa.utils.environment import rank, world_size
from paddleisa.utils.files import atomic_write
from paddleisa.utils.signals import StopRequest
from paddleisa.weights import save_weights

DEFAULT_SEED = 42


@dataclass(frozen=True)
class TrainResult:
    """How a training ended.

    Attributes:
        iteration: the last one done.
        best_miou, best_iteration: of the evaluations; None without any.
        signal: the signal that stopped it early, or None.
    """

    iteration: int
    best_miou: float | None
    best_iteration: int | None
    signal: int | None


def train(config: Config, options: TrainOptions) -> TrainResult:
    """Train what ``config`` describes, from the beginning or from a checkpoint.

    Raises:
        ConfigError, DataError, WeightsError, CheckpointError, UsageError: before the first step.
        TrainingError: the loss is no longer a finite number.
        WriteError: a full disk; the checkpoints before it are whole.
    """
    return Trainer(check(config, "train"), options).run()


class Trainer:
    """One training: the parts that the config describes, and the loop over them.

    Args:
        config: checked for training.
        options: where and how often results are kept.
    """

    def __init__(self, config: Config, options: TrainOptions):
        self.config, self.options = config, options
        seed = config.get("seed", DEFAULT_SEED)
        paddle.seed(seed)  # the initial weights
        self.dataset = build_dataset(config, "train")
        self.dataset.seed = seed
        self.val_dataset = build_dataset(config, "val") if options.do_eval else None
        self.plan = Plan(
            config["iters"],
            len(self.dataset),
            config["batch_size"],
            world_size(),
            seed,
            config.get("repeats") or 1,
            options.save_interval,
        )
        self.model, self.loss = build_model(config), build_loss(config)
        optimizer, schedule = build_optimizer(config)
        self.schedule = schedule.scheduler(self.plan.iters)
        self.optimizer = optimizer.create(self.model, self.schedule)
        self.precision = Precision(config.get("precision") or "fp32", config.get("amp_level") or "O1")
        self.iteration, self.best_miou, self.best_iteration, self.evaluations_since_best = 0, None, None, 0
        found = state.find(options)
        self._news = self._start_from(found)
        self.precision.prepare(self.model, self.optimizer)
        self.ema = EMA(self.model, config["ema"]["decay"]) if config.get("ema") else None
        if found:
            state.restore(self, found[1], found[0])
        self._resumed = found is not None
        self._parallel = distributed.wrap(self.model)

    def _start_from(self, found: tuple | None) -> list[str]:
        if found is None:
            return load_initial(self.model, self.options.reinit_classifier)
        path, checkpoint = found
        differences = state.require_same(checkpoint, self, path, self.options.force)
        return [f"resumed from {path}", *(f"changed: {line}" for line in differences)]

    def run(self) -> TrainResult:
        """Train to the end, to a signal, or until evaluations no longer get better."""
        save_dir = Path(self.options.save_dir)
        if rank() == 0:
            remove_leftovers(save_dir)
        with distributed.peers_alive(), StopRequest() as stop, self._open_log() as log:
            self._announce(log)
            if self.options.vdl_server and rank() == 0:  # after the log has repaired its files
                log.message(f"VisualDL: {serve(self.options.save_dir)}")
            waiting = time.perf_counter()
            for batch in training_batches(self.dataset, self.plan, rank(), self.iteration, self.options.num_workers):
                start = time.perf_counter()
                self.iteration += 1
                losses, stopping = self._step(batch, stop)
                now = time.perf_counter()
                log.step(
                    self.iteration,
                    self.plan.epoch(self.iteration),
                    losses,
                    self._last_lr,
                    batch_cost=now - waiting,
                    reader_cost=start - waiting,
                    memory_mb=peak_memory_mb(),
                )
                if self.plan.saves(self.iteration) or stopping:
                    self._milestone(log)
                if stopping:
                    log.message(f"stopped after iteration {self.iteration}; go on with --resume_model auto")
                    break
                if self._is_exhausted():
                    log.message(f"no better mIoU in {self.evaluations_since_best} evaluations: stopped early")
                    break
                waiting = time.perf_counter()
            return TrainResult(self.iteration, self.best_miou, self.best_iteration, stop.signal)

    def _step(self, batch: Batch, stop: StopRequest) -> tuple[dict[str, float], bool]:
        """One iteration: (mean loss terms over the processes, whether to stop after it)."""
        self.model.train()  # not the wrapper: it would pass over a model that freezes some of its layers
        paddle.seed(self.plan.step_seed(self.iteration, rank()))
        with self.precision.cast():
            outputs = self._parallel(paddle.to_tensor(batch.images))
            terms = self.loss(outputs, paddle.to_tensor(batch.labels).astype("int64"))
            loss = sum(terms)
        values = np.array([term.item() for term in terms], np.float64)
        finite = bool(np.isfinite(values).all())
        shared = distributed.summed(np.array([not finite, stop.signal is not None, *np.nan_to_num(values)], np.float32))
        if shared[0]:
            whose = f"\n  {chr(10).join(batch.files)}\n" if not finite else " of another process"
            raise TrainingError(
                f"the loss is {float(values.sum())}, not a finite number, at the batch{whose}",
                where=f"iteration {self.iteration}",
                fix="Look at those images and labels, or lower learning_rate; the checkpoints before it are good",
            )
        self._last_lr = self.optimizer.get_lr()
        self.precision.update(loss, self.optimizer)
        self.schedule.step()
        if self.ema:
            self.ema.update()
        means = values if world_size() == 1 else shared[2:] / world_size()
        names = ["main", "aux", *(f"aux{i}" for i in range(2, len(terms)))]
        return dict(zip(names, map(float, means), strict=False)), bool(shared[1])

    def _milestone(self, log: RunLog) -> None:
        """Evaluate if asked, keep the best model, write a checkpoint. The best goes first: see the comment."""
        best = False
        if self.val_dataset is not None and self.plan.saves(self.iteration):
            distributed.same_buffers(self.model)
            best = self._evaluate(log)
        if rank() == 0:
            save_dir = Path(self.options.save_dir)
            # A run killed between the two repeats this iteration and writes the same best model again; the other
            # way round, the checkpoint would promise a best model that was never written.
            if best:
                self._save_best(save_dir / "best_model")
            log.sync()  # the log is never behind the checkpoint
            save_checkpoint(save_dir, state.take(self))
            keep_newest(save_dir, self.options.keep_checkpoint_max)
        distributed.barrier()

    def _evaluate(self, log: RunLog) -> bool:
        with self.ema.applied() if self.ema else nullcontext():
            predictor = Predictor(self.model, self.config)
            result = evaluate(
                predictor,
                self.val_dataset,
                workers=max(self.options.num_workers, 1),
                progress=self.options.progress and rank() == 0,
            )
            if self.options.use_vdl and rank() == 0:
                log.images(self.iteration, dict(overlays(predictor, self.val_dataset)))
        log.evaluation(self.iteration, result, self.val_dataset.class_names)
        return self._note_score(result, log)

    def _note_score(self, result: Evaluation, log: RunLog) -> bool:
        miou = result.scores.miou
        better = self.best_miou is None or miou > self.best_miou
        if better:
            self.best_miou, self.best_iteration, self.evaluations_since_best = miou, self.iteration, 0
        else:
            self.evaluations_since_best += 1
        log.message(
            f"[EVAL] The model with the best validation mIoU ({self.best_miou:.4f}) was saved at iter "
            f"{self.best_iteration}."
        )
        return better

    def _is_exhausted(self) -> bool:
        patience = self.config.get("early_stop")
        return bool(patience) and self.evaluations_since_best >= patience

    def _save_best(self, folder: Path) -> None:
        with self.ema.applied() if self.ema else nullcontext():
            save_weights(self.model.state_dict(), folder / "model.pdparams")
        with atomic_write(folder / "score.json", "w") as stream:
            stream.write(f'{{"iteration": {self.iteration}, "miou": {self.best_miou!r}}}\n')

    def _open_log(self) -> RunLog:
        if rank() != 0:
            return SilentLog()
        return RunLog(
            self.options.save_dir,
            iters=self.plan.iters,
            batch_size=self.plan.total_batch,
            use_vdl=self.options.use_vdl,
            resume_at=self.iteration if self._resumed else None,
            log_iters=self.options.log_iters,
        )

    def _announce(self, log: RunLog) -> None:
        for line in [*self._news, *batch_report(self.config, self.plan.total_batch)]:
            log.message(line)
        if self.precision.note:
            log.message(self.precision.note)
        if world_size() > 1 and paddle.get_device() == "cpu":
            log.message("Paddle has no SyncBatchNorm on CPUs: each process normalises its own images")
        log.message(
            f"{self.plan.dataset_size} images, {self.plan.steps_per_epoch} iterations an epoch, "
            f"{self.plan.epoch(self.plan.iters)} epochs"
        )
        rate = self.config["lr_scheduler"].get("learning_rate")
        log.hparams(
            {
                "config": self.config.name,
                "learning_rate": rate,
                "total_batch": self.plan.total_batch,
                "iters": self.plan.iters,
                "seed": self.plan.seed,
                "precision": self.precision.kind,
            },
            metrics=["Evaluate/mIoU"],
        )
