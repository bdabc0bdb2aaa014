"""Weights and inputs behind family.npz: rebuilt exactly from names, shapes and seeds."""

import zlib

import numpy as np


def weight(name, shape, signed_norms=False):
    """Deterministic float32 value of one tensor, by its name in the original file.

    ``signed_norms``: a third of the norm weights is negative.
    """
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_mean"):
        z = 0.1 * z
    elif name.endswith("running_var"):
        z = 1 + 0.2 * np.abs(z)
    elif len(shape) == 4:  # (out, in, kh, kw), zero mean over its fan-in
        z = (z - z.mean((1, 2, 3), keepdims=True)) * np.sqrt(2.0 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        deep = any(f"layer3.{i}." in name for i in range(6, 23)) and (".bn3." in name)
        z = (0.2 + 0.02 * z) if deep else (1 + 0.1 * z)
        if signed_norms:
            z[::3] *= -1
    else:
        z = 0.1 * z
    return z.astype("float32")


def image(seed, shape):
    """(N, 3, H, W) float32, uniform in [-1, 1)."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")
