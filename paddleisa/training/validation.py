"""What happens at a checkpoint with --do_eval: score the model, show it, keep the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.build import build_dataset
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.predictor import Predictor
from paddleisa.training.reporting import overlays
from paddleisa.utils import distributed
from paddleisa.utils.environment import rank
from paddleisa.utils.records import write_json
from paddleisa.weights import save_weights

if TYPE_CHECKING:
    from paddleisa.config import Config
    from paddleisa.training.logging import RunLog
    from paddleisa.training.options import TrainOptions
    from paddleisa.training.train_state import TrainState


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


def save_best(state: TrainState, folder: Path) -> None:
    """Write the weights that were scored last, their score and how it was measured, to ``folder``."""
    with state.averaged():
        save_weights(state.model.state_dict(), folder / "model.pdparams")
    score = {"iteration": state.best_iteration, "miou": state.best_miou, "measured_with": state.best_measured_with}
    write_json(folder / "score.json", score)
