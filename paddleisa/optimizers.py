"""Optimizers: PaddleSeg's names and options, Paddle's optimizers underneath.

``custom_cfg`` gives groups of parameters their own factors, ``[{name: backbone, lr_mult: 0.1}]``: a parameter belongs
to the first entry whose ``name`` occurs in its structured name.
"""

from __future__ import annotations

from typing import Annotated, Literal

import paddle
from paddle import nn
from pydantic import BaseModel, ConfigDict, Field

from paddleisa.errors import ConfigError
from paddleisa.registry import OPTIMIZERS


class Group(BaseModel):
    """Factors for the parameters whose structured name contains ``name``."""

    model_config = ConfigDict(extra="forbid")

    name: str
    lr_mult: Annotated[float, Field(ge=0)] = 1.0
    weight_decay_mult: Annotated[float, Field(ge=0)] = 1.0


class GradClip(BaseModel):
    """Gradient clipping: one of Paddle's classes by name, with its bound."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["ClipGradByNorm", "ClipGradByGlobalNorm", "ClipGradByValue"]
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    max: Annotated[float, Field(gt=0)] | None = None

    def build(self) -> object:
        """Paddle's clip object; ConfigError when its bound is missing."""
        bound = "max" if self.name == "ClipGradByValue" else "clip_norm"
        if getattr(self, bound) is None:
            raise ConfigError(f"{self.name} needs {bound!r}", where="optimizer.grad_clip_cfg", fix=f"Add {bound}: 1.0")
        return getattr(nn, self.name)(getattr(self, bound))


Decay = Annotated[float, Field(ge=0)]


class Optimizer:
    """Common part of the optimizers.

    Args:
        weight_decay: L2 coefficient (decoupled decay for AdamW), on every parameter, batch norm's too, as the original.
        custom_cfg: groups with their own factors.
        grad_clip_cfg: gradient clipping.
    """

    def __init__(self, weight_decay: Decay, custom_cfg: list[Group] | None, grad_clip_cfg: GradClip | None):
        self.weight_decay, self.groups = weight_decay, [Group.model_validate(g) for g in custom_cfg or []]
        self.clip = None if grad_clip_cfg is None else GradClip.model_validate(grad_clip_cfg).build()

    def create(self, model: nn.Layer, learning_rate: object) -> paddle.optimizer.Optimizer:
        """Paddle's optimizer over the trainable parameters of ``model``.

        Raises:
            ConfigError: an entry of ``custom_cfg`` matches no parameter.
        """
        parameters = self._grouped(model)
        return self._make(parameters, learning_rate, self.weight_decay or None, self.clip)

    def _make(self, parameters: list, learning_rate: object, weight_decay: float | None, clip: object) -> object:
        raise TypeError(f"{type(self).__name__} must define _make")

    def _grouped(self, model: nn.Layer) -> list:
        trainable = [(name, p) for name, p in model.named_parameters() if not p.stop_gradient]
        if not self.groups:
            return [p for _, p in trainable]
        members: list[list] = [[] for _ in range(len(self.groups) + 1)]
        for name, parameter in trainable:
            place = next((i for i, g in enumerate(self.groups) if g.name in name), len(self.groups))
            members[place].append(parameter)
        for group, found in zip(self.groups, members, strict=False):
            if not found:
                raise ConfigError(
                    f"no parameter's name contains {group.name!r}",
                    where="optimizer.custom_cfg",
                    fix="Parts of the model are: " + ", ".join(name for name, _ in model.named_children()),
                )
        result = [
            {"params": found, "learning_rate": g.lr_mult, "weight_decay": self.weight_decay * g.weight_decay_mult}
            for g, found in zip(self.groups, members, strict=False)
        ]
        return [*result, {"params": members[-1]}] if members[-1] else result


@OPTIMIZERS.register
class SGD(Optimizer):
    """Stochastic gradient descent with momentum: PaddleSeg's ``SGD`` is Momentum unless ``momentum`` is 0."""

    def __init__(
        self,
        momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        weight_decay: Decay = 0.0,
        custom_cfg: list[Group] | None = None,
        grad_clip_cfg: GradClip | None = None,
    ):
        super().__init__(weight_decay, custom_cfg, grad_clip_cfg)
        self.momentum = momentum

    def _make(self, parameters, learning_rate, weight_decay, clip):
        if not self.momentum:
            return paddle.optimizer.SGD(learning_rate, parameters, weight_decay=weight_decay, grad_clip=clip)
        return paddle.optimizer.Momentum(
            learning_rate, self.momentum, parameters, weight_decay=weight_decay, grad_clip=clip
        )


@OPTIMIZERS.register
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) with L2 regularisation."""

    _class = paddle.optimizer.Adam

    def __init__(
        self,
        beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999,
        epsilon: Annotated[float, Field(gt=0)] = 1e-8,
        weight_decay: Decay = 0.0,
        custom_cfg: list[Group] | None = None,
        grad_clip_cfg: GradClip | None = None,
    ):
        super().__init__(weight_decay, custom_cfg, grad_clip_cfg)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _make(self, parameters, learning_rate, weight_decay, clip):
        return self._class(
            learning_rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            parameters,
            weight_decay=weight_decay or 0.0,
            grad_clip=clip,
        )


@OPTIMIZERS.register
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    _class = paddle.optimizer.AdamW
