"""paddleisa: a model zoo for ISANet (Interlaced Sparse Self-Attention, arXiv:1907.12273) on PaddlePaddle."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "load_config": "paddleisa.config",
    "Config": "paddleisa.config",
    "build_model": "paddleisa.build",
    "build_dataset": "paddleisa.build",
    "load_weights": "paddleisa.zoo.resolve",
    "read_weights": "paddleisa.weights",
    "save_weights": "paddleisa.weights",
    "Predictor": "paddleisa.predictor",
    "evaluate": "paddleisa.evaluation.api",
    "predict": "paddleisa.evaluation.api",
    "export": "paddleisa.evaluation.api",
    "train": "paddleisa.training.trainer",
    "verify": "paddleisa.reproduce.verify",
    "prepare": "paddleisa.data.api",
    "check": "paddleisa.data.api",
    "setup_threads": "paddleisa.utils.environment",
}

__all__ = ["__version__", "reproduce", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import the public names at their first use: ``import paddleisa`` alone does not import paddle."""
    if name == "reproduce":  # a room and a function; see its __init__
        return importlib.import_module("paddleisa.reproduce")
    if name not in _HOMES:
        raise AttributeError(f"module 'paddleisa' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
