"""Configs: read YAML with ``_base_``, override, check against constructors, build.

    config = load_config("isanet_resnet50_os8_cityscapes_769x769_80k", opts=["batch_size=1"], purpose="val")
    model = build_part(config, "model", MODELS)

``read_config`` imports neither paddle nor pydantic; checking, and so ``load_config``, imports what registers the
components.
"""

from __future__ import annotations

import importlib
from typing import Any

from paddleisa.config.config import Config, read_config
from paddleisa.config.inherit import shipped_configs

_LAZY = {
    "check": "paddleisa.config.checker",
    "CheckedConfig": "paddleisa.config.checker",
    "load_config": "paddleisa.config.checker",
    "build_part": "paddleisa.config.components",
    "ConfigProblems": "paddleisa.config.problems",
}

__all__ = ["Config", "read_config", "shipped_configs", *_LAZY]


def __getattr__(name: str) -> Any:
    """Checking and building at their first use: they need pydantic and, for the components, paddle."""
    if name not in _LAZY:
        raise AttributeError(f"module 'paddleisa.config' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
