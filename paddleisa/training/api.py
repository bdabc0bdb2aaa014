"""`paddleisa train` as a function: the command only parses options and prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paddleisa.config import Config, read_config
from paddleisa.config import check as check_values
from paddleisa.data.check.check import quick_check
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import TrainResult
from paddleisa.training.trainer import train as run
from paddleisa.utils.environment import rank


def train(
    config: Config | str | Path,
    options: TrainOptions | None = None,
    *,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    flags: Mapping[str, object] | None = None,
    **settings: Any,
) -> TrainResult:
    """Train what a config describes, from the beginning or from a checkpoint, after a look at its data.

    Args:
        config: a config, its file, a shipped name, or the folder of an earlier training.
        options: where and how often results are kept.
        opts, plugins, flags: changes of a config that is named, as of :func:`paddleisa.load_config`.
        settings: the options one by one, instead of ``options``: ``save_dir="output"``, ``do_eval=True``, ...; see
            :class:`paddleisa.training.options.TrainOptions`.

    Raises:
        ConfigError, DataError, WeightsError, CheckpointError, UsageError: before the first step.
        TrainingError: the loss is no longer a finite number.
        WriteError: a full disk; the checkpoints before it are whole.
    """
    options = options or TrainOptions(**settings)
    if not isinstance(config, Config):
        config = read_config(config, opts=opts, plugins=plugins, flags=flags)
    checked = check_values(config, "train" if options.resume is None else "resume")
    if rank() == 0:
        for which in ("train", "val") if options.do_eval else ("train",):
            quick_check(checked, which)
    return run(checked, options)
