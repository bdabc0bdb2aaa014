"""A training's state: taken for a checkpoint, given back on resume."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import paddle

import paddleisa
from paddleisa.config import Config
from paddleisa.errors import CheckpointError, TrainingError, UsageError
from paddleisa.training.checkpoint import Checkpoint, newest_readable, read_checkpoint
from paddleisa.training.optimizer_state import optimizer_arrays, restore_optimizer
from paddleisa.utils.environment import world_size
from paddleisa.weights import load_weights

if TYPE_CHECKING:
    from paddleisa.training.options import TrainOptions
    from paddleisa.training.trainer import Trainer


def take(trainer: Trainer) -> Checkpoint:
    """Everything that the next iterations depend on, and what describes the run.

    No state of random generators is among it: they are functions of seed and iteration (training/iteration_plan.py).
    """
    arrays = {
        "model.pdparams": {name: tensor.numpy() for name, tensor in trainer.model.state_dict().items()},
        "model.pdopt": optimizer_arrays(trainer.optimizer, trainer.model),
    }
    if trainer.ema:
        arrays["ema.pdparams"] = trainer.ema.state()
    _require_finite(arrays, trainer.iteration)
    facts = {
        "iteration": trainer.iteration,
        "epoch": trainer.plan.epoch(max(trainer.iteration, 1)),
        "seed": trainer.plan.seed,
        "schedule": trainer.schedule.state_dict(),
        "scaler": trainer.precision.state(),
        "best_miou": trainer.best_miou,
        "best_iteration": trainer.best_iteration,
        "evaluations_since_best": trainer.evaluations_since_best,
        "world_size": world_size(),
        "dataset_size": trainer.plan.dataset_size,
        "config_name": trainer.config.name,
        "config": trainer.config.to_dict(),
        "config_digest": trainer.config.digest(),
        "versions": {"paddleisa": paddleisa.__version__, "paddle": paddle.__version__, "numpy": version("numpy")},
    }
    return Checkpoint(facts, arrays)


def _require_finite(arrays: dict[str, dict[str, np.ndarray]], iteration: int) -> None:
    """A finite loss does not say it: ReLU turns the NaN of poisoned batch-norm statistics into zeros."""
    for state in arrays.values():
        for name, array in state.items():
            if not np.isfinite(array).all():
                raise TrainingError(
                    f"the values of {name} are not finite",
                    where=f"iteration {iteration}",
                    fix="Lower learning_rate, or look for damaged images; the last checkpoint is good",
                )


def restore(trainer: Trainer, checkpoint: Checkpoint, where: object) -> None:
    """Continue from what ``take`` took."""
    facts = checkpoint.facts
    load_weights(trainer.model, checkpoint.arrays["model.pdparams"])
    arrays = checkpoint.arrays.get("model.pdopt", {})
    restore_optimizer(trainer.optimizer, trainer.model, arrays, facts["schedule"], where)
    if trainer.ema and "ema.pdparams" in checkpoint.arrays:
        trainer.ema.restore(checkpoint.arrays["ema.pdparams"])
    trainer.precision.restore(facts["scaler"])
    trainer.iteration = facts["iteration"]
    trainer.best_miou, trainer.best_iteration = facts["best_miou"], facts["best_iteration"]
    trainer.evaluations_since_best = facts["evaluations_since_best"]


def find(options: TrainOptions) -> tuple[Path, Checkpoint] | None:
    """The checkpoint that the options ask for; None to start from the beginning.

    Raises:
        CheckpointError: it cannot be read. UsageError: a new run would mix with one that ``save_dir`` already holds.
    """
    save_dir = Path(options.save_dir)
    if options.resume is None:
        if any(save_dir.glob("iter_*")):
            raise UsageError(
                "it already holds the checkpoints of a training",
                where=f"--save_dir {save_dir}",
                fix="Continue it with --resume_model auto, or give another --save_dir",
            )
        return None
    if str(options.resume) == "auto":
        return newest_readable(save_dir)
    return Path(options.resume), read_checkpoint(options.resume)


def require_same(checkpoint: Checkpoint, trainer: Trainer, where: object, force: bool) -> list[str]:
    """Lines that say what differs between the checkpoint's run and this one.

    Raises:
        CheckpointError: something differs and ``force`` is not set.
    """
    before = Config.from_dict(checkpoint.facts["config"], source=str(where))
    lines = [] if before.digest() == trainer.config.digest() else before.differences(trainer.config)
    for name, now in (("world_size", world_size()), ("dataset_size", trainer.plan.dataset_size)):
        if checkpoint.facts[name] != now:
            lines.append(f"{name}: {checkpoint.facts[name]} -> {now}")
    if lines and not force:
        raise CheckpointError(
            "the run to resume had another setup: " + "; ".join(lines),
            where=where,
            fix="Undo the change, or go on all the same with --force",
        )
    return lines
