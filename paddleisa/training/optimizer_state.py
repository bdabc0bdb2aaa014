"""An optimizer's state under the model's own names.

Paddle names accumulators after parameters that it numbers in the order of their creation in the process
(``conv2d_7.w_0_velocity_0``): the same model built after another one has other names, and Paddle then restores nothing
without a word. In a checkpoint they stand under structured names (``head.in_conv._conv.weight/velocity_0``).
"""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from paddleisa.errors import CheckpointError

if TYPE_CHECKING:
    from paddle import nn

_MASTER = "master_weight"
# What Paddle's optimizers keep of a parameter. One that is not here keeps nothing that could be continued.
_ACCUMULATORS = {
    "Momentum": {"velocity_0"},
    "Adam": {"moment1_0", "moment2_0", "beta1_pow_acc_0", "beta2_pow_acc_0"},
    "AdamW": {"moment1_0", "moment2_0", "beta1_pow_acc_0", "beta2_pow_acc_0"},
}


def optimizer_arrays(optimizer: paddle.optimizer.Optimizer, model: nn.Layer) -> dict[str, np.ndarray]:
    """Every accumulator (and float32 master weight) as ``"parameter/accumulator": array``."""
    state = dict(optimizer.state_dict())
    state.pop("LR_Scheduler", None)
    names = {parameter.name: structured for structured, parameter in model.named_parameters()}
    return structured_arrays({key: _numpy(value) for key, value in state.items()}, names)


def structured_arrays(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """A state dict of Paddle's optimizers as ``"parameter/accumulator": array``.

    Args:
        state: arrays under Paddle's names, with ``master_weights`` inside where there are any.
        names: Paddle's parameter name to the model's own.

    Raises:
        CheckpointError: an accumulator belongs to no parameter.
    """
    masters = state.get("master_weights", {})
    arrays = {f"{names[_owner(key, names)]}/{_MASTER}": array for key, array in masters.items()}
    for key, array in state.items():
        if key != "master_weights":
            owner = _owner(key, names)
            arrays[f"{names[owner]}/{key[len(owner) + 1 :]}"] = array
    return arrays


def float32_parameters(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The master weights among an optimizer's arrays, by the model's names: exacter than the weights beside them."""
    return {key[: -len(_MASTER) - 1]: array for key, array in arrays.items() if key.endswith(f"/{_MASTER}")}


def restore_optimizer(
    optimizer: paddle.optimizer.Optimizer,
    model: nn.Layer,
    arrays: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
) -> list[str]:
    """Give ``optimizer`` the accumulators in ``arrays``, as far as it is the same optimizer.

    Accumulators of parameters that are not trained are left out. A trained parameter without any begins at zero where
    its optimizer keeps nothing but arrays of the parameter's shape; Paddle would stop in the middle of the first step.

    Args:
        optimizer: of ``model``, before its first step.
        model: with the weights in it already; where they are 16 bits wide, ``weights`` become the float32 masters.
        arrays: as :func:`optimizer_arrays` gives them.
        weights: the model's state in float32.

    Returns:
        Lines that say what was left out or begun anew.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if not parameter.stop_gradient}
    kept = {key: array for key, array in arrays.items() if not key.endswith(f"/{_MASTER}")}
    expected = _ACCUMULATORS.get(type(optimizer).__name__, set())
    lines: list[str] = []
    if {_accumulator(key) for key in kept} - expected:
        lines.append(f"the optimizer's state is of another one: {type(optimizer).__name__} begins without")
        kept = {}
    kept = {key: array for key, array in kept.items() if _parameter(key) in trained}
    fresh = [name for name in trained if kept and f"{name}/{min(expected)}" not in kept]
    if fresh and expected == {"velocity_0"}:
        kept |= {f"{name}/velocity_0": np.zeros(trained[name].shape, np.float32) for name in fresh}
        lines.append(f"{len(fresh)} of {len(trained)} trained parameters have no velocity in the checkpoint: zero")
    elif fresh:
        lines.append(f"{len(fresh)} of {len(trained)} trained parameters have no state: all of them begin without")
        kept = {}
    state: dict[str, object] = {
        f"{trained[_parameter(key)].name}_{_accumulator(key)}": paddle.to_tensor(array) for key, array in kept.items()
    }
    short = [name for name, parameter in trained.items() if "float32" not in str(parameter.dtype)]
    if short:
        state["master_weights"] = {
            trained[name].name: paddle.to_tensor(weights[name].astype(np.float32)) for name in short
        }
    state["LR_Scheduler"] = optimizer.state_dict()["LR_Scheduler"]  # Paddle asks for one; TrainState sets the rate
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There are some unused values")  # a warm-up's own state, and yet Paddle warns
        optimizer.set_state_dict(state)
    return lines


def _parameter(key: str) -> str:
    return key.rpartition("/")[0]


def _accumulator(key: str) -> str:
    return key.rpartition("/")[2]


def _numpy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numpy(item) for key, item in value.items()}
    return value.numpy()


def _owner(key: str, names: Iterable[str]) -> str:
    """The parameter whose name an accumulator's name starts with: the longest, as ``w_1`` begins ``w_10``."""
    owners = [name for name in names if key == name or key.startswith(f"{name}_")]
    if not owners:
        raise CheckpointError(f"the optimizer has {key!r}, which belongs to no parameter of the model")
    return max(owners, key=len)
