"""One call from an image to a mask: the Python interface to a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.config import Config
from paddleisa.deploy.export.calibration import Calibration, training_images
from paddleisa.deploy.runtimes.open import open_engine, require_engine
from paddleisa.errors import DataError
from paddleisa.inference.masks import Passes, Protocol, TestSettings, mask_from, run_passes

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.inference.masks import Network


class Predictor:
    """A model with its preprocessing and test settings.

    Args:
        model: as ``build_model`` gives it, with weights loaded; it is put into evaluation mode.
        config: its ``val_dataset.transforms`` prepare each image; its data need not exist.
        scales: factors on the prepared image's size.
        flip_horizontal, flip_vertical: add mirrored images.
        crop_size, stride: (width, height) of a sliding window and its steps.
        protocol: ``published`` (2021), ``corrected`` (2023) or ``mmseg``; see :mod:`paddleisa.inference.masks`.
        engine: what computes the network: ``paddle``, ``paddle_inference``, ``onnxruntime``, ``openvino``, or ``auto``
            for the fastest installed; see :mod:`paddleisa.deploy.runtimes.open`.
        precision: of the network's arithmetic: ``fp32``, or ``bf16`` and ``int8`` where engine and device have it.
        calibration: for int8: images like those to predict, (H, W, 3) uint8 RGB, some 20; without them, images of the
            config's ``train_dataset``. See :mod:`paddleisa.deploy.export.calibration`.

    Attributes:
        engine: the :class:`~paddleisa.deploy.runtimes.open.Engine` that computes, with the reason why.

    Raises:
        UsageError: a setting that cannot be used. ConfigError: all problems of the config at once.
        DeployError: the engine is not installed, or cannot compute this model.
    """

    def __init__(
        self,
        model: nn.Layer,
        config: Config,
        *,
        scales: Sequence[float] | float = (1.0,),
        flip_horizontal: bool = False,
        flip_vertical: bool = False,
        crop_size: tuple[int, int] | None = None,
        stride: tuple[int, int] | None = None,
        protocol: Protocol = "corrected",
        engine: str = "paddle",
        precision: str = "fp32",
        calibration: Iterable[np.ndarray] | Calibration | None = None,
    ):
        import paddle

        from paddleisa.build import build_val_transforms
        from paddleisa.transforms.compose import prepared_by

        self.settings = TestSettings(
            scales=(scales,) if isinstance(scales, int | float) else tuple(scales),
            flip_horizontal=flip_horizontal,
            flip_vertical=flip_vertical,
            crop_size=crop_size,
            stride=stride,
            protocol=protocol,
        )
        self._prepare = prepared_by(build_val_transforms(config))
        self.align_corners = bool((config.get("model") or {}).get("align_corners", False))
        model.eval()
        if precision == "int8":
            require_engine(engine, precision, paddle.get_device())  # told before images are looked for
            if not isinstance(calibration, Calibration):
                calibration = Calibration(training_images(config) if calibration is None else calibration, self.prepare)
        self.engine = open_engine(engine, precision, model, calibration)

    def with_protocol(self, protocol: Protocol) -> Predictor:
        """The same predictor under another protocol; model and preprocessing are shared."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, settings=replace(self.settings, protocol=protocol))
        return other

    def with_network(self, network: Network) -> Predictor:
        """The same predictor with another function in the network's place, one that counts or stops, say."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, engine=replace(self.engine, network=network))
        return other

    def network(self, x):
        """(N, 3, h, w) paddle tensor -> `Scores` of the batch."""
        return self.engine.network(x)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (H, W) class ids, uint8 for up to 256 classes.

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
        return self.predict({"img": image})

    def predict(self, sample: dict) -> np.ndarray:
        """Mask of a sample that holds the image as ``img``; other keys are left alone."""
        return self.predict_prepared(self.prepare(sample))

    def prepare(self, sample: dict) -> dict:
        """The sample with ``img`` prepared as the network's input (3, h, w) float32, and its geometry."""
        return self._prepare(sample)

    def predict_prepared(self, sample: dict) -> np.ndarray:
        """Mask of a sample that went through ``prepare`` or through the data set's own transforms."""
        return self.mask(self.compute(sample))

    def compute(self, sample: dict, ways: Sequence[TestSettings] = ()) -> Passes:
        """The network's part of ``predict_prepared``: every forward pass, also of other ``ways`` than this one's."""
        import paddle

        image = paddle.to_tensor(sample["img"]).unsqueeze(0)
        ways = ways or [self.settings]
        return run_passes(self.engine.network, image, sample["trans_info"], ways, self.engine.batch_pixels)

    def mask(self, passes: Passes, way: TestSettings | None = None) -> np.ndarray:
        """The rest of it, which needs no network and may run in another thread."""
        return mask_from(passes, way or self.settings, self.align_corners)
