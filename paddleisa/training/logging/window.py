"""Averages over the steps between two logged ones."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Averages:
    """What is logged of a stretch of steps.

    Attributes:
        epoch: of the last step, from 1.
        losses: mean of each loss term, weighted as it goes into the sum.
        loss: mean of the sum of the terms.
        lr: learning rate of the last step.
        batch_cost: mean seconds of a step, data loading included.
        reader_cost: mean seconds of a step spent waiting for data.
        ips: samples per second of all processes together.
        memory_mb: the greatest value met; None when no step gave one.
    """

    epoch: int
    losses: dict[str, float]
    loss: float
    lr: float
    batch_cost: float
    reader_cost: float
    ips: float
    memory_mb: float | None


@dataclass
class Window:
    """Collects steps until :meth:`take`.

    Args:
        batch_size: samples of one step, all processes together.
    """

    batch_size: int
    _steps: list[tuple[dict[str, float], float, float]] = field(default_factory=list)
    _last: tuple[int, float] = (0, 0.0)
    _memory: float | None = None

    def __len__(self) -> int:
        return len(self._steps)

    def add(
        self,
        epoch: int,
        losses: dict[str, float],
        lr: float,
        batch_cost: float,
        reader_cost: float,
        memory_mb: float | None,
    ) -> None:
        """Add one step; the units are those of :class:`Averages`."""
        self._steps.append(({name: float(value) for name, value in losses.items()}, batch_cost, reader_cost))
        self._last = (epoch, float(lr))
        if memory_mb is not None:
            self._memory = max(float(memory_mb), self._memory or 0.0)

    def clear(self) -> None:
        """Forget the steps."""
        self._steps, self._memory = [], None

    def take(self) -> Averages:
        """Averages of the steps since the last call (at least one), which are then forgotten."""
        steps, memory = self._steps, self._memory
        self.clear()
        losses = {name: sum(terms.get(name, 0.0) for terms, _, _ in steps) / len(steps) for name in steps[-1][0]}
        batch_cost = sum(cost for _, cost, _ in steps) / len(steps)
        return Averages(
            epoch=self._last[0],
            losses=losses,
            loss=sum(losses.values()),
            lr=self._last[1],
            batch_cost=batch_cost,
            reader_cost=sum(cost for _, _, cost in steps) / len(steps),
            ips=self.batch_size / batch_cost if batch_cost > 0 else 0.0,
            memory_mb=memory,
        )
