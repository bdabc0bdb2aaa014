"""What a training says of itself: its batch, its memory, its scores and pictures; and the best model that it keeps."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import paddle

from paddleisa.build import build_dataset
from paddleisa.config import Config
from paddleisa.datasets.images import write_image
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.predictor import Predictor
from paddleisa.utils import distributed
from paddleisa.utils.environment import rank
from paddleisa.utils.files import write_json
from paddleisa.visual.overlay import contact_sheet, overlay
from paddleisa.weights import save_weights

if TYPE_CHECKING:
    from paddleisa.datasets.base import SegmentationData
    from paddleisa.training.batches import Plan
    from paddleisa.training.logging import RunLog
    from paddleisa.training.options import TrainOptions
    from paddleisa.training.precision import Precision
    from paddleisa.training.train_state import TrainState

OVERLAYS = 3  # validation images shown in VisualDL at each evaluation, and beside the best model
PICTURE = "predictions.png"


def batch_report(config: Config, total_batch: int) -> list[str]:
    """The total batch, and whether it is the published one: scores depend on it, and it stands nowhere in the YAML."""
    from paddleisa.zoo.catalogue.catalogue import load_catalogue

    lines = [f"total batch: {total_batch} = {config['batch_size']} per process x {total_batch // config['batch_size']}"]
    catalogue = load_catalogue()
    if config.name in catalogue:
        published = catalogue.get(config.name).row.total_batch
        if published != total_batch:
            lines.append(
                f"NOTE: the published scores were trained with a total batch of {published}; "
                "the learning rate is not scaled"
            )
    return lines


def announcement(config: Config, plan: Plan, precision: Precision) -> list[str]:
    """Lines that a training begins with: batch, arithmetic, normalisation, length."""
    lines = batch_report(config, plan.total_batch)
    if precision.note:
        lines.append(precision.note)
    if plan.world_size > 1 and paddle.get_device() == "cpu":
        lines.append("Paddle has no SyncBatchNorm on CPUs: each process normalises its own images")
    epochs = f"{plan.steps_per_epoch} iterations an epoch, {plan.epoch(plan.iters)} epochs"
    return [*lines, f"{plan.dataset_size} images, {epochs}"]


def hparams(config: Config, plan: Plan, precision: Precision) -> dict[str, object]:
    """The settings of a run that VisualDL compares runs by."""
    return {
        "config": config.name,
        "learning_rate": config["lr_scheduler"].get("learning_rate"),
        "total_batch": plan.total_batch,
        "iters": plan.iters,
        "seed": plan.seed,
        "precision": precision.kind,
    }


def peak_memory_mb() -> float:
    """Most memory that this process has held: on the GPU when it trains there, else resident."""
    if paddle.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def overlays(predictor: Predictor, data: SegmentationData) -> Iterator[tuple[str, np.ndarray]]:
    """Image, truth and prediction side by side, for the first validation images."""
    for i in range(min(OVERLAYS, len(data))):
        sample = data.read(i)
        image, palette = sample["img"], data.palette
        parts = [image, overlay(image, sample["label"], palette), overlay(image, predictor(image), palette)]
        yield f"{i}_image_truth_prediction", np.concatenate(parts, axis=1)


class Validation:
    """The config's ``val_dataset``, on which a training's best model is chosen."""

    def __init__(self, config: Config, options: TrainOptions):
        self._config, self._options = config, options
        self._dataset = build_dataset(config, "val")

    def score(self, state: TrainState, log: RunLog) -> bool:
        """Evaluate the model (its average where there is one); true when it is the best so far."""
        distributed.same_buffers(state.model)
        with state.averaged():
            predictor = Predictor(state.model, self._config)
            workers = max(self._options.num_workers, 1)
            result = evaluate(
                predictor, self._dataset, workers=workers, progress=self._options.progress and rank() == 0
            )
            if self._options.use_vdl and rank() == 0:
                log.images(state.iteration, dict(overlays(predictor, self._dataset)))
        log.evaluation(state.iteration, result, self._dataset.class_names)
        if not result.scores.pixels:
            log.message("[EVAL] the validation set has no labelled pixel: no score, and no best model")
            return False
        better = state.note_score(result.scores.miou, result.measured_with)
        log.message(
            f"[EVAL] The model with the best validation mIoU ({state.best_miou:.4f}) was saved at iter "
            f"{state.best_iteration}."
        )
        return better

    def picture(self, state: TrainState) -> np.ndarray:
        """(H, W, 3) uint8 RGB: image, truth and prediction of the first validation images, one below the other."""
        return contact_sheet([[row] for _, row in overlays(Predictor(state.model, self._config), self._dataset)])


def save_best(state: TrainState, folder: Path, validation: Validation) -> None:
    """Write the weights that were scored last, a look at their masks, their score and how it was measured."""
    with state.averaged():
        save_weights(state.model.state_dict(), folder / "model.pdparams")
        write_image(folder / PICTURE, validation.picture(state))
    score = {"iteration": state.best_iteration, "miou": state.best_miou, "measured_with": state.best_measured_with}
    write_json(folder / "score.json", score)
