"""The least memory that a config asks for: what cannot fit is told before it is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from paddleisa.config.checker import CheckedConfig
from paddleisa.config.components import build_part
from paddleisa.registry import MODELS
from paddleisa.utils import memory
from paddleisa.utils.nodes import Node

if TYPE_CHECKING:
    from paddle import nn

_SIZES = ("crop_size", "target_size")
_FLOAT = 4  # bytes
_SAMPLE = 128  # pixels of the longer side of the image that layers' outputs are counted on
_LEAST = 0.8  # of the estimate: it was up to 20 % above a measured peak, and what fits must not be refused
_BUSY = 4096  # values for each pixel: more than any network here keeps, so that a look is worth it only beyond
_WIDE = 8192  # no published network has an option as large; only then the network's size is worth a look


def require_images(config: CheckedConfig, part: str) -> None:
    """OutOfMemory when one batch of a data set, prepared, and its scores do not fit.

    Args:
        config: checked.
        part: ``train_dataset`` or ``val_dataset``.
    """
    model = config.tree.child("model")
    batch = config.settings.batch_size if part == "train_dataset" else 1
    classes = model.child("num_classes") if model is not None else None
    channels = 3 + (classes.value if classes is not None else 0)
    for size in _sizes(config, part):
        width, height = size.plain()
        what = f"a batch of {batch} images of {width}x{height} pixels, with their scores,"
        needed = _FLOAT * batch * channels * width * height
        memory.require(needed, what=what, where=size.origin, fix="Make batch_size or the size smaller")


def require_step(config: CheckedConfig, model: nn.Layer) -> None:
    """OutOfMemory when a training step of ``model`` with the config's batch and crop does not fit."""
    import paddle

    limit = None
    if paddle.get_device().startswith("gpu"):
        limit = paddle.device.cuda.get_device_properties().total_memory / 2**30
    batch = config.settings.batch_size
    for size in _sizes(config, "train_dataset"):
        width, height = size.plain()
        if _FLOAT * _BUSY * batch * width * height > (memory.available() if limit is None else limit * 2**30):
            estimate = step_bytes(model, (width, height), batch, 4 if config.settings.precision == "fp32" else 2)
            needed = int(_LEAST * estimate)
            what = f"a training step of {batch} images of {width}x{height} pixels"
            memory.require(needed, limit, what=what, where=size.origin, fix="Make batch_size or the size smaller")


def step_bytes(model: nn.Layer, size: tuple[int, int], batch: int, width: int = _FLOAT) -> int:
    """About the memory that a training step takes beyond the weights: docs/guide/training.md has its error.

    The outputs of all layers, counted on a small image and scaled by the pixels, three times the scores at full size
    (as they are, their softmax, its gradient), a gradient and a momentum for each weight. Nothing of the model changes.

    Args:
        model: on any device.
        size: (width, height) of the images, pixels.
        batch: images.
        width: bytes of a value of the layers.
    """
    import paddle

    scale = _SAMPLE / max(size)
    sample = [max(32, round(side * scale)) for side in size]
    counted = 0

    def count(_: nn.Layer, __: object, output: Any) -> Any:
        nonlocal counted
        counted += sum(math.prod(t.shape) for t in (output if isinstance(output, list | tuple) else [output]))

    hooks = [layer.register_forward_post_hook(count) for layer in model.sublayers() if not layer.sublayers()]
    training = model.training
    try:
        model.eval()
        with paddle.no_grad():
            (scores, *_) = model(paddle.zeros([1, 3, sample[1], sample[0]]))
    finally:
        for hook in hooks:
            hook.remove()
        model.train() if training else model.eval()
    pixels = math.prod(size)
    weights = sum(math.prod(weight.shape) for weight in model.parameters())
    activations = counted * pixels / math.prod(sample)
    return int(batch * (width * activations + 3 * _FLOAT * scores.shape[1] * pixels) + 2 * _FLOAT * weights)


def require_model(config: CheckedConfig) -> None:
    """OutOfMemory when the network's weights do not fit. Looks only at networks with options of unusual size."""
    node = config.tree.nearest_at(("model",))
    if max(_numbers(node), default=0) <= _WIDE:
        return
    import numpy as np
    import paddle

    with paddle.LazyGuard():  # layers with shapes and without values
        network = build_part(config, "model", MODELS)
    weights = sum(float(np.prod([float(side) for side in weight.shape])) for weight in network.parameters())
    what = f"a network of {weights:.3g} weights"
    memory.require(int(_FLOAT * weights), what=what, where=node.origin, fix="Make its channels fewer")


def _sizes(config: CheckedConfig, part: str) -> Iterator[Node]:
    """The sizes, (width, height), that the transforms of a data set give its images."""
    transforms = config.tree.at((part, "transforms"))
    for transform in transforms.value if transforms is not None else ():
        size = next((found for name in _SIZES if (found := transform.child(name)) is not None), None)
        if size is not None and size.is_list:
            yield size


def _numbers(node: Node) -> Iterator[int]:
    for _, leaf in node.leaves():
        if isinstance(leaf.value, int) and not isinstance(leaf.value, bool):
            yield leaf.value
