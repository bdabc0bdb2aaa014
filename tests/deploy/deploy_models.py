"""Small networks with batch statistics far from their initial ones; what skips a test of an engine not installed."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddleisa import models
from paddleisa.config import Config
from paddleisa.deploy.runtimes.open import runtimes
from paddleisa.models.backbones.resnet_vd import BasicBlock, ResNet_vd

CONFIG = Config.from_dict(
    {
        "model": {
            "type": "ISANet",
            "isa_channels": 8,
            "down_factor": [2, 2],
            "backbone": {"type": "ResNet18_vd", "output_stride": 16},
        },
        "val_dataset": {
            "type": "Dataset",
            "dataset_root": "nowhere",
            "val_path": "nowhere/val.txt",
            "num_classes": 4,
            "class_names": ["ground", "wall", "sky", "car"],
            "palette": [[1, 2, 3], [200, 0, 0], [0, 0, 200], [9, 9, 9]],
            "ignore_index": 254,
            "mode": "val",
            "transforms": [{"type": "Padding", "target_size": [60, 50]}, {"type": "Normalize"}],
        },
    },
    name="small",
)


def needs(engine: str):
    """A parameter that skips its test where the engine's packages are not installed or do not fit this Paddle."""
    trouble = runtimes()[engine].problem("fp32", "cpu")
    return pytest.param(engine, marks=pytest.mark.skipif(trouble is not None, reason=str(trouble and trouble[0])))


CONVERTED = [needs(name) for name in ("paddle_inference", "onnxruntime", "openvino")]
FORMAT_OF = {name: runtime.format.name for name, runtime in runtimes().items() if runtime.format}


def with_statistics(model: paddle.nn.Layer, seed: int = 0) -> paddle.nn.Layer:
    """The model in evaluation mode; every batch norm shifts and scales by random numbers of its own."""
    rng = np.random.default_rng(seed)
    for layer in model.sublayers(include_self=True):
        if isinstance(layer, paddle.nn.BatchNorm2D):
            size = layer._mean.shape
            for tensor, low, high in ((layer._mean, -0.1, 0.1), (layer._variance, 0.5, 1.5)):
                tensor.set_value(rng.uniform(low, high, size).astype("float32"))
            if layer.weight is not None:
                layer.weight.set_value(rng.uniform(0.8, 1.2, size).astype("float32"))
                layer.bias.set_value(rng.uniform(-0.2, 0.4, size).astype("float32"))
    model.eval()
    return model


class Thin(ResNet_vd):
    """ResNet-18 with half its blocks. It counts as one of ours, which alone are computed with oneDNN."""

    block, depths = BasicBlock, (1, 1, 1, 1)


Thin.__module__ = "paddleisa.models.thin"


def small_model(seed: int = 1, **options) -> models.ISANet:
    """ISANet with output stride 16 and a window of 2 by 2: images of 32 pixels need no padding."""
    paddle.seed(seed)
    backbone = Thin(output_stride=16)
    model = with_statistics(models.ISANet(4, backbone, isa_channels=8, down_factor=(2, 2), **options), seed)
    last = model.head.cls[1].weight
    last.set_value(last * 0.05)  # logits of trained networks' size
    return model


def images(*shape: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def logits_of(model: paddle.nn.Layer, x: np.ndarray) -> np.ndarray:
    with paddle.no_grad():
        return model(paddle.to_tensor(x))[0].numpy()
