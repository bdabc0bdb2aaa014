"""Gradient clipping: PaddleSeg's ``grad_clip_cfg``."""

from __future__ import annotations

from typing import Annotated, Literal

import paddle
from paddle import nn
from pydantic import BaseModel, ConfigDict, Field

from paddleisa.errors import ConfigError


class GradClip(BaseModel):
    """How gradients are bounded before a step.

    Args:
        name: ClipGradByNorm bounds the norm of every tensor's gradient, ClipGradByGlobalNorm that of all gradients
            together, ClipGradByValue every number.
        clip_norm: bound of the norm.
        max: bound of a number.
        min: its lower bound; -max by default.
    """

    model_config = ConfigDict(extra="forbid")

    name: Literal["ClipGradByNorm", "ClipGradByGlobalNorm", "ClipGradByValue"]
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    max: float | None = None
    min: float | None = None

    def build(self, parameters: list) -> GlobalNorm | nn.ClipGradByNorm | nn.ClipGradByValue:
        """Paddle's clip object for an optimizer of ``parameters``.

        Raises:
            ConfigError: a bound is missing, or one of another kind of clipping is given.
        """
        by_value = self.name == "ClipGradByValue"
        needed, others = ("max", ("clip_norm",)) if by_value else ("clip_norm", ("max", "min"))
        where = "optimizer.grad_clip_cfg"
        bound = getattr(self, needed)
        if bound is None:
            raise ConfigError(f"{self.name} needs {needed!r}", where=where, fix=f"Add {needed}: 1.0")
        for option in others:
            if getattr(self, option) is not None:
                raise ConfigError(f"{self.name} has no {option!r}", where=where, fix=f"Write {needed} alone")
        if by_value:
            low = -bound if self.min is None else self.min
            if low >= bound:
                raise ConfigError(f"min {low} is not below max {bound}", where=where)
            return nn.ClipGradByValue(max=bound, min=low)
        if self.name == "ClipGradByNorm":
            return nn.ClipGradByNorm(bound)
        return GlobalNorm(bound, parameters)


class GlobalNorm(nn.ClipGradByGlobalNorm):
    """``paddle.nn.ClipGradByGlobalNorm`` over all parameters of an optimizer.

    Paddle's own is called with one group of parameters at a time and bounds each group's norm by itself.

    Args:
        clip_norm: bound of the norm.
        parameters: all that count.
    """

    def __init__(self, clip_norm: float, parameters: list):
        super().__init__(clip_norm)
        self._parameters = parameters

    def __call__(self, params_grads: list) -> list:
        """(parameter, gradient) pairs of one group, scaled by what all gradients together ask for."""
        squares = [(p.grad.astype("float32") ** 2).sum() for p in self._parameters if p.grad is not None]
        if not squares:
            return params_grads
        norm = paddle.sqrt(sum(squares))
        factor = self.clip_norm / paddle.clip(norm, min=self.clip_norm)
        return [(p, g if g is None else g * factor.astype(g.dtype)) for p, g in params_grads]
