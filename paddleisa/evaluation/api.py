"""`paddleisa val`, `predict` and `export` as functions: the commands only parse options and print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paddleisa.build import Pretrained, build_dataset, find_pretrained
from paddleisa.config import Config, check
from paddleisa.data.check.check import quick_check
from paddleisa.deploy.runtimes.open import faster_engines, require_engine
from paddleisa.errors import DataError, UsageError
from paddleisa.evaluation import evaluate as scoring
from paddleisa.evaluation import predict as drawing
from paddleisa.evaluation.official import OfficialRun, OfficialScores, Submission
from paddleisa.evaluation.video import VideoResult, predict_video
from paddleisa.predictor import Predictor
from paddleisa.utils import environment
from paddleisa.utils.files import joined, sha256_of

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.deploy.export.export import Exported

Model = str | Path | Pretrained | None
Say = Callable[[object], None]


def _silent(_: object) -> None:
    return None


@dataclass(frozen=True)
class ValResult:
    """What `evaluate` measured, and with what.

    Attributes:
        found: config and weights.
        predictor: that made the masks: test settings, engine, precision.
        evaluation: the scores.
        class_names: of the data set.
        official: what the official Cityscapes evaluator says, where it was asked.
    """

    found: Pretrained
    predictor: Predictor
    evaluation: scoring.Evaluation
    class_names: list[str]
    official: OfficialScores | None = None

    @property
    def miou(self) -> float:
        """0..1, by the protocol's rules."""
        return self.evaluation.scores.miou

    def to_dict(self) -> dict[str, object]:
        """Everything as plain data: what `--json` writes."""
        return joined(
            {"command": "val"},
            _made_with(self.found, self.predictor),
            {
                "config_digest": self.found.config.digest(),
                "weights_sha256": sha256_of(self.found.weights),
                "class_names": list(self.class_names),
            },
            self.evaluation.to_dict(),
            {"official": self.official.to_dict()} if self.official else {},
            {"environment": environment.describe()},
        )


@dataclass(frozen=True)
class PredictResult:
    """What `predict` wrote, and with what.

    Attributes:
        found: config and weights.
        predictor: that made the masks.
        prediction: files written by image, and what went wrong.
        videos: what became of each.
    """

    found: Pretrained
    predictor: Predictor
    prediction: drawing.Prediction
    videos: list[VideoResult] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain data: what `--json` writes."""
        return joined(
            {"command": "predict"},
            _made_with(self.found, self.predictor),
            {"written": self.prediction.written, "failed": self.prediction.failed},
            {"videos": [video.to_dict() for video in self.videos]} if self.videos else {},
        )


def evaluate(
    model: Model,
    config: Config | str | Path | None = None,
    *,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    limit: int | None = None,
    workers: int = 1,
    official: str | Path | None = None,
    auc_roc: bool | None = None,
    progress: bool = True,
    say: Say = _silent,
    **options: Any,
) -> ValResult:
    """Score a model on the config's ``val_dataset``, as `paddleisa val` does.

    Args:
        model: a name of the catalogue, a weights file, or a training's folder; None for the weights named like the
            config. See :func:`paddleisa.build.find_pretrained`.
        config: its config, where the name or the folder does not tell.
        opts, plugins: changes of the config, and files that register components.
        limit: look at the first images only.
        workers: threads that read ahead.
        official: folder for masks of label ids, on which the official Cityscapes evaluator is run as well.
        auc_roc: also measure the area under the ROC curve; None as the config's ``test_config`` says.
        progress: show how far it is.
        say: called with what was loaded.
        options: as of :class:`~paddleisa.predictor.Predictor`: ``protocol``, ``engine``, ``scales``, ...

    Raises:
        WeightsError, ConfigError, DataError, DeployError, UsageError: each with what to do; the first thing that is
            missing is told before the network is built. DataError too where no pixel is labelled.
    """
    found = _find(model, config, opts, plugins)
    checked = check(found.config, "val")
    quick_check(checked, "val")
    dataset = build_dataset(checked, "val")
    run = None if official is None else OfficialRun(dataset, official)
    predictor = _predictor(found, say, options)
    each = run.write if run else None
    wanted = checked.settings.test_config.auc_roc if auc_roc is None else auc_roc
    result = scoring.evaluate(
        predictor, dataset, limit=limit, workers=workers, progress=progress, each=each, auc_roc=wanted
    )
    if not result.scores.pixels:
        raise DataError(
            "no pixel of the labels is of any class: all are ignored, so there is no score",
            where=checked.origin("val_dataset"),
            fix="Run `paddleisa prepare check --config CONFIG` to see what the labels hold",
        )
    scores = run.scores(result.images) if run and environment.rank() == 0 else None
    return ValResult(found, predictor, result, list(dataset.class_names), scores)


def predict(
    model: Model,
    images: Sequence[tuple[Path, Path]],
    save_dir: str | Path,
    config: Config | str | Path | None = None,
    *,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    format: Literal["cityscapes", "voc"] | None = None,
    palette: np.ndarray | None = None,
    confidence: bool = False,
    videos: Sequence[str | Path] = (),
    limit: int | None = None,
    workers: int = 1,
    progress: bool = True,
    say: Say = _silent,
    predictor: Predictor | None = None,
    **options: Any,
) -> PredictResult:
    """Write the masks of images as pictures, as `paddleisa predict` does.

    Args:
        model, config, opts, plugins, workers, progress, say, options: as of `evaluate`.
        images: as :func:`paddleisa.datasets.image_files.find_images` gives them.
        save_dir: gets the results; see :func:`paddleisa.evaluation.predict.predict`.
        format: ``cityscapes`` or ``voc``: one file per image as that benchmark's server wants it.
        palette: (K, 3) uint8 RGB instead of the config's colours.
        confidence: also write the probability of each pixel's class.
        videos: files of videos, or numbers of cameras; masks laid over become ``added_prediction/NAME.mp4``.
        limit: take the first images, and of each video the first frames, only.
        predictor: of that model, where there is one already; ``options`` are then not looked at.

    Raises:
        WeightsError, ConfigError, DeployError, UsageError: a damaged image is none of these; the result names it.
    """
    found = _find(model, config, opts, plugins)
    predictor = predictor or _predictor(found, say, options)
    submission = None
    if format:
        submission = Submission(format, len(predictor.classes.palette), save_dir)
        submission.targets([path for path, _ in images])  # over the images of all processes
    mine = images[:limit][environment.rank() :: environment.world_size()]  # the processes of a job share them
    if palette is None:
        palette = predictor.classes.palette
    elif palette.shape != predictor.classes.palette.shape:
        count = len(predictor.classes.palette)
        raise UsageError(
            f"{palette.size} numbers are no colours of {count} classes",
            where="--custom_color",
            fix=f"Give {3 * count} numbers of 0 to 255: R G B of each class in turn",
        )
    prediction = drawing.predict(
        predictor,
        mine,
        save_dir,
        palette,
        workers=workers,
        progress=progress,
        submission=submission,
        confidence=confidence,
    )
    shown = []
    for source in videos if environment.rank() == 0 else ():
        shown.append(predict_video(predictor, source, save_dir, palette, limit=limit, progress=progress))
        say(shown[-1])
    return PredictResult(found, predictor, prediction, shown)


def export(
    model: Model,
    save_dir: str | Path,
    config: Config | str | Path | None = None,
    *,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    calibration: Sequence | None = None,
    say: Say = _silent,
    **options: Any,
) -> Exported:
    """Write a model as files for other runtimes, as `paddleisa export` does.

    Args:
        model, config, opts, plugins, say: as of `evaluate`.
        save_dir: the folder of the export.
        calibration: images (H, W, 3) uint8 RGB like those to predict, for int8.
        options: ``formats``, ``input_shape``, ``output_op``, ``serving`` of
            :func:`paddleisa.deploy.export.export.export_model`.

    Raises:
        WeightsError, ConfigError, DeployError, UsageError.
    """
    from paddleisa.build import build_val_transforms
    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.deploy.export.export import export_model
    from paddleisa.deploy.export.formats import require_format
    from paddleisa.transforms.compose import prepared_by

    found = _find(model, config, opts, plugins)
    for format in options.get("formats", ()):
        require_format(format)  # what is missing is told before the network is built
    images = None
    if calibration is not None:
        images = Calibration(calibration, prepared_by(build_val_transforms(found.config)))
    network = found.build(say)
    return export_model(network, found.config, save_dir, weights=found.weights, calibration=images, say=say, **options)


def _find(model: Model, config: Config | str | Path | None, opts: Iterable[str], plugins: Iterable) -> Pretrained:
    if isinstance(model, Pretrained):
        return model
    return find_pretrained(model, config, opts=opts, plugins=plugins, download=True)


def _predictor(found: Pretrained, say: Say, options: dict[str, Any]) -> Predictor:
    """The predictor. The model is let go: an engine that has its own copy of the weights needs no second one."""
    import paddle

    engine = options.get("engine", "paddle")
    require_engine(engine, options.get("precision", "fp32"), paddle.get_device())  # told before the network is built
    model = found.build(say)
    predictor = Predictor(model, found.config, **options)
    said = f"engine: {predictor.engine.name}, {predictor.engine.precision}"
    if engine != "paddle":
        say(f"{said} ({predictor.engine.reason})")
    elif faster := faster_engines(model, predictor.engine.precision, paddle.get_device()):
        say(f"{said}; {faster}")
    return predictor


def _made_with(found: Pretrained, predictor: Predictor) -> dict[str, object]:
    return {
        "config": found.config.name,
        "weights": str(found.weights),
        "test": predictor.settings.to_dict(),
        "engine": predictor.engine.name,
        "precision": predictor.engine.precision,
    }
