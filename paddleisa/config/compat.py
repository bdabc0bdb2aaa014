"""The spelling of PaddleSeg's configs of early 2021, brought to today's. The origins of the values stay.

optimizer:                           optimizer:
  type: sgd                            type: SGD
  weight_decay: 4.0e-5                 weight_decay: 4.0e-5
learning_rate:                       lr_scheduler:
  value: 0.01                          type: PolynomialDecay
  decay:                               learning_rate: 0.01
    type: poly                         power: 0.9
    power: 0.9                         end_lr: 0.0
    end_lr: 0.0
"""

from __future__ import annotations

from dataclasses import replace

from paddleisa.errors import ConfigError
from paddleisa.utils.nodes import Node

OPTIMIZERS = {"sgd": "SGD", "momentum": "Momentum", "adam": "Adam", "adamw": "AdamW"}
DECAYS = {"poly": "PolynomialDecay", "piecewise": "PiecewiseDecay", "stepdecay": "StepDecay"}
SGD_MOMENTUM = 0.9  # what `sgd` meant in 2021 where a config gave none


def modernise(tree: Node) -> Node:
    """One file's tree in today's spelling. A tree without old keys is returned as it is."""
    options = dict(tree.value)
    if "optimizer" in options:
        options["optimizer"] = _rename_type(options["optimizer"], OPTIMIZERS)
    if "learning_rate" in options:
        old = options.pop("learning_rate")
        if "lr_scheduler" in options:
            raise ConfigError(
                f"both learning_rate and lr_scheduler ({options['lr_scheduler'].origin}) are given",
                where=old.origin,
                fix="Keep lr_scheduler: learning_rate is its spelling of 2021",
            )
        options["lr_scheduler"] = _schedule(old)
    return replace(tree, value=options)


def finish(tree: Node) -> Node:
    """The merged tree with the momentum that `sgd` implied in 2021, where no file of the chain gives one."""
    optimizer, kind = tree.nearest_at(("optimizer",)), tree.at(("optimizer", "type"))
    if kind is None or kind.written != "sgd" or kind.value != "SGD" or "momentum" in optimizer.value:
        return tree
    momentum = Node(SGD_MOMENTUM, kind.origin)
    return tree.with_at(("optimizer",), replace(optimizer, value={**optimizer.value, "momentum": momentum}))


def _schedule(old: Node) -> Node:
    """``learning_rate`` of 2021 as an ``lr_scheduler``; parts that the file leaves to its base stay absent."""
    if not old.is_mapping:
        return replace(old, value={"learning_rate": old})
    options = dict(old.value)
    decay = options.pop("decay", None)
    found: dict[str, Node] = {}
    if decay is not None and decay.is_mapping:
        found = dict(_rename_type(decay, DECAYS).value)
    elif decay is not None:
        found["type"] = decay
    if "value" in options:
        kind = found.get("type")
        name = "values" if kind is not None and kind.value == "PiecewiseDecay" else "learning_rate"
        found[name] = options.pop("value")
    return replace(old, value={**found, **options})


def _rename_type(component: Node, names: dict[str, str]) -> Node:
    kind = component.child("type")
    if kind is None or not isinstance(kind.value, str) or kind.value not in names:
        return component
    return component.with_at(("type",), replace(kind, value=names[kind.value], written=kind.value))
