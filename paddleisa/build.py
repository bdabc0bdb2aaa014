"""From a config to the objects that it describes. Every function checks the config before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from paddleisa.config import Config, build_part, check
from paddleisa.registry import DATASETS, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.datasets.base import SegmentationData
    from paddleisa.losses import LossTerms
    from paddleisa.optimizers import Optimizer
    from paddleisa.schedules import Schedule


def build_model(config: Config) -> nn.Layer:
    """The config's network with freshly initialised weights; nothing is loaded or downloaded.

    Its forward maps (N, 3, H, W) to a list of logits (N, num_classes, H, W): ``[main, aux]`` in training,
    ``[main]`` in evaluation.

    Raises:
        ConfigError: all problems of the config at once.
    """
    return build_part(check(config, "model"), "model", MODELS)


def build_dataset(config: Config, which: Literal["train", "val"]) -> SegmentationData:
    """The config's ``train_dataset`` or ``val_dataset``.

    Raises:
        ConfigError: all problems of the config at once; DataError: the data is not where the config says.
    """
    config = check(config, "val" if which == "val" else "model")
    return build_part(config, f"{which}_dataset", DATASETS)


def build_val_transforms(config: Config) -> list:
    """The transforms of ``val_dataset``, without needing its data."""
    config = check(config, "val")
    if "transforms" not in config["val_dataset"]:
        return []
    return build_part(config, "val_dataset.transforms", list[Annotated[object, TRANSFORMS]])


def build_loss(config: Config) -> LossTerms:
    """The config's ``loss``: one term for each training output of the model."""
    from paddleisa.losses import LossTerms

    config = check(config, "train")
    types = build_part(config, "loss.types", list[Annotated[object, LOSSES]])
    return LossTerms(types, config.settings.loss.coef)


def build_optimizer(config: Config) -> tuple[Optimizer, Schedule]:
    """The config's ``optimizer`` and ``lr_scheduler``."""
    config = check(config, "train")
    return build_part(config, "optimizer", OPTIMIZERS), build_part(config, "lr_scheduler", SCHEDULES)
