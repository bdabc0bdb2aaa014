"""The network that is exported: a copy of the model with batch norm folded, in a static form, one output."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import copy
from typing import Literal, get_args

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddleisa.deploy.export.compare import logits_differ
from paddleisa.deploy.export.fuse import fold_batch_norm
from paddleisa.deploy.export.static_form import Form, use_static_form
from paddleisa.utils.interpolation import Upsampling

OutputOp = Literal["none", "softmax", "argmax"]
OUTPUT_OPS = get_args(OutputOp)
SCORES = "scores"  # what the engines take: no upsampling inside, see logit_map.py
OUTPUT_NAMES = {"none": "logits", "softmax": "probabilities", "argmax": "mask", SCORES: "scores"}


class DeployNetwork(nn.Layer):
    """What an exported file computes.

    Args:
        model: the copy to run; its forward gives a list whose first entry is the logits.
        output_op: ``none``: logits (N, K, H, W); ``softmax``: probabilities of that shape; ``argmax``: class ids
            (N, H, W), int32 as PaddleSeg's exports have them; ``scores``: the logits before they are upsampled.
    """

    def __init__(self, model: nn.Layer, output_op: str = "none"):
        super().__init__()
        self.model, self.output_op = model, output_op

    def forward(self, x):
        """(N, 3, H, W) float32 -> the output that ``output_op`` names."""
        if self.output_op == SCORES:
            return self.model.scores(x)[0]
        logits = self.model(x)[0]
        if self.output_op == "softmax":
            return F.softmax(logits, axis=1)
        if self.output_op == "argmax":
            return paddle.argmax(logits, axis=1, keepdim=False, dtype="int32")
        return logits


def deploy_network(model: nn.Layer, form: Form, output_op: str = "none", example_size: int = 64) -> DeployNetwork:
    """A network to export; ``model`` itself is not changed.

    Where folding batch norm changes the logits, because something beside the norm uses a convolution's output, the
    norms stay.

    Args:
        model: with weights loaded.
        form: the file that it is for, see ``static_form.py``.
        output_op: see `DeployNetwork`.
        example_size: height and width of the input that decides what can be folded.
    """
    rng = np.random.default_rng(0)
    example = paddle.to_tensor(rng.uniform(-1, 1, (1, 3, example_size, example_size)).astype(np.float32))
    folded = _copy(model)
    with paddle.no_grad():
        before = folded(example)[0].numpy()
        fold_batch_norm(folded, example)
        after = folded(example)[0].numpy()
    chosen = _copy(model) if logits_differ(before, after) else folded
    use_static_form(chosen, form)
    network = DeployNetwork(chosen, output_op)
    network.eval()
    return network


def _copy(model: nn.Layer) -> nn.Layer:
    result = copy.deepcopy(model)
    result.eval()
    return result


def upsampling_of(model: nn.Layer) -> Upsampling | None:
    """How ``model``'s forward upsamples what its ``scores`` gives; None if it has no such pair.

    A class that overrides forward alone may do something else there.
    """
    classes = type(model).__mro__
    made = {name: next((c for c in classes if name in vars(c)), None) for name in ("forward", SCORES)}
    if None in made.values() or classes.index(made[SCORES]) > classes.index(made["forward"]):
        return None
    return getattr(model, "upsampling", None)


def unpadded_size(model: nn.Layer) -> tuple[int, int]:
    """(height, width) of the smallest image whose features the attention does not pad; 64x64 of an unknown model."""
    backbone, indices = getattr(model, "backbone", None), getattr(model, "backbone_indices", None)
    window = getattr(getattr(model, "head", None), "down_factor", None)
    if backbone is None or indices is None or window is None:
        return 64, 64
    with paddle.no_grad():
        features = backbone(paddle.zeros([1, 3, 64, 64]))[indices[1]]
    strides = (64 // features.shape[2], 64 // features.shape[3])
    return window[0] * strides[0], window[1] * strides[1]
