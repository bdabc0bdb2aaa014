"""Exponential moving average of the weights (Polyak averaging), evaluated and kept in place of the last ones."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import paddle

if TYPE_CHECKING:
    from paddle import nn


class EMA:
    """``average = decay * average + (1 - decay) * weights`` after every step, parameters and running statistics.

    Args:
        model: whose state is averaged.
        decay: share of the old average, below 1.
        average: to go on from, as :meth:`state` gives it; None starts from what the model is now.
    """

    def __init__(self, model: nn.Layer, decay: float, average: Mapping[str, np.ndarray] | None = None):
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
