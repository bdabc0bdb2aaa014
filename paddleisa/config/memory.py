"""The least memory that a config asks for, from its numbers alone: what cannot fit is told before it is allocated."""

from __future__ import annotations

from collections.abc import Iterator

from paddleisa.config.checker import CheckedConfig
from paddleisa.config.components import build_part
from paddleisa.registry import MODELS
from paddleisa.utils import memory
from paddleisa.utils.nodes import Node

_SIZES = ("crop_size", "target_size")
_FLOAT = 4  # bytes
_WIDE = 8192  # no published network has an option as large; only then the network's size is worth a look


def require_images(config: CheckedConfig, part: str) -> None:
    """OutOfMemory when one batch of a data set, prepared, and its scores do not fit.

    Args:
        config: checked.
        part: ``train_dataset`` or ``val_dataset``.
    """
    transforms, model = config.tree.at((part, "transforms")), config.tree.child("model")
    batch = config.settings.batch_size if part == "train_dataset" else 1
    classes = model.child("num_classes") if model is not None else None
    channels = 3 + (classes.value if classes is not None else 0)
    for transform in transforms.value if transforms is not None else ():
        size = next((found for name in _SIZES if (found := transform.child(name)) is not None), None)
        if size is not None and size.is_list:
            width, height = size.plain()
            what = f"a batch of {batch} images of {width}x{height} pixels, with their scores,"
            needed = _FLOAT * batch * channels * width * height
            memory.require(needed, what=what, where=size.origin, fix="Make batch_size or the size smaller")


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


def _numbers(node: Node) -> Iterator[int]:
    for _, leaf in node.leaves():
        if isinstance(leaf.value, int) and not isinstance(leaf.value, bool):
            yield leaf.value
