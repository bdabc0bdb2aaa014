"""From a config to the objects that it describes. Every function checks the config before anything is built."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from paddleisa.config import Config, build_part, check, read_config
from paddleisa.config.memory import require_images, require_model
from paddleisa.registry import DATASETS, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS
from paddleisa.utils.environment import thread_warning

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.datasets.base import SegmentationData
    from paddleisa.losses import LossTerms
    from paddleisa.optim import Optimizer, Schedule


def build_model(config: Config) -> nn.Layer:
    """The config's network with freshly initialised weights; nothing is loaded or downloaded.

    Its forward maps (N, 3, H, W) to a list of logits (N, num_classes, H, W): ``[main, aux]`` in training,
    ``[main]`` in evaluation.

    Warns:
        RuntimeWarning: it will be slow, because paddle was imported without the settings that its CPU build needs.

    Raises:
        ConfigError: all problems of the config at once. OutOfMemory: its weights would not fit.
    """
    checked = check(config, "model")
    require_model(checked)
    model = build_part(checked, "model", MODELS)
    if (sentence := thread_warning()) is not None:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
    return model


def build_dataset(config: Config, which: Literal["train", "val"]) -> SegmentationData:
    """The config's ``train_dataset`` or ``val_dataset``.

    Raises:
        ConfigError: all problems of the config at once; DataError: the data is not where the config says.
        OutOfMemory: one batch would not fit.
    """
    checked = check(config, "val" if which == "val" else "model")
    require_images(checked, f"{which}_dataset")
    return build_part(checked, f"{which}_dataset", DATASETS)


def build_val_transforms(config: Config) -> list:
    """The transforms of ``val_dataset``, without needing its data."""
    config = check(config, "val")
    if "transforms" not in config["val_dataset"]:
        return []
    return build_part(config, "val_dataset.transforms", list[Annotated[object, TRANSFORMS]])


def build_loss(config: Config) -> LossTerms:
    """The config's ``loss``: one term for each training output of the model."""
    from paddleisa.losses import LossTerms

    checked = check(config, "resume")  # the weights that a training starts from are of no interest here
    types = build_part(checked, "loss.types", list[Annotated[object, LOSSES]])
    return LossTerms(types, checked.settings.loss.coef)


def build_optimizer(config: Config) -> tuple[Optimizer, Schedule]:
    """The config's ``optimizer`` and ``lr_scheduler``."""
    config = check(config, "resume")
    return build_part(config, "optimizer", OPTIMIZERS), build_part(config, "lr_scheduler", SCHEDULES)


@dataclass(frozen=True)
class Pretrained:
    """A config and the weights that belong to it, both found; nothing is built yet."""

    config: Config
    weights: Path

    def build(self, say: Callable[[object], None] = lambda report: None) -> nn.Layer:
        """The network with its weights; ``say`` gets the report of what was loaded.

        Raises:
            ConfigError: all problems of the config at once. WeightsError: a file that cannot be read or does not fit.
        """
        from paddleisa.weights import load_weights

        model = build_model(self.config)
        say(load_weights(model, self.weights))
        return model


def find_pretrained(
    named: str | Path | None,
    config: Config | str | Path | None = None,
    *,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    download: bool = False,
) -> Pretrained:
    """What a user means by a model; in under a second where it is not there, and without importing paddle.

    Args:
        named: a name of the catalogue; a weights file, or the folder of a training, whose best model is taken; None
            for the weights named like the config.
        config: its config, a file or a shipped name. Without it: the name's, or the one that the training was run with.
        opts: ``KEY=VALUE`` changes of the config.
        plugins: Python files that register components.
        download: fetch published weights that are not on this machine.

    Raises:
        WeightsError: there are no such weights. ConfigError: no such config, or it cannot be read. UsageError: which
            config they belong to is not known.
    """
    from paddleisa.zoo.resolve import config_of, weights_file

    if not isinstance(config, Config):
        config = read_config(config_of(named) if config is None else config, opts=opts, plugins=plugins)
    return Pretrained(config, weights_file(named, config.name, download=download))
