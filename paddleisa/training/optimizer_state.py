"""An optimizer's state under the model's own names.

Paddle names accumulators after parameters that it numbers in the order of their creation in the process
(``conv2d_7.w_0_velocity_0``): the same model built after another one has other names, and Paddle then restores nothing
without a word. In a checkpoint they stand under structured names (``head.in_conv._conv.weight/velocity_0``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import paddle

from paddleisa.errors import CheckpointError

if TYPE_CHECKING:
    from paddle import nn

_MASTER = "master_weight"


def optimizer_arrays(optimizer: paddle.optimizer.Optimizer, model: nn.Layer) -> dict[str, np.ndarray]:
    """Every accumulator (and float32 master weight) as ``"parameter/accumulator": array``."""
    names = _by_paddle_name(model)
    state = dict(optimizer.state_dict())
    state.pop("LR_Scheduler", None)
    masters = state.pop("master_weights", {})
    arrays = {f"{names[key]}/{_MASTER}": tensor.numpy() for key, tensor in masters.items()}
    for key, tensor in state.items():
        owner = _owner(key, names)
        arrays[f"{names[owner]}/{key[len(owner) + 1 :]}"] = tensor.numpy()
    return arrays


def restore_optimizer(
    optimizer: paddle.optimizer.Optimizer,
    model: nn.Layer,
    arrays: Mapping[str, np.ndarray],
    schedule: dict[str, object],
    where: object,
) -> None:
    """Give ``optimizer`` the accumulators that ``optimizer_arrays`` took, and its schedule the state it had.

    Raises:
        CheckpointError: they belong to another model.
    """
    paddle_names = {structured: name for name, structured in _by_paddle_name(model).items()}
    state: dict[str, object] = {"LR_Scheduler": schedule}
    masters: dict[str, object] = {}
    for key, array in arrays.items():
        structured, _, accumulator = key.rpartition("/")
        if structured not in paddle_names:
            raise CheckpointError(f"the optimizer's state is of another model: it has {structured!r}", where=where)
        if accumulator == _MASTER:
            masters[paddle_names[structured]] = paddle.to_tensor(array)
        else:
            state[f"{paddle_names[structured]}_{accumulator}"] = paddle.to_tensor(array)
    if masters:
        state["master_weights"] = masters
    optimizer.set_state_dict(state)


def _by_paddle_name(model: nn.Layer) -> dict[str, str]:
    return {parameter.name: structured for structured, parameter in model.named_parameters()}


def _owner(key: str, names: Mapping[str, str]) -> str:
    """The parameter whose name an accumulator's name starts with: the longest, as ``w_1`` begins ``w_10``."""
    owners = [name for name in names if key.startswith(f"{name}_")]
    if not owners:
        raise CheckpointError(f"the optimizer has {key!r}, which belongs to no parameter of the model")
    return max(owners, key=len)
