"""Optimizers and gradient clipping: PaddleSeg's names and options, Paddle's optimizers underneath."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Literal

import paddle
from paddle import nn
from pydantic import BaseModel, ConfigDict, Field

from paddleisa.errors import ConfigError
from paddleisa.registry import OPTIMIZERS, NoEffect

_NORMS = (nn.BatchNorm, nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm)


class Group(BaseModel):
    """Factors for the parameters whose structured name contains ``name``. ``lr_mult: 0`` freezes them."""

    model_config = ConfigDict(extra="forbid")

    name: str
    lr_mult: Annotated[float, Field(ge=0)] = 1.0
    weight_decay_mult: Annotated[float, Field(ge=0)] = 1.0


Decay = Annotated[float, Field(ge=0)] | None
Lazy = Annotated[bool, NoEffect("only sparse gradients can be lazy, and ISANet has none")]
Beta = Annotated[float, Field(ge=0, lt=1)]


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


@dataclass(eq=False)
class Optimizer:
    """Common part of the optimizers; its options are keywords.

    Frozen is what ``freeze`` names, and every group with ``lr_mult: 0``. Its parameters stay as they were loaded, and
    so do the running statistics of its batch norms, which PaddleSeg's ``lr_mult: 0`` moves on.

    Args:
        weight_decay: L2 coefficient (decoupled decay for AdamW), on every parameter, batch norm's too, as the original.
        custom_cfg: groups with their own factors, ``[{name: backbone, lr_mult: 0.1}]``; a parameter belongs to the
            first one whose ``name`` occurs in its structured name.
        grad_clip_cfg: gradient clipping.
        freeze: parts of structured names, ``[backbone, head.aux]``.
    """

    _: KW_ONLY
    weight_decay: Decay = None
    custom_cfg: list[Group] | None = None
    grad_clip_cfg: GradClip | None = None
    freeze: list[str] | None = None

    def __post_init__(self):
        self.groups = [Group.model_validate(g) for g in self.custom_cfg or []]
        self.clip = None if self.grad_clip_cfg is None else GradClip.model_validate(self.grad_clip_cfg)
        if self.clip:
            self.clip.build([])  # tells a missing bound before there is a model

    def create(self, model: nn.Layer, learning_rate: object) -> paddle.optimizer.Optimizer:
        """Paddle's optimizer over the trainable parameters of ``model``; frozen ones stop being trainable.

        Raises:
            ConfigError: an entry of ``custom_cfg`` or ``freeze`` matches no parameter, or all are frozen.
        """
        self._require_matches(model)
        for name, parameter in model.named_parameters():
            if self._is_frozen(name):
                parameter.stop_gradient = True
        trained = [(name, p) for name, p in model.named_parameters() if not p.stop_gradient]
        if not trained:
            raise ConfigError(
                "every parameter is frozen: nothing is left to train",
                where="optimizer",
                fix="Leave a part out of freeze, or give a group an lr_mult above 0",
            )
        clip = self.clip and self.clip.build([p for _, p in trained])
        return self._make(self._grouped(trained), learning_rate, self.weight_decay or None, clip)

    def train_mode(self, model: nn.Layer) -> None:
        """``model.train()``, but for the batch norms that are frozen: they go on with their running statistics."""
        model.train()
        if not self._freezes:
            return
        for name, layer in model.named_sublayers():
            if isinstance(layer, _NORMS) and self._is_frozen(f"{name}.weight"):
                layer.eval()

    def frozen_lines(self, model: nn.Layer) -> list[str]:
        """What a training says of its frozen part; no line without one."""
        if not self._freezes:
            return []
        names = [name for name, _ in model.named_parameters()]
        frozen = sum(map(self._is_frozen, names))
        return [
            f"frozen: {frozen} of {len(names)} tensors stay as loaded, running statistics of batch norm included "
            f"(names with {', '.join(self._freezes)})"
        ]

    @property
    def _freezes(self) -> list[str]:
        return [*(self.freeze or ()), *(group.name for group in self.groups if not group.lr_mult)]

    def _is_frozen(self, name: str) -> bool:
        group = self._group_of(name)
        return any(part in name for part in self.freeze or ()) or (group is not None and not group.lr_mult)

    def _group_of(self, name: str) -> Group | None:
        return next((group for group in self.groups if group.name in name), None)

    def _require_matches(self, model: nn.Layer) -> None:
        names = [name for name, _ in model.named_parameters()]
        groups = [self._group_of(name) for name in names]
        unmatched = [("custom_cfg", g.name) for g in self.groups if not any(g is found for found in groups)]
        unmatched += [("freeze", part) for part in self.freeze or () if not any(part in name for name in names)]
        for option, part in unmatched:
            raise ConfigError(
                f"no parameter's name contains {part!r}" + (" without an earlier group" if option != "freeze" else ""),
                where=f"optimizer.{option}",
                fix="Parts of the model are: " + ", ".join(name for name, _ in model.named_children()),
            )

    def _grouped(self, trained: list[tuple[str, paddle.Tensor]]) -> list:
        """Parameters as Paddle's optimizers take them: a list, or one mapping for each group."""
        for _, parameter in trained:  # another optimizer may have left its factors there
            parameter.regularizer, parameter.optimize_attr["learning_rate"] = None, 1.0
        if not self.groups:
            return [p for _, p in trained]
        rest = [p for name, p in trained if self._group_of(name) is None]
        result: list[dict[str, object]] = [{"params": rest}] if rest else []
        for group in self.groups:
            members = [p for name, p in trained if self._group_of(name) is group]
            decay = (self.weight_decay or 0.0) * group.weight_decay_mult
            if members:
                result.append({"params": members, "learning_rate": group.lr_mult, "weight_decay": decay})
        return result

    def _make(self, parameters: list, learning_rate: object, weight_decay: float | None, clip: object) -> object:
        raise NotImplementedError(f"{type(self).__name__} must define _make")


@OPTIMIZERS.register
@dataclass(eq=False)
class Momentum(Optimizer):
    """Stochastic gradient descent with momentum.

    Args:
        momentum: share of the last step in the next.
        use_nesterov: take the gradient ahead of the step (Nesterov 1983).
    """

    momentum: Beta = 0.9
    use_nesterov: bool = False

    def _make(self, parameters, learning_rate, weight_decay, clip):
        rest = {"parameters": parameters, "weight_decay": weight_decay, "grad_clip": clip}
        if not self.momentum:
            return paddle.optimizer.SGD(learning_rate, **rest)
        return paddle.optimizer.Momentum(learning_rate, self.momentum, use_nesterov=self.use_nesterov, **rest)


@OPTIMIZERS.register
@dataclass(eq=False)
class SGD(Momentum):
    """Stochastic gradient descent; with a ``momentum`` in the config it is Momentum, as in PaddleSeg.

    Args:
        momentum: none by default. (The ``sgd`` of 2021 meant 0.9.)
    """

    momentum: Beta | None = None  # type: ignore[assignment] # another default, and null for it

    def __post_init__(self):
        if self.use_nesterov and not self.momentum:
            raise ConfigError("use_nesterov needs a momentum", fix="Add momentum: 0.9")
        self.momentum = self.momentum or 0.0
        super().__post_init__()


@OPTIMIZERS.register
@dataclass(eq=False)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) with L2 regularisation.

    Args:
        beta1, beta2: decay of the averages of the gradient and of its square.
        epsilon: added to the denominator.
        lazy_mode: does nothing: only sparse gradients can be lazy, and ISANet has none.
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    lazy_mode: Lazy = False

    def _make(self, parameters, learning_rate, weight_decay, clip):
        make = paddle.optimizer.AdamW if isinstance(self, AdamW) else paddle.optimizer.Adam
        numbers = (self.beta1, self.beta2, self.epsilon)
        return make(learning_rate, *numbers, parameters, weight_decay=weight_decay or 0.0, grad_clip=clip)


@OPTIMIZERS.register
@dataclass(eq=False)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Args:
        weight_decay: share of a weight that a step at rate 1 takes off.
    """

    weight_decay: Decay = field(default=0.01, kw_only=True)


for _name in ("AdamWDL", "AdamWDL_CAE"):
    OPTIMIZERS.explain(
        _name,
        "Its rates fall with the depth of a transformer's blocks, which ISANet's backbones have none of: write AdamW, "
        "with custom_cfg [{name: backbone, lr_mult: 0.1}] for a slower backbone",
    )
