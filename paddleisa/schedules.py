"""Learning-rate schedules: PaddleSeg's names and options, Paddle's schedulers underneath.

Each class takes what a config may say and makes the scheduler when the number of iterations is known. All take
``warmup_iters`` and ``warmup_start_lr``: a linear rise before the schedule starts, as in the original.
"""

from __future__ import annotations

from typing import Annotated

from paddle.optimizer import lr
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.registry import SCHEDULES

Rate = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Schedule:
    """Common part: warm-up.

    Args:
        learning_rate: rate at the schedule's first iteration.
        warmup_iters: iterations of linear rise before it.
        warmup_start_lr: rate at the first of those.
    """

    def __init__(self, learning_rate: Rate, warmup_iters: Count, warmup_start_lr: float):
        self.learning_rate, self.warmup_iters, self.warmup_start_lr = learning_rate, warmup_iters, warmup_start_lr

    def scheduler(self, iters: int) -> lr.LRScheduler:
        """Paddle's scheduler for a training of ``iters`` iterations; one ``step()`` after each."""
        main = self._main(iters - self.warmup_iters)
        if not self.warmup_iters:
            return main
        return lr.LinearWarmup(main, self.warmup_iters, self.warmup_start_lr, self.learning_rate)

    def _main(self, iters: int) -> lr.LRScheduler:
        raise TypeError(f"{type(self).__name__} must define _main")


@SCHEDULES.register
class PolynomialDecay(Schedule):
    """(learning_rate - end_lr) * (1 - i / decay_steps) ** power + end_lr; ``decay_steps`` defaults to all."""

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        end_lr: Annotated[float, Field(ge=0)] = 0.0,
        power: float = 0.9,
        decay_steps: Annotated[int, Field(gt=0)] | None = None,
        warmup_iters: Count = 0,
        warmup_start_lr: float = 1e-6,
    ):
        super().__init__(learning_rate, warmup_iters, warmup_start_lr)
        self.end_lr, self.power, self.decay_steps = end_lr, power, decay_steps

    def _main(self, iters):
        return lr.PolynomialDecay(self.learning_rate, self.decay_steps or max(iters, 1), self.end_lr, self.power)


@SCHEDULES.register
class CosineAnnealingDecay(Schedule):
    """Half a cosine from ``learning_rate`` to ``eta_min`` over ``T_max`` iterations (default: all)."""

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        T_max: Annotated[int, Field(gt=0)] | None = None,  # noqa: N803
        eta_min: float = 0.0,
        warmup_iters: Count = 0,
        warmup_start_lr: float = 1e-6,
    ):
        super().__init__(learning_rate, warmup_iters, warmup_start_lr)
        self.t_max, self.eta_min = T_max, eta_min

    def _main(self, iters):
        return lr.CosineAnnealingDecay(self.learning_rate, self.t_max or max(iters, 1), self.eta_min)


@SCHEDULES.register
class StepDecay(Schedule):
    """``learning_rate`` times ``gamma`` after every ``step_size`` iterations."""

    def __init__(
        self,
        step_size: Annotated[int, Field(gt=0)],
        learning_rate: Rate = 0.01,
        gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1,
        warmup_iters: Count = 0,
        warmup_start_lr: float = 1e-6,
    ):
        super().__init__(learning_rate, warmup_iters, warmup_start_lr)
        self.step_size, self.gamma = step_size, gamma

    def _main(self, iters):
        return lr.StepDecay(self.learning_rate, self.step_size, self.gamma)


@SCHEDULES.register
class PiecewiseDecay(Schedule):
    """``values[k]`` until iteration ``boundaries[k]``; one value more than boundaries."""

    def __init__(
        self, boundaries: list[int], values: list[Rate], warmup_iters: Count = 0, warmup_start_lr: float = 1e-6
    ):
        if len(values) != len(boundaries) + 1:
            raise ConfigError(f"{len(boundaries)} boundaries need {len(boundaries) + 1} values, not {len(values)}")
        super().__init__(values[0], warmup_iters, warmup_start_lr)
        self.boundaries, self.values = boundaries, values

    def _main(self, iters):
        return lr.PiecewiseDecay(self.boundaries, self.values)
