"""Optimizers: PaddleSeg's names and options, Paddle's optimizers underneath."""

from __future__ import annotations

from typing import Annotated

import paddle
from paddle import nn
from pydantic import BaseModel, ConfigDict, Field

from paddleisa.errors import ConfigError
from paddleisa.optim.grad_clip import GradClip
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


class Optimizer:
    """Common part of the optimizers.

    Frozen is what ``freeze`` names, and every group with ``lr_mult: 0``. Its parameters stay as they were loaded, and
    so do the running statistics of its batch norms, which PaddleSeg's ``lr_mult: 0`` moves on.

    Args:
        weight_decay: L2 coefficient (decoupled decay for AdamW), on every parameter, batch norm's too, as the original.
        custom_cfg: groups with their own factors, ``[{name: backbone, lr_mult: 0.1}]``; a parameter belongs to the
            first one whose ``name`` occurs in its structured name.
        grad_clip_cfg: gradient clipping.
        freeze: parts of structured names, ``[backbone, head.aux]``.
    """

    def __init__(
        self,
        weight_decay: Decay,
        custom_cfg: list[Group] | None,
        grad_clip_cfg: GradClip | None,
        freeze: list[str] | None,
    ):
        self.weight_decay, self.groups = weight_decay or 0.0, [Group.model_validate(g) for g in custom_cfg or []]
        self.clip = None if grad_clip_cfg is None else GradClip.model_validate(grad_clip_cfg)
        if self.clip:
            self.clip.build([])  # tells a missing bound before there is a model
        self.freeze = freeze or []

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
        return [*self.freeze, *(group.name for group in self.groups if not group.lr_mult)]

    def _is_frozen(self, name: str) -> bool:
        group = self._group_of(name)
        return any(part in name for part in self.freeze) or (group is not None and not group.lr_mult)

    def _group_of(self, name: str) -> Group | None:
        return next((group for group in self.groups if group.name in name), None)

    def _require_matches(self, model: nn.Layer) -> None:
        names = [name for name, _ in model.named_parameters()]
        groups = [self._group_of(name) for name in names]
        unmatched = [("custom_cfg", g.name) for g in self.groups if not any(g is found for found in groups)]
        unmatched += [("freeze", part) for part in self.freeze if not any(part in name for name in names)]
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
            decay = self.weight_decay * group.weight_decay_mult
            if members:
                result.append({"params": members, "learning_rate": group.lr_mult, "weight_decay": decay})
        return result

    def _make(self, parameters: list, learning_rate: object, weight_decay: float | None, clip: object) -> object:
        raise NotImplementedError(f"{type(self).__name__} must define _make")


@OPTIMIZERS.register
class Momentum(Optimizer):
    """Stochastic gradient descent with momentum.

    Args:
        momentum: share of the last step in the next.
        weight_decay, custom_cfg, grad_clip_cfg, freeze: see :class:`Optimizer`.
        use_nesterov: take the gradient ahead of the step (Nesterov 1983).
    """

    def __init__(
        self,
        momentum: Beta = 0.9,
        weight_decay: Decay = None,
        custom_cfg: list[Group] | None = None,
        grad_clip_cfg: GradClip | None = None,
        use_nesterov: bool = False,
        freeze: list[str] | None = None,
    ):
        super().__init__(weight_decay, custom_cfg, grad_clip_cfg, freeze)
        self.momentum, self.use_nesterov = momentum, use_nesterov

    def _make(self, parameters, learning_rate, weight_decay, clip):
        if not self.momentum:
            return paddle.optimizer.SGD(learning_rate, parameters, weight_decay=weight_decay, grad_clip=clip)
        return paddle.optimizer.Momentum(
            learning_rate,
            self.momentum,
            parameters,
            use_nesterov=self.use_nesterov,
            weight_decay=weight_decay,
            grad_clip=clip,
        )


@OPTIMIZERS.register
class SGD(Momentum):
    """Stochastic gradient descent; with a ``momentum`` in the config it is Momentum, as in PaddleSeg.

    Args:
        momentum: none by default. (The ``sgd`` of 2021 meant 0.9.)
        weight_decay, custom_cfg, grad_clip_cfg, freeze: see :class:`Optimizer`.
        use_nesterov: see :class:`Momentum`.
    """

    def __init__(
        self,
        momentum: Beta | None = None,
        weight_decay: Decay = None,
        custom_cfg: list[Group] | None = None,
        grad_clip_cfg: GradClip | None = None,
        use_nesterov: bool = False,
        freeze: list[str] | None = None,
    ):
        if use_nesterov and not momentum:
            raise ConfigError("use_nesterov needs a momentum", fix="Add momentum: 0.9")
        super().__init__(momentum or 0.0, weight_decay, custom_cfg, grad_clip_cfg, use_nesterov, freeze)


@OPTIMIZERS.register
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) with L2 regularisation.

    Args:
        beta1, beta2: decay of the averages of the gradient and of its square.
        epsilon: added to the denominator.
        weight_decay, custom_cfg, grad_clip_cfg, freeze: see :class:`Optimizer`.
        lazy_mode: does nothing: only sparse gradients can be lazy, and ISANet has none.
    """

    _class: type = paddle.optimizer.Adam

    def __init__(
        self,
        beta1: Beta = 0.9,
        beta2: Beta = 0.999,
        epsilon: Annotated[float, Field(gt=0)] = 1e-8,
        weight_decay: Decay = None,
        custom_cfg: list[Group] | None = None,
        grad_clip_cfg: GradClip | None = None,
        lazy_mode: Lazy = False,
        freeze: list[str] | None = None,
    ):
        super().__init__(weight_decay, custom_cfg, grad_clip_cfg, freeze)
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
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Args:
        beta1, beta2, epsilon, lazy_mode: see :class:`Adam`.
        weight_decay: share of a weight that a step at rate 1 takes off.
        custom_cfg, grad_clip_cfg, freeze: see :class:`Optimizer`.
    """

    _class = paddle.optimizer.AdamW

    def __init__(
        self,
        beta1: Beta = 0.9,
        beta2: Beta = 0.999,
        epsilon: Annotated[float, Field(gt=0)] = 1e-8,
        weight_decay: Decay = 0.01,
        custom_cfg: list[Group] | None = None,
        grad_clip_cfg: GradClip | None = None,
        lazy_mode: Lazy = False,
        freeze: list[str] | None = None,
    ):
        super().__init__(beta1, beta2, epsilon, weight_decay, custom_cfg, grad_clip_cfg, lazy_mode, freeze)


for _name in ("AdamWDL", "AdamWDL_CAE"):
    OPTIMIZERS.explain(
        _name,
        "Its rates fall with the depth of a transformer's blocks, which ISANet's backbones have none of: write AdamW, "
        "with custom_cfg [{name: backbone, lr_mult: 0.1}] for a slower backbone",
    )
