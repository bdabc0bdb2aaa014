"""Weighted sums: of several losses on one logit map, and of one loss for each of the model's outputs."""

from __future__ import annotations

from typing import Annotated

from paddle import nn

from paddleisa.errors import ConfigError
from paddleisa.registry import LOSSES


@LOSSES.register
class MixedLoss(nn.Layer):
    """sum(coef[i] * losses[i](logits, label)) on one logit map."""

    def __init__(self, losses: list[Annotated[nn.Layer, LOSSES]], coef: list[float]):
        super().__init__()
        if len(losses) != len(coef):
            raise ConfigError(
                f"MixedLoss has {len(losses)} losses and {len(coef)} coefficients",
                fix="Give one coefficient for each loss",
            )
        self.losses, self.coef = nn.LayerList(losses), coef

    def forward(self, logits, label):
        """(N, K, H, W) logits and (N, H, W) int64 labels -> scalar."""
        return sum(c * loss(logits, label) for c, loss in zip(self.coef, self.losses, strict=True))


class LossTerms(nn.Layer):
    """The config's ``loss``: one loss and coefficient for each of the model's training outputs.

    Args:
        types: one loss for each output.
        coef: their factors.
    """

    def __init__(self, types: list[nn.Layer], coef: list[float]):
        super().__init__()
        self.types, self.coef = nn.LayerList(types), coef

    def forward(self, outputs, label):
        """List of (N, K, H, W) logits and (N, H, W) int64 labels -> list of scaled scalars; the loss is their sum.

        Raises:
            ConfigError: the model has another number of outputs than there are losses.
        """
        if len(outputs) != len(self.types):
            raise ConfigError(
                f"the model gives {len(outputs)} outputs in training, but the config has {len(self.types)} losses",
                where="loss.types",
                fix="Give one loss and one coefficient for each output, the main one first",
            )
        return [c * loss(x, label) for c, loss, x in zip(self.coef, self.types, outputs, strict=True)]
