"""Attention by Paddle's flash kernel, which never holds the positions x positions weights.

``F.scaled_dot_product_attention`` runs the kernel on a GPU in half precision and is composed of plain products
elsewhere. Some of what the kernel demands is only found out by its error (Paddle 2.6.2 goes by the head's size alone),
so ``obstacle`` asks for all of it beforehand:

* a Paddle built for CUDA 11.4 or newer, not on Windows (Paddle's cmake/third_party.cmake);
* a GPU of compute capability 8.x or 9.0, heads of a multiple of 8 and at most 256 channels; for gradients of heads
  of more than 192 channels 8.0 or 9.0 (csrc/capi/flash_attn.cu of PaddlePaddle/flash-attention);
* query, key and value in float16 or bfloat16 with the same number of channels.

Run on CPUs, Paddle 2.6.2 and 3.3.1: ``fused_attend`` by way of Paddle's products, forward and gradients. The kernel
itself was not run: there was no GPU.
"""

from __future__ import annotations

import sys
from functools import lru_cache

import paddle
import paddle.nn.functional as F

OLDEST_CUDA = (11, 4)
MOST_CHANNELS, MOST_CHANNELS_OF_ANY_BACKWARD = 256, 192
# The kernel saves reading and writing about 12 * positions ** 2 numbers a group, and its layout costs about 3600 a
# position (both counted for ISANet's 256 and 512 channels). Groups of a training crop, 64 and 169 positions, gain none.
FEWEST_POSITIONS = 300
LARGE_GPUS = ((8, 0), (9, 0))  # A100, H100 and their kin: the shared memory that a wide head's backward pass needs


def obstacle(
    *,
    dtype: str,
    channels: int,
    positions: int,
    capability: tuple[int, int] | None,
    cuda: tuple[int, int] | None,
    platform: str,
    gradients: bool,
) -> str | None:
    """Why the flash kernel cannot compute an attention, or None if it can.

    Args:
        dtype: of the values: float32, float16, bfloat16 ...
        channels: of query and key. The value's do not matter: ``fused_attend`` cuts them to this.
        positions: of a group.
        capability: of the GPU that holds the tensors; None on another device.
        cuda: version that Paddle was built for; None without CUDA (CPU, ROCm).
        platform: ``sys.platform``.
        gradients: whether a backward pass may follow.
    """
    if capability is None:
        return "the tensors are not on a GPU"
    if cuda is None or cuda < OLDEST_CUDA or platform == "win32":
        return "Paddle is built without flash attention"
    if capability[0] != 8 and capability != (9, 0):
        return f"the GPU's compute capability {capability[0]}.{capability[1]} is neither 8.x nor 9.0"
    if dtype not in ("float16", "bfloat16"):
        return f"the values are {dtype}, not float16 or bfloat16"
    if channels % 8 or channels > MOST_CHANNELS:
        return f"{channels} channels of query and key are no multiple of 8 up to {MOST_CHANNELS}"
    if positions < FEWEST_POSITIONS:
        return f"groups of {positions} positions are too small to gain from it"
    if gradients and channels > MOST_CHANNELS_OF_ANY_BACKWARD and capability not in LARGE_GPUS:
        return f"gradients of {channels} channels need a GPU of compute capability 8.0 or 9.0"
    return None


def obstacle_for(query, key, value) -> str | None:
    """``obstacle`` for tensors as ``attend`` takes them, on the device that holds them."""
    return obstacle(
        # Under auto_cast batch normalisation leaves query and key in float32, whereas the value comes straight from a
        # convolution: its type is the one that auto_cast gives to products.
        dtype=str(value.dtype).rpartition(".")[2].lower(),
        channels=query.shape[1],
        positions=query.shape[2],
        capability=_capability(query.place.gpu_device_id()) if query.place.is_gpu_place() else None,
        cuda=_cuda(paddle.version.cuda()),
        platform=sys.platform,
        gradients=paddle.is_grad_enabled() and not all(t.stop_gradient for t in (query, key, value)),
    )


def can_fuse(query, key, value) -> bool:
    """Whether ``fused_attend`` would run the kernel. Never in a static graph: an export must run everywhere."""
    return paddle.in_dynamic_mode() and obstacle_for(query, key, value) is None


def fused_attend(query, key, value):
    """``models.attention.attend`` by one call of ``F.scaled_dot_product_attention``.

    The kernel takes heads with as many channels in the value as in the query. The value is cut into such heads, the
    last one filled up with zeros, and every head gets the same query and key: each computes the same weights.

    Args:
        query, key: (groups, channels, positions); cast to the value's type if theirs is another.
        value: (groups, value channels, positions).

    Returns:
        (groups, value channels, positions), of the value's type.
    """
    groups, channels, positions = query.shape
    value_channels = value.shape[1]
    heads = -(-value_channels // channels)
    query, key = (paddle.concat([_as_type(t, value.dtype)] * heads, axis=1) for t in (query, key))
    missing = heads * channels - value_channels
    if missing:
        value = paddle.concat([value, paddle.zeros([groups, missing, positions], value.dtype)], axis=1)
    cut = [t.reshape([groups, heads, channels, positions]).transpose([0, 3, 1, 2]) for t in (query, key, value)]
    result = F.scaled_dot_product_attention(*cut)  # (groups, positions, heads, channels), scaled by channels ** -0.5
    result = result.transpose([0, 2, 3, 1]).reshape([groups, heads * channels, positions])
    return result[:, :value_channels] if missing else result


def _as_type(x, dtype):
    return x if x.dtype == dtype else x.astype(dtype)


@lru_cache
def _capability(device: int) -> tuple[int, int]:
    return tuple(paddle.device.cuda.get_device_capability(device))


def _cuda(version: str) -> tuple[int, int] | None:
    """(11, 8) of "11.8"; None of "False", which Paddle says without CUDA."""
    parts = version.split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and all(p.isdigit() for p in parts[:2]) else None
