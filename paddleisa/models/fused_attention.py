"""Attention by Paddle's flash kernel, an option of ``SelfAttention`` that is off by default.

The kernel never holds the positions x positions weights. It has not been run with this package: there was no GPU. What
was run, on CPUs, is the same call by way of Paddle's products, forward and gradients. Some of what the kernel demands
is only found out by its error (Paddle 2.6.2 goes by the head's size alone), so ``unsupported_reason`` asks beforehand.
"""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache

import paddle
import paddle.nn.functional as F

MOST_CHANNELS, MOST_CHANNELS_OF_ANY_BACKWARD = 256, 192
LARGE_GPUS = ((8, 0), (9, 0))  # A100, H100 and their kin: the shared memory that a wide head's backward pass needs


def unsupported_reason(
    dtype: str,
    channels: int,
    capability: tuple[int, int] | None,
    cuda: tuple[int, int] | None,
    platform: str,
    gradients: bool,
) -> str | None:
    """Why the flash kernel cannot compute an attention, or None if it can.

    From cmake/third_party.cmake of Paddle and csrc/capi/flash_attn.cu of PaddlePaddle/flash-attention.

    Args:
        dtype: of the value: float32, float16, bfloat16 ...
        channels: of query and key. The value's do not matter: ``fused_attention`` cuts them to this.
        capability: of the GPU that holds the tensors; None on another device.
        cuda: version that Paddle was built for; None without CUDA (CPU, ROCm).
        platform: ``sys.platform``.
        gradients: whether a backward pass may follow.
    """
    if capability is None:
        return "the tensors are not on a GPU"
    if cuda is None or cuda < (11, 4) or platform == "win32":
        return "Paddle is built without flash attention"
    if capability[0] != 8 and capability != (9, 0):
        return f"the GPU's compute capability {capability[0]}.{capability[1]} is neither 8.x nor 9.0"
    if dtype not in ("float16", "bfloat16"):
        return f"the values are {dtype}, not float16 or bfloat16"
    if channels % 8 or channels > MOST_CHANNELS:
        return f"{channels} channels of query and key are no multiple of 8 up to {MOST_CHANNELS}"
    if gradients and channels > MOST_CHANNELS_OF_ANY_BACKWARD and capability not in LARGE_GPUS:
        return f"gradients of {channels} channels need a GPU of compute capability 8.0 or 9.0"
    return None


def can_fuse(query, key, value) -> bool:
    """Whether ``fused_attention`` would run the kernel; warns of the reason why not.

    Never in a static graph, and there without a warning: an export must run everywhere.
    """
    if not paddle.in_dynamic_mode():
        return False
    reason = unsupported_reason(
        # Under auto_cast batch normalisation leaves query and key in float32, whereas the value comes straight from a
        # convolution: its type is the one that auto_cast gives to products.
        dtype=str(value.dtype).rpartition(".")[2].lower(),
        channels=query.shape[-2],
        capability=_capability(query.place.gpu_device_id()) if query.place.is_gpu_place() else None,
        cuda=_cuda(paddle.version.cuda()),
        platform=sys.platform,
        gradients=paddle.is_grad_enabled() and not all(t.stop_gradient for t in (query, key, value)),
    )
    if reason is not None:
        warnings.warn(f"attention by plain products, not by the fused kernel: {reason}", stacklevel=2)
    return reason is None


def fused_attention(query, key, value):
    """Scaled dot-product attention inside each group by one call of ``F.scaled_dot_product_attention``.

    The kernel takes heads with as many channels in the value as in the query. The value is cut into such heads, the
    last one filled up with zeros, and every head gets the same query and key: each computes the same weights.

    Args:
        query, key: (..., channels, positions); cast to the value's type if theirs is another.
        value: (..., value channels, positions).

    Returns:
        (..., value channels, positions), of the value's type.
    """
    channels, (value_channels, positions) = query.shape[-2], value.shape[-2:]
    heads = -(-value_channels // channels)
    missing = heads * channels - value_channels
    if missing:
        value = paddle.concat([value, paddle.zeros([*value.shape[:-2], missing, positions], value.dtype)], axis=-2)
    query, key = (paddle.concat([t.astype(value.dtype)] * heads, axis=-2) for t in (query, key))
    cut = [t.reshape([-1, heads, channels, positions]).transpose([0, 3, 1, 2]) for t in (query, key, value)]
    result = F.scaled_dot_product_attention(*cut)  # (groups, positions, heads, channels), scaled by channels ** -0.5
    return result.transpose([0, 2, 3, 1]).reshape(value.shape)[..., :value_channels, :]


@lru_cache
def _capability(device: int) -> tuple[int, int]:
    major, minor = paddle.device.cuda.get_device_capability(device)
    return major, minor


def _cuda(version: str) -> tuple[int, int] | None:
    """(11, 8) of "11.8"; None of "False", which Paddle says without CUDA."""
    parts = version.split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and all(p.isdigit() for p in parts[:2]) else None
