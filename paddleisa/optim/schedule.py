"""What every learning-rate schedule is: a pure function from the iteration to the rate.

So a training that is continued under another plan has that plan's rate from its first step on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from paddle.optimizer import lr
from pydantic import Field

from paddleisa.errors import ConfigError

Rate = Annotated[float, Field(gt=0, le=1e6)]
Factor = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Positive = Annotated[int, Field(gt=0, le=10**9)]
NonNegative = Annotated[float, Field(ge=0, le=1e6)]


class _Planned(lr.LRScheduler):
    """Paddle's interface to a rate that is a function of the iteration."""

    def __init__(self, rate: Callable[[int], float]):
        self._rate = rate
        super().__init__(rate(0))

    def get_lr(self) -> float:
        return self._rate(self.last_epoch)


class Schedule:
    """Common part of the schedules. Subclasses define ``_rate``; most are dataclasses that derive from ``Warm``."""

    def scheduler(self, iters: int) -> lr.LRScheduler:
        """Paddle's scheduler for a training of ``iters`` iterations; one ``step()`` after each."""
        self._require(iters)
        return _Planned(lambda iteration: self.rate(iteration, iters))

    def rate(self, iteration: int, iters: int) -> float:
        """Learning rate of the step ``iteration``, counted from 0, in a training of ``iters``."""
        return self._rate(iteration, max(iters, 1))

    def _require(self, iters: int) -> None:
        """ConfigError where the options do not allow a training of ``iters`` iterations."""

    def _rate(self, i: int, iters: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _rate")


@dataclass
class Warm(Schedule):
    """A schedule that may begin with a linear rise, after which its own iterations count from 0.

    Args:
        warmup_iters: iterations of the rise to ``learning_rate``.
        warmup_start_lr: rate at the first of those.
    """

    _: KW_ONLY
    warmup_iters: Count = 0
    warmup_start_lr: NonNegative = 1e-6

    def __post_init__(self):
        if self.warmup_iters and self.warmup_start_lr >= self._first:
            raise ConfigError(
                f"warmup_start_lr {self.warmup_start_lr} is not below learning_rate {self._first}",
                fix="The warm-up rises from the one to the other",
            )

    @property
    def _first(self) -> float:
        return self.learning_rate  # type: ignore[attr-defined] # each schedule has it, with its own default

    def rate(self, iteration: int, iters: int) -> float:
        """Learning rate of the step ``iteration``, counted from 0, in a training of ``iters``."""
        if iteration < self.warmup_iters:
            rise = self._first - self.warmup_start_lr
            return rise * float(iteration) / float(self.warmup_iters) + self.warmup_start_lr
        return self._rate(iteration - self.warmup_iters, max(iters - self.warmup_iters, 1))
