"""What the next step of a training depends on, and how it goes into a checkpoint and comes back."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import paddle

from paddleisa.errors import TrainingError
from paddleisa.training.optimizer_state import float32_parameters, optimizer_arrays, restore_optimizer
from paddleisa.weights import load_weights

if TYPE_CHECKING:
    from paddleisa.training.checkpoint import Checkpoint
    from paddleisa.training.precision import Precision


class EMA:
    """Exponential moving average of the weights (Polyak averaging), evaluated and kept in place of the last ones.

    ``average = decay * average + (1 - decay) * weights`` after every step, parameters and running statistics.

    Args:
        model: whose state is averaged.
        decay: share of the old average, below 1.
        average: to go on from, as :meth:`state` gives it; None starts from what the model is now.
    """

    def __init__(self, model: paddle.nn.Layer, decay: float, average: Mapping[str, np.ndarray] | None = None):
        self.decay, self._model = decay, model
        if average is None:
            self._average = {name: tensor.astype("float32").clone() for name, tensor in model.state_dict().items()}
        else:
            self._average = {name: paddle.to_tensor(array) for name, array in average.items()}

    @paddle.no_grad()
    def update(self) -> None:
        """Add the model's present state."""
        for name, tensor in self._model.state_dict().items():
            average = self._average[name]
            average.set_value(average * self.decay + tensor.astype("float32") * (1 - self.decay))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block, the model has the averaged weights."""
        kept = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        self._model.set_state_dict({n: t.astype(kept[n].dtype) for n, t in self._average.items()})
        try:
            yield
        finally:
            self._model.set_state_dict(kept)

    def state(self) -> dict[str, np.ndarray]:
        """The averages as arrays."""
        return {name: tensor.numpy() for name, tensor in self._average.items()}


@dataclass
class TrainState:
    """A training between two steps.

    No state of random generators is among it, and none of the learning rate: both are functions of the seed, the
    plan and the iteration (training/batches.py, optim/lr_schedules.py).

    Attributes:
        model, optimizer, schedule: what is trained; ``schedule`` is the optimizer's learning rate.
        precision: arithmetic, with the loss scaler of fp16.
        ema: average of the weights, or None.
        iteration: the last one done; 0 before the first.
        best_miou, best_iteration, best_measured_with: of the evaluations so far; None without any.
        evaluations_since_best: in a row that were no better.
    """

    model: paddle.nn.Layer
    optimizer: paddle.optimizer.Optimizer
    schedule: paddle.optimizer.lr.LRScheduler
    precision: Precision
    ema: EMA | None = None
    iteration: int = 0
    best_miou: float | None = None
    best_iteration: int | None = None
    best_measured_with: str | None = None
    evaluations_since_best: int = 0

    def averaged(self) -> AbstractContextManager:
        """Within the block the model has the weights that are evaluated and kept: the average where there is one."""
        return self.ema.applied() if self.ema else nullcontext()

    def note_score(self, miou: float, measured_with: str) -> bool:
        """Take an evaluation's mIoU, 0..1, and how it was measured, in words; true when it is the best so far."""
        if self.best_miou is not None and not miou > self.best_miou:
            self.evaluations_since_best += 1
            return False
        self.best_miou, self.best_iteration, self.best_measured_with = miou, self.iteration, measured_with
        self.evaluations_since_best = 0
        return True

    def forget_best(self) -> None:
        """Let the next evaluation be the best one, whatever was measured before."""
        self.best_miou = self.best_iteration = self.best_measured_with = None
        self.evaluations_since_best = 0

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """Tensors by the file of a checkpoint that they belong in.

        Raises:
            TrainingError: some are not finite. A finite loss does not rule that out: ReLU turns the NaN of poisoned
                batch-norm statistics into zeros.
        """
        arrays = {
            "model.pdparams": {name: tensor.numpy() for name, tensor in self.model.state_dict().items()},
            "model.pdopt": optimizer_arrays(self.optimizer, self.model),
        }
        if self.ema:
            arrays["ema.pdparams"] = self.ema.state()
        for state in arrays.values():
            for name, array in state.items():
                if not np.isfinite(array).all():
                    raise TrainingError(
                        f"the values of {name} are not finite",
                        where=f"iteration {self.iteration}",
                        fix="Lower learning_rate, or look for damaged images; the last checkpoint is good",
                    )
        return arrays

    def facts(self) -> dict[str, object]:
        """The rest of the state as plain numbers."""
        return {
            "iteration": self.iteration,
            "scaler": self.precision.state(),
            "best_miou": self.best_miou,
            "best_iteration": self.best_iteration,
            "best_measured_with": self.best_measured_with,
            "evaluations_since_best": self.evaluations_since_best,
        }

    def restore(self, checkpoint: Checkpoint) -> list[str]:
        """Continue from a checkpoint whose run may have had other settings; gives lines that say what it lacks.

        The learning rate is the one that *this* run's schedule has at the checkpoint's iteration. An average that the
        checkpoint does not hold begins at its weights; an optimizer's state that does not fit is left out.

        Raises:
            WeightsError: the checkpoint's weights are of another network.
        """
        arrays, facts = checkpoint.arrays, checkpoint.facts
        optimizer = arrays.get("model.pdopt", {})
        weights = {**arrays["model.pdparams"], **float32_parameters(optimizer)}
        load_weights(self.model, weights)
        lines = restore_optimizer(self.optimizer, self.model, optimizer, weights)
        self.iteration = facts["iteration"]
        for _ in range(self.iteration):
            self.schedule.step()
        if self.ema:
            if "ema.pdparams" not in arrays:
                lines.append("the checkpoint holds no average of the weights: it begins at the resumed ones")
            self.ema = EMA(self.model, self.ema.decay, arrays.get("ema.pdparams"))
        self.precision.restore(facts.get("scaler") or {})
        self.best_miou, self.best_iteration = facts.get("best_miou"), facts.get("best_iteration")
        self.best_measured_with = facts.get("best_measured_with")
        self.evaluations_since_best = facts.get("evaluations_since_best", 0)
        return lines
