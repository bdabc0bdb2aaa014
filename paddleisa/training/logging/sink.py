"""What a run log hands on, and the interface of the places it hands it to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.evaluation.evaluate import Evaluation


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


class Sink:
    """One place that a run is logged to. What a kind of log has no use for is left as it is here: ignored.

    Every method raises WriteError when the file cannot be written; it is then whole, without the piece that did not
    fit. What a method has written survives SIGKILL.
    """

    def message(self, text: str) -> None:
        """A line for people."""

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str]) -> None:
        """The run's settings, and tags of the scalars to show beside them; a resumed run has written them already."""

    def step(self, iteration: int, seconds: float) -> None:
        """A step has been made: a sign of life."""

    def train(self, iteration: int, means: Averages) -> None:
        """Averages of the steps up to ``iteration``."""

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: Sequence[str]) -> None:
        """Scores of the model at ``iteration``."""

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        """(H, W, 3) uint8 RGB images by name."""

    def sync(self) -> None:
        """Wait until what was written is on the disk."""

    def close(self) -> None:
        """Close the file; a second call does nothing."""
