"""One call from an image to a mask: the Python interface to a trained model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from paddleisa.config import Config, check
from paddleisa.deploy.export.calibration import Calibration, training_images
from paddleisa.deploy.runtimes.open import open_engine, require_engine
from paddleisa.errors import DataError
from paddleisa.inference.masks import ViewLogits, mask_and_confidence, mask_from, probabilities, view_logits
from paddleisa.inference.settings import InferenceSettings, inference_settings

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.datasets.classes import Classes
    from paddleisa.deploy.runtimes.open import Engine
    from paddleisa.inference.masks import Network


class Predictor:
    """A model with its preprocessing and test settings.

    What is not given is as the config's ``test_config`` says, as for `paddleisa val`; see
    :func:`paddleisa.inference.settings.inference_settings`.

    Args:
        model: as ``build_model`` gives it, with weights loaded; it is put into evaluation mode.
        config: its ``val_dataset.transforms`` prepare each image; its data need not exist.
        scales: factors on the prepared image's size.
        flip_horizontal, flip_vertical: add mirrored images.
        crop_size, stride: (width, height) of a sliding window and its steps.
        protocol: a name of :mod:`paddleisa.inference.protocols`.
        settings: all of these as one object, instead of them and of the config's.
        engine: what computes the network: ``paddle``, ``paddle_inference``, ``onnxruntime``, ``openvino``, or ``auto``
            for the fastest installed; see :mod:`paddleisa.deploy.runtimes.open`.
        precision: of the network's arithmetic: ``fp32``, or ``bf16`` and ``int8`` where engine and device have it.
        streams: images that may be computed at once, from as many threads; ``openvino`` and ``onnxruntime`` can.
        calibration: for int8: images like those to predict, (H, W, 3) uint8 RGB, some 20; without them, images of the
            config's ``train_dataset``. See :mod:`paddleisa.deploy.export.calibration`.

    Attributes:
        config: what the predictor was made from.
        classes: names, colours and ignored value, see :func:`paddleisa.datasets.base.classes_of`.
        settings: the test settings.
        engine: the :class:`~paddleisa.deploy.runtimes.open.Engine` that computes, with the reason why.
        align_corners: how the model upsamples its logits.

    Raises:
        UsageError: a setting that cannot be used. ConfigError: all problems of the config at once.
        DeployError: the engine is not installed, or cannot compute this model.
    """

    def __init__(
        self,
        model: nn.Layer,
        config: Config,
        *,
        scales: Sequence[float] | float | None = None,
        flip_horizontal: bool = False,
        flip_vertical: bool = False,
        crop_size: tuple[int, int] | None = None,
        stride: tuple[int, int] | None = None,
        protocol: str | None = None,
        settings: InferenceSettings | None = None,
        engine: str = "paddle",
        precision: str = "fp32",
        calibration: Iterable[np.ndarray] | Calibration | None = None,
        streams: int = 1,
    ):
        import paddle

        from paddleisa.build import build_val_transforms
        from paddleisa.datasets.classes import classes_of
        from paddleisa.registry import DATASETS
        from paddleisa.transforms.compose import prepared_by

        self.config = config = check(config, "val")
        data = config["val_dataset"]
        self.classes = classes_of(DATASETS.get(data["type"]), data, config["model"]["num_classes"])
        self.settings = settings or inference_settings(
            config.get("test_config"),
            {
                "scales": scales,
                "flip_horizontal": flip_horizontal,
                "flip_vertical": flip_vertical,
                "crop_size": crop_size,
                "stride": stride,
                "protocol": protocol,
            },
        )
        self.prepare = prepared_by(build_val_transforms(config))
        # The model's own, not its config's: a model built otherwise is measured as it is.
        self.align_corners = bool(getattr(model, "align_corners", False))
        model.eval()
        if precision == "int8":
            require_engine(engine, precision, paddle.get_device())  # told before images are looked for
            if not isinstance(calibration, Calibration):
                calibration = Calibration(training_images(config) if calibration is None else calibration, self.prepare)
        measured_on = calibration if isinstance(calibration, Calibration) else None  # other precisions need none
        self.engine = open_engine(engine, precision, model, measured_on, streams)

    @classmethod
    def of_parts(
        cls,
        config: Config,
        classes: Classes,
        settings: InferenceSettings,
        prepare: Callable[[dict], dict],
        align_corners: bool,
        engine: Engine,
    ) -> Predictor:
        """A predictor of its attributes: nothing is checked, and no network is built."""
        made = cls.__new__(cls)
        made.config, made.classes, made.settings, made.prepare = config, classes, settings, prepare
        made.align_corners, made.engine = align_corners, engine
        return made

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        config: Config | str | Path | None = None,
        *,
        opts: Iterable[str] = (),
        plugins: Iterable[str | Path] = (),
        **options: Any,
    ) -> Predictor:
        """A published, shipped or own model by name or path, ready to predict.

            seg = Predictor.from_pretrained("isanet_resnet50_os8_cityscapes_769x769_80k", engine="auto")
            mask = seg(image)

        Args:
            name_or_path: a name of the catalogue, whose weights are downloaded where needed; a weights file; or the
                folder of a training, whose best model is taken.
            config: of the weights; needed only where neither the catalogue nor the training's folder tells.
            opts: ``KEY=VALUE`` changes of the config.
            plugins: Python files that register components.
            options: as the constructor's: ``protocol``, ``engine``, ``precision``, ``scales``, ...

        Raises:
            WeightsError, DownloadError: the weights cannot be had or do not fit. ConfigError, UsageError, DeployError.
        """
        from paddleisa.build import find_pretrained

        found = find_pretrained(name_or_path, config, opts=opts, plugins=plugins, download=True)
        return cls(found.build(), found.config, **options)

    def with_network(self, network: Network) -> Predictor:
        """A predictor that differs in the function that computes the network, one that counts or stops, say."""
        other = copy.copy(self)
        other.engine = replace(self.engine, network=network)
        return other

    def describe(self) -> str:
        """One line of how masks are made: scales, flips, window, protocol, engine, precision."""
        return f"{self.settings.describe()}, engine {self.engine.name}, {self.engine.precision}"

    @overload
    def __call__(self, image: np.ndarray, confidence: Literal[False] = False) -> np.ndarray: ...

    @overload
    def __call__(self, image: np.ndarray, confidence: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...

    def __call__(self, image: np.ndarray, confidence: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) uint8 RGB -> (H, W) class ids, uint8 for up to 256 classes.

        Args:
            image: any size.
            confidence: give (class ids, (H, W) float32 probability of each pixel's class) instead.

        Raises:
            DataError: the array is not such an image.
        """
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise DataError(
                f"an image must be an array (height, width, 3) of uint8 RGB, not {image.shape} of {image.dtype}",
                where="Predictor",
                fix="Read it with paddleisa.datasets.images.read_image(path)",
            )
        logits = self.logits(self.prepare({"img": image}))
        return self.mask_and_confidence(logits) if confidence else self.mask(logits)

    def logits(self, sample: dict, settings: Sequence[InferenceSettings] = ()) -> ViewLogits:
        """Every forward pass of the network that the mask of a prepared sample needs.

        Args:
            sample: with ``img`` (3, h, w) float32 and ``trans_info``, as ``prepare``, or a data set's own transforms,
                make it; other keys are left alone.
            settings: those that masks will be asked for; without them the predictor's own.
        """
        image = sample["img"][None]
        if not self.engine.arrays:
            import paddle

            image = paddle.to_tensor(image)
        settings = settings or [self.settings]
        return view_logits(self.engine.network, image, sample["trans_info"], settings, self.engine.batch_pixels)

    def mask(self, logits: ViewLogits, settings: InferenceSettings | None = None) -> np.ndarray:
        """Class ids (h, w) at the image's size; needs no network, and may run in another thread than ``logits``."""
        return mask_from(logits, settings or self.settings, self.align_corners)

    def mask_and_confidence(self, logits: ViewLogits) -> tuple[np.ndarray, np.ndarray]:
        """The mask, and (h, w) float32 in 0..1, the probability of each pixel's class."""
        return mask_and_confidence(logits, self.settings, self.align_corners)

    def probabilities(self, logits: ViewLogits) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, (K, n, w) float32 of each class's probability) of bands of rows that cover the image."""
        return probabilities(logits, self.settings, self.align_corners)
