"""What other projects call the tensors of a backbone, so that their files of weights load by name.

A backbone that has such files gives ``name_tables()``, a list of :class:`NameTable`; ``load_backbone`` tries them in
order. The tables are bijective: nothing of a foreign file is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Pair = tuple[str, str]  # (their name, ours)

NORM = {"weight": "weight", "bias": "bias", "running_mean": "_mean", "running_var": "_variance"}
COUNTER = ".num_batches_tracked"  # PyTorch counts the training steps of each batch norm; Paddle does not
CLASSIFIERS = ("fc.", "classifier.", "head.", "incre_modules.", "downsamp_modules.", "final_layer.")


@dataclass(frozen=True)
class NameTable:
    """One project's names of a backbone.

    Attributes:
        origin: whose names they are, for messages.
        names: our name by theirs.
        filled: tensors of ours that their network has no counterpart of, with the values that make the two equal.
        classifiers: prefixes of the layers after the backbone, which are left out.
    """

    origin: str
    names: Mapping[str, str]
    filled: Mapping[str, np.ndarray] = field(default_factory=dict)
    classifiers: tuple[str, ...] = CLASSIFIERS

    def renamed(self, state: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]] | None:
        """``state`` under our names and the names that were left out; None where it does not hold this table's names.

        Left out are PyTorch's counters and the layers after the backbone; any other tensor that is
        not in the table stays, under its own name, so that strict loading tells of it.
        """
        if any(name not in state for name in self.names):
            return None
        dropped = [n for n in state if n not in self.names and (n.endswith(COUNTER) or n.startswith(self.classifiers))]
        kept = {self.names.get(name, name): value for name, value in state.items() if name not in dropped}
        return {**self.filled, **kept}, dropped


def conv_bn(conv: str, norm: str, ours: str) -> Iterator[Pair]:
    """The pairs of a convolution without bias and its batch normalisation, which are one ``ConvBNReLU`` here."""
    yield f"{conv}.weight", f"{ours}._conv.weight"
    for theirs, own in NORM.items():
        yield f"{norm}.{theirs}", f"{ours}._batch_norm.{own}"


def resnet(stem: Sequence[tuple[str, str]], depths: Sequence[int], convs: int, shortcut: int) -> Iterator[Pair]:
    """The pairs of a deep-stem ResNet in PyTorch's usual names.

    Args:
        stem: (convolution, norm) of its three layers.
        depths: blocks of each stage.
        convs: convolutions of a block, 2 or 3.
        shortcut: number of the convolution in ``downsample``, a Sequential: 1 after an average pooling, 0 without one.
    """
    for i, (conv, norm) in enumerate(stem):
        yield from conv_bn(conv, norm, f"conv1_{i + 1}")
    for stage, depth in enumerate(depths):
        for number in range(depth):
            theirs, ours = f"layer{stage + 1}.{number}", f"bb_{stage}_{number}"
            for i in range(convs):
                yield from conv_bn(f"{theirs}.conv{i + 1}", f"{theirs}.bn{i + 1}", f"{ours}.conv{i}")
        if stage > 0 or convs == 3:  # basic blocks of the first stage keep their width and need no projection
            first = f"layer{stage + 1}.0.downsample"
            yield from conv_bn(f"{first}.{shortcut}", f"{first}.{shortcut + 1}", f"bb_{stage}_0.short")


def identity_conv_bn(ours: str, channels: int, epsilon: float) -> dict[str, np.ndarray]:
    """A 1x1 convolution and batch normalisation that change nothing, float32."""
    return {
        f"{ours}._conv.weight": np.eye(channels, dtype=np.float32)[:, :, None, None],
        f"{ours}._batch_norm.weight": np.ones(channels, np.float32),
        f"{ours}._batch_norm.bias": np.zeros(channels, np.float32),
        f"{ours}._batch_norm._mean": np.zeros(channels, np.float32),
        f"{ours}._batch_norm._variance": np.full(channels, 1 - epsilon, np.float32),
    }


TIMM_STEM = [("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")]
MMSEG_STEM = [("stem.0", "stem.1"), ("stem.3", "stem.4"), ("stem.6", "stem.7")]
