"""What all losses share: precision, the ignored label, labels that are out of range; and weighted sums of losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import paddle
import paddle.nn.functional as F
from pydantic import BeforeValidator, Field

from paddleisa.errors import ConfigError, DataError
from paddleisa.registry import LOSSES

# The original's guard against dividing by zero: 1e-5 in 2021, 1e-8 since. With one labelled pixel in 10^5 or more the
# loss is the same in float32.
EPSILON = 1e-8


def _not_dynamic(value: object) -> object:
    if value == "dynamic":
        raise ValueError("'dynamic' is a weight of BCELoss only; give one number for each class")
    return value


ClassWeights = Annotated[list[Annotated[float, Field(ge=0)]] | None, BeforeValidator(_not_dynamic)]


class SegmentationLoss:
    """A loss of one logit map. Subclasses define ``compute``.

    Half precision is computed in float32, float64 stays.

    Args:
        ignore_index: label value that takes no part.
    """

    binary = False  # whether one logit a pixel can stand for two classes; a softmax over one channel is constant

    def __init__(self, ignore_index: int = 255):
        self.ignore_index = ignore_index

    def __call__(self, logits, label):
        """(N, K, H, W) logits and (N, H, W) or (N, 1, H, W) labels -> scalar.

        Raises:
            DataError: a label that is neither a class nor ignored.
            ConfigError: the logits have another number of channels than the loss is for.
        """
        classes = logits.shape[1]
        if classes == 1 and not self.binary:
            raise ConfigError(
                f"{type(self).__name__} of a model with 1 class is constant: nothing is learnt",
                where="loss",
                fix="Set num_classes: 2, the background being the other class, or use BCELoss or LovaszHingeLoss",
            )
        if logits.dtype in (paddle.float16, paddle.bfloat16):
            logits = logits.astype("float32")
        label = (label.squeeze(1) if label.ndim == 4 else label).astype("int64")
        labelled = label != self.ignore_index
        target = paddle.where(labelled, label, paddle.zeros_like(label))
        if int(target.min()) < 0 or int(target.max()) >= max(classes, 2):
            self._refuse(target, max(classes, 2))
        return self.compute(logits, target, labelled)

    def compute(self, logits, target, labelled):
        """The loss itself.

        Args:
            logits: (N, K, H, W) float32 or float64.
            target: (N, H, W) int64 classes in range, 0 where ignored.
            labelled: (N, H, W) bool, False where ignored.
        """
        raise NotImplementedError(f"{type(self).__name__} must define compute")

    def _refuse(self, target, classes: int) -> None:
        values = [value for value in target.unique().tolist() if not 0 <= value < classes]
        shown = ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
        raise DataError(
            f"labels hold the value {shown}, but the model's classes are 0 to {classes - 1} and the ignored label is "
            f"{self.ignore_index}",
            fix="Set num_classes or ignore_index to what the masks hold, or correct the masks: "
            "`paddleisa prepare check` names the files",
        )


def pixel_cross_entropy(logits, target, labelled):
    """(N, K, H, W) logits and (N, H, W) classes -> (N, H, W) losses, 0 where not ``labelled``."""
    loss = F.cross_entropy(logits, target.unsqueeze(1), reduction="none", axis=1).squeeze(1)
    return loss * labelled.astype(loss.dtype)


def class_factors(weight: list[float] | None, target, logits):
    """(N, H, W) weight of each pixel's class; None without weights.

    Raises:
        ConfigError: another number of weights than of classes.
    """
    if weight is None:
        return None
    if len(weight) != logits.shape[1]:
        raise ConfigError(
            f"a loss has {len(weight)} weights for {logits.shape[1]} classes",
            where="loss",
            fix="Give one weight for each class",
        )
    return paddle.to_tensor(weight, dtype=logits.dtype)[target]


def one_hot(target, labelled, logits):
    """(N, K, H, W) in the logits' type: 1 at a labelled pixel's class, 0 elsewhere."""
    hot = F.one_hot(target, logits.shape[1]).transpose([0, 3, 1, 2]).astype(logits.dtype)
    return hot * labelled.unsqueeze(1).astype(logits.dtype)


def require_channels(logits, allowed: tuple[int, ...], loss: object) -> None:
    """ConfigError unless the number of channels is among ``allowed``."""
    if logits.shape[1] not in allowed:
        raise ConfigError(
            f"{type(loss).__name__} is for {' or '.join(map(str, allowed))} classes, the model has {logits.shape[1]}",
            where="loss",
            fix="Correct its number of classes or the model's, or use CrossEntropyLoss",
        )


@LOSSES.register
@dataclass(eq=False)
class MixedLoss:
    """sum(coef[i] * losses[i](logits, label)) on one logit map."""

    losses: list[Annotated[Callable, LOSSES]]
    coef: list[float]

    def __post_init__(self):
        if len(self.losses) != len(self.coef):
            raise ConfigError(
                f"MixedLoss has {len(self.losses)} losses and {len(self.coef)} coefficients",
                fix="Give one coefficient for each loss",
            )

    def __call__(self, logits, label):
        """(N, K, H, W) logits and (N, H, W) int64 labels -> scalar."""
        return sum(c * loss(logits, label) for c, loss in zip(self.coef, self.losses, strict=True))


@dataclass(eq=False)
class LossTerms:
    """The config's ``loss``: one loss and coefficient for each of the model's training outputs."""

    types: list[Callable]
    coef: list[float]

    def __call__(self, outputs, label):
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
