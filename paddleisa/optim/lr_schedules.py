"""Learning-rate schedules: PaddleSeg's names and options, which are those of ``paddle.optimizer.lr``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.optim.schedule import Factor, NonNegative, Positive, Rate, Schedule, Warm
from paddleisa.registry import SCHEDULES


@SCHEDULES.register
@dataclass
class PolynomialDecay(Warm):
    """(learning_rate - end_lr) * (1 - i / decay_steps) ** power + end_lr.

    ``end_lr`` and ``power`` default to what the ISANet rows were trained with, as in PaddleSeg before 2.8.

    Args:
        learning_rate: rate at i = 0.
        end_lr: rate from ``decay_steps`` on.
        power: 1 for a straight line.
        decay_steps: all iterations by default.
        cycle: start again at ``decay_steps``, each cycle lower and longer.
    """

    learning_rate: Rate = 0.01
    end_lr: NonNegative = 0.0
    power: Annotated[float, Field(gt=0, le=100)] = 0.9
    decay_steps: Positive | None = None
    cycle: bool = False

    def _rate(self, i, iters):
        steps = self.decay_steps or iters
        if self.cycle:
            steps *= max(math.ceil(i / steps), 1)
        return (self.learning_rate - self.end_lr) * (
            1 - float(min(i, steps)) / float(steps)
        ) ** self.power + self.end_lr


@SCHEDULES.register
@dataclass
class CosineAnnealingDecay(Warm):
    """Half a cosine from ``learning_rate`` to ``eta_min`` over ``T_max`` iterations (default: all), then back up."""

    learning_rate: Rate = 0.01
    T_max: Positive | None = None
    eta_min: NonNegative = 0.0

    def _rate(self, i, iters):
        return _cosine(self.learning_rate, self.eta_min, i / (self.T_max or iters))


@SCHEDULES.register
@dataclass
class CosineAnnealingWarmRestarts(Warm):
    """Cosines from ``learning_rate`` to ``eta_min``: ``T_0`` iterations long, then each ``T_mult`` times the last."""

    T_0: Positive
    learning_rate: Rate = 0.01
    T_mult: Positive = 1
    eta_min: NonNegative = 0.0

    def _rate(self, i, iters):
        length = self.T_0
        while i >= length:
            i, length = i - length, length * self.T_mult
        return _cosine(self.learning_rate, self.eta_min, i / length)


@SCHEDULES.register
@dataclass
class StepDecay(Warm):
    """``learning_rate`` times ``gamma`` after every ``step_size`` iterations."""

    step_size: Positive
    learning_rate: Rate = 0.01
    gamma: Factor = 0.1

    def _rate(self, i, iters):
        return self.learning_rate * self.gamma ** (i // self.step_size)


@SCHEDULES.register
@dataclass
class MultiStepDecay(Warm):
    """``learning_rate`` times ``gamma`` at every one of the rising ``milestones``."""

    milestones: list[Positive]
    learning_rate: Rate = 0.01
    gamma: Factor = 0.1

    def __post_init__(self):
        super().__post_init__()
        _require_rising("milestones", self.milestones)

    def _rate(self, i, iters):
        return self.learning_rate * self.gamma ** sum(i >= milestone for milestone in self.milestones)


@SCHEDULES.register
@dataclass
class PiecewiseDecay(Warm):
    """``values[k]`` until iteration ``boundaries[k]``; one value more than boundaries.

    Args:
        boundaries: rising iterations.
        values: rates.
        learning_rate: where the warm-up ends, as PaddleSeg asks for it; must be ``values[0]``.
    """

    boundaries: list[Positive]
    values: list[Rate]
    learning_rate: Rate | None = None

    def __post_init__(self):
        if len(self.values) != len(self.boundaries) + 1:
            raise ConfigError(
                f"{len(self.boundaries)} boundaries need {len(self.boundaries) + 1} values, not {len(self.values)}"
            )
        super().__post_init__()
        _require_rising("boundaries", self.boundaries)
        if self.learning_rate not in (None, self.values[0]):
            raise ConfigError(
                f"learning_rate {self.learning_rate} is not the first of values, {self.values[0]}",
                fix="Leave learning_rate out: values are the rates",
            )

    @property
    def _first(self) -> float:
        return self.values[0]

    def _rate(self, i, iters):
        return self.values[sum(i >= boundary for boundary in self.boundaries)]


@SCHEDULES.register
@dataclass
class ExponentialDecay(Warm):
    """learning_rate * gamma ** i."""

    gamma: Factor
    learning_rate: Rate = 0.01

    def _rate(self, i, iters):
        return self.learning_rate * self.gamma**i


@SCHEDULES.register
@dataclass
class NaturalExpDecay(Warm):
    """learning_rate * exp(-gamma * i)."""

    gamma: Rate
    learning_rate: Rate = 0.01

    def _rate(self, i, iters):
        return self.learning_rate * math.exp(-1 * self.gamma * i)


@SCHEDULES.register
@dataclass
class InverseTimeDecay(Warm):
    """learning_rate / (1 + gamma * i)."""

    gamma: Rate
    learning_rate: Rate = 0.01

    def _rate(self, i, iters):
        return self.learning_rate / (1 + self.gamma * i)


@SCHEDULES.register
@dataclass
class LinearLR(Warm):
    """``learning_rate`` times a factor from ``start_factor`` to ``end_factor`` over ``total_steps`` (default: all)."""

    learning_rate: Rate = 0.01
    total_steps: Positive | None = None
    start_factor: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    end_factor: Annotated[float, Field(ge=0, le=1)] = 1.0

    def _rate(self, i, iters):
        share = min(i / (self.total_steps or iters), 1.0)
        return self.learning_rate * (self.start_factor + (self.end_factor - self.start_factor) * share)


@SCHEDULES.register
@dataclass
class NoamDecay(Warm):
    """learning_rate * d_model ** -0.5 * min(i ** -0.5, i * warmup_steps ** -1.5) (Vaswani et al. 2017)."""

    d_model: Positive
    warmup_steps: Positive
    learning_rate: Rate = 1.0

    def _rate(self, i, iters):
        rise = self.warmup_steps**-1.5 * i
        return self.learning_rate * self.d_model**-0.5 * min(i**-0.5 if i else 1, rise)


@SCHEDULES.register
@dataclass
class OneCycleLR(Schedule):
    """Up from max_learning_rate / divide_factor to ``max_learning_rate``, and down to ``end_learning_rate``.

    Args:
        max_learning_rate: the highest rate.
        total_steps: length of the cycle, not less than the training; all iterations by default.
        divide_factor: the highest rate over the first.
        end_learning_rate: the last rate.
        phase_pct: share of the rise in the cycle.
        anneal_strategy: cosines or straight lines.
        three_phase: first back down to the first rate, as fast as up, then to the last.
    """

    max_learning_rate: Rate
    total_steps: Positive | None = None
    divide_factor: Annotated[float, Field(gt=0)] = 25.0
    end_learning_rate: NonNegative = 0.0001
    phase_pct: Factor = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    three_phase: bool = False

    def __post_init__(self):
        if self.three_phase and self.phase_pct >= 0.5:
            raise ConfigError(f"with three_phase, phase_pct must be below 0.5, not {self.phase_pct}")

    def _require(self, iters):
        if self.total_steps is not None and self.total_steps < iters:
            raise ConfigError(
                f"total_steps {self.total_steps} is less than the {iters} iterations of the training",
                where="lr_scheduler",
                fix="Leave total_steps out, and it is all of them",
            )

    def _rate(self, i, iters):
        steps = self.total_steps or iters
        first = self.max_learning_rate / self.divide_factor
        ends, rates = [0, self.phase_pct * steps - 1], [first, self.max_learning_rate]
        if self.three_phase:
            ends, rates = [*ends, 2 * self.phase_pct * steps - 2], [*rates, first]
        ends, rates = [*ends, steps - 1], [*rates, self.end_learning_rate]
        phase = next((k for k in range(1, len(ends) - 1) if i <= ends[k]), len(ends) - 1)
        share = (i - ends[phase - 1]) / (ends[phase] - ends[phase - 1])
        if self.anneal_strategy == "cos":
            return _cosine(rates[phase - 1], rates[phase], share)
        return (rates[phase] - rates[phase - 1]) * share + rates[phase - 1]


@SCHEDULES.register
@dataclass
class CyclicLR(Schedule):
    """Up and down between two rates (Smith 2017).

    Args:
        base_learning_rate: the lowest rate.
        max_learning_rate: the highest rate.
        step_size_up: iterations of a rise.
        step_size_down: iterations of a fall; those of a rise by default.
        mode: heights that stay, that halve with every cycle, or that shrink by ``exp_gamma`` with every iteration.
        exp_gamma: of "exp_range".
    """

    base_learning_rate: Rate
    max_learning_rate: Rate
    step_size_up: Positive
    step_size_down: Positive | None = None
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    exp_gamma: Annotated[float, Field(gt=0, le=1)] = 1.0

    def _rate(self, i, iters):
        size = float(self.step_size_up + (self.step_size_down or self.step_size_up))
        cycle, rising = 1 + i // size, self.step_size_up / size
        share = 1.0 + i / size - cycle
        height = share / rising if share <= rising else (1 - share) / (1 - rising)
        scale = {"triangular": 1.0, "triangular2": 1 / 2.0 ** (cycle - 1), "exp_range": self.exp_gamma**i}[self.mode]
        return self.base_learning_rate + (self.max_learning_rate - self.base_learning_rate) * height * scale


def _cosine(start: float, end: float, share: float) -> float:
    """From ``start`` at share 0 to ``end`` at share 1 along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _require_rising(name: str, iterations: list[int]) -> None:
    if not iterations or any(a >= b for a, b in zip(iterations, iterations[1:], strict=False)):
        raise ConfigError(f"{name} must be rising iterations, not {iterations}")


SCHEDULES.explain(
    "ReduceOnPlateau",
    "Its rate follows the losses seen, so no plan has it: write MultiStepDecay, or `early_stop` to end a training that "
    "no longer gets better",
)
SCHEDULES.explain("LinearWarmup", "Give warmup_iters and warmup_start_lr to any other schedule")
for _name in ("LambdaDecay", "MultiplicativeDecay"):
    SCHEDULES.explain(
        _name, "A config holds no functions: write PiecewiseDecay, or a schedule of your own as a plug-in"
    )
