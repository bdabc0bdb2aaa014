"""EfficientNet-Lite in PyTorch, written from the file's tensors and TensorFlow's description: an oracle of its own.

What a block is (kernel, expansion, channels, whether it adds its input) is read off the shapes of the file's tensors;
only the strides stand here. TensorFlow's padding is computed for each size as its documentation of 'SAME' says.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

STRIDES = {0: {1: 2, 3: 2, 5: 2, 11: 2}, 1: {1: 2, 4: 2, 7: 2, 15: 2}, 2: {1: 2, 4: 2, 7: 2, 15: 2}}


def convolution(x, weight, stride, groups=1):
    """TensorFlow's 'SAME': ceil(size / stride) outputs, the padding's larger half at the right and bottom."""
    before_after = []
    for axis in (3, 2):  # as F.pad orders them
        size, kernel = x.shape[axis], weight.shape[axis]
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + kernel - size, 0)
        before_after += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, before_after), weight, stride=stride, groups=groups)


def normalised(x, state, name):
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)


def run(state, images: np.ndarray, size: int):
    """(N, 3, H, W) -> (outputs of all blocks, map before pooling, class scores (N, 1000))."""
    state = {name: torch.as_tensor(value) for name, value in state.items()}
    x = convolution(torch.from_numpy(images), state["_conv_stem.weight"], 2)
    x = F.relu6(normalised(x, state, "_bn0"))
    outputs = []
    while (name := f"_blocks.{len(outputs)}") + "._depthwise_conv.weight" in state:
        y = x
        if f"{name}._expand_conv.weight" in state:
            y = F.relu6(normalised(convolution(y, state[f"{name}._expand_conv.weight"], 1), state, f"{name}._bn0"))
        stride = STRIDES[size].get(len(outputs), 1)
        y = convolution(y, state[f"{name}._depthwise_conv.weight"], stride, groups=y.shape[1])
        y = F.relu6(normalised(y, state, f"{name}._bn1"))
        y = normalised(convolution(y, state[f"{name}._project_conv.weight"], 1), state, f"{name}._bn2")
        x = x + y if x.shape == y.shape else y
        outputs.append(x)
    last = F.relu6(normalised(convolution(x, state["_conv_head.weight"], 1), state, "_bn1"))
    return outputs, last, last.mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
