"""What a training starts from: weights, or a checkpoint, and what becomes of what differs from its run.

Nothing is fetched when a checkpoint is resumed.
"""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paddle

from paddleisa import __version__
from paddleisa.config import Config
from paddleisa.errors import CheckpointError, UsageError
from paddleisa.training.checkpoint import Checkpoint, newest_readable, read_checkpoint
from paddleisa.utils.environment import home, world_size
from paddleisa.weights import UnfitWeightsError, load_backbone, load_weights
from paddleisa.zoo.download.hub import HUB, hub_file
from paddleisa.zoo.resolve import weights_file

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.training.batches import Plan
    from paddleisa.training.options import TrainOptions
    from paddleisa.training.train_state import TrainState

# A best score under other values of these is a score of something else.
_MEASURED_BY = ("val_dataset", "test_config")


def run_facts(config: Config, plan: Plan) -> dict[str, object]:
    """What describes a run in its checkpoints, beside its state."""
    return {
        "seed": plan.seed,
        "world_size": world_size(),
        "dataset_size": plan.dataset_size,
        "config_name": config.name,
        "config": config.to_dict(),
        "config_digest": config.digest(),
        "versions": {"paddleisa": __version__, "paddle": paddle.__version__, "numpy": version("numpy")},
    }


def find(options: TrainOptions) -> tuple[Path, Checkpoint] | None:
    """The checkpoint that the options ask for; None to start from the beginning.

    Raises:
        CheckpointError: it cannot be read. UsageError: a new run would mix with one that ``save_dir`` already holds.
    """
    save_dir = Path(options.save_dir)
    if options.resume is None:
        if any(save_dir.glob("iter_*")):
            raise UsageError(
                "it already holds the checkpoints of a training",
                where=f"--save_dir {save_dir}",
                fix="Continue it with --resume_model auto, or give another --save_dir",
            )
        return None
    if str(options.resume) == "auto":
        return newest_readable(save_dir)
    return Path(options.resume), read_checkpoint(options.resume)


def resume(
    state: TrainState, checkpoint: Checkpoint, where: Path, config: Config, plan: Plan, force: bool
) -> list[str]:
    """Put ``checkpoint`` into ``state``.

    What another setup means, under ``force``: iterations, rate and schedule are the new plan's from the first step;
    batch, seed, repeats and data are the new plan's from the next iteration, which keeps its number; an average of
    the weights begins at the resumed ones; an optimizer's state is kept where it fits; 16-bit weights come from the
    float32 masters; the best score is forgotten when it was measured by other data or settings.

    Returns:
        Lines that say what is resumed, what differs from the checkpoint's run and what became of it.

    Raises:
        CheckpointError: something differs and ``force`` is not set, or the checkpoint is of another network.
    """
    lines = differences(checkpoint, config, plan, where)
    if lines and not force:
        raise CheckpointError(
            "the run to resume had another setup: " + "; ".join(lines),
            where=where,
            fix="Undo the change, or go on all the same with --force",
        )
    try:
        missing = state.restore(checkpoint)
    except UnfitWeightsError as error:
        raise CheckpointError(
            f"the checkpoint is of another network: {error.problem}",
            where=where,
            fix="Start a new training from its weights: model.pretrained, with --reinit_classifier for other classes",
        ) from error
    if "config" not in checkpoint.facts:
        missing.append("it is PaddleSeg's: it holds no config to compare with, and no best score")
    lines = [f"resumed from {where}", *(f"changed: {line}" for line in lines), *missing]
    before = checkpoint.facts.get("config", {})
    if state.best_miou is not None and any(before.get(key) != config.get(key) for key in _MEASURED_BY):
        lines.append(f"the best mIoU so far, {state.best_miou:.4f}, was measured in another way: it is forgotten")
        state.forget_best()
    return lines


def differences(checkpoint: Checkpoint, config: Config, plan: Plan, where: object) -> list[str]:
    """A line for everything in which the checkpoint's run differs from this one."""
    facts = checkpoint.facts
    if "config" not in facts:  # PaddleSeg's
        return []
    before = Config.from_dict(facts["config"], source=str(where))
    lines = [] if before.digest() == config.digest() else before.differences(config)
    for name, now in (("world_size", world_size()), ("dataset_size", plan.dataset_size)):
        if facts[name] != now:
            lines.append(f"{name}: {facts[name]} -> {now}")
    return lines


def load_initial(model: nn.Layer, given: Mapping[str, Any], reinit_classifier: bool = False) -> list[str]:
    """Load ``model.pretrained`` if the config gives it, else the backbone's ImageNet weights if it gives those.

    Args:
        model: built from the config's ``model``.
        given: the config's ``model``.
        reinit_classifier: with ``model.pretrained``, leave the classifier at its initial values.

    Returns:
        Lines that say what was loaded.

    Raises:
        WeightsError: the file does not fit, or the package that holds it is not installed.
        DownloadError: it is a URL and cannot be fetched.
    """
    if source := given.get("pretrained"):
        return [f"model.pretrained: {load_weights(model, _local(source), reinit_classifier=reinit_classifier)}"]
    if source := (given.get("backbone") or {}).get("pretrained"):
        return [f"model.backbone.pretrained: {load_backbone(model.backbone, _of_backbone(model.backbone, source))}"]
    return ["every weight starts at random: the config names no pretrained file"]


def _of_backbone(backbone: nn.Layer, source: str) -> Path:
    """The file that ``source`` means, which may be a name that the backbone knows (its ``published`` weights)."""
    packaged = getattr(backbone, "published", {}).get(source)
    return packaged.locate() if packaged else _local(source)


def _local(source: str) -> Path:
    """The file that a path, a training's folder, a model's name, a name on the hub or an address means."""
    if source.startswith(HUB):
        return hub_file(source)
    if not source.startswith(("http://", "https://")):
        return weights_file(source, source, download=True)
    from paddleisa.weights.archive import is_archive, read_archive
    from paddleisa.weights.state_files import read_weights
    from paddleisa.zoo.download.download import fetch

    def check(path: Path) -> None:
        (read_archive if is_archive(path) else read_weights)(path)

    return fetch(source, home() / "backbones", check=check)
