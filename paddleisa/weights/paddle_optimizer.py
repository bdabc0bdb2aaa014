"""Paddle's own files beside a state dict: the names it gives parameters, and an optimizer's state (``.pdopt``)."""

from __future__ import annotations

import os

from paddleisa.errors import WeightsError
from paddleisa.weights.opening import open_regular, placed
from paddleisa.weights.read import NAME_TABLE, array_of
from paddleisa.weights.safe_pickle.machine import AGAIN, unpickle

_MASTERS, _SCHEDULE = "master_weights", "LR_Scheduler"


def parameter_names(path: str | os.PathLike) -> dict[str, str]:
    """Paddle's own name of every tensor in a ``.pdparams`` (``conv2d_0.w_0``), to its name in the model.

    Raises:
        WeightsError: the file cannot be read, or holds no such names.
    """
    with placed(path):
        value = _mapping(path)
        table = value.get(NAME_TABLE)
        if not isinstance(table, dict):  # Paddle 2.1 and later, without its table: each tensor is (its name, array)
            table = {name: item[0] for name, item in value.items() if isinstance(item, tuple) and item}
        if not table or not all(isinstance(word, str) for pair in table.items() for word in pair):
            raise WeightsError("does not hold the names that Paddle gave its parameters", fix=AGAIN)
        return {paddle_name: name for name, paddle_name in table.items()}


def read_optimizer(path: str | os.PathLike) -> tuple[dict[str, object], int | None]:
    """What ``paddle.save(optimizer.state_dict())`` wrote; nothing of the pickle is executed.

    Returns:
        (arrays under Paddle's names, with ``master_weights`` inside where there are any; number of steps that the
        learning rate's schedule has made, None where the file does not say).

    Raises:
        WeightsError: the file cannot be read, or is something else.
    """
    with placed(path):
        value = _mapping(path)
        schedule = value.pop(_SCHEDULE, None)
        value.pop(NAME_TABLE, None)
        masters = value.pop(_MASTERS, None)
        state: dict[str, object] = {name: array_of(name, item) for name, item in value.items()}
        if isinstance(masters, dict):
            state[_MASTERS] = {name: array_of(name, item) for name, item in masters.items() if name != NAME_TABLE}
        steps = schedule.get("last_epoch") if isinstance(schedule, dict) else None
        return state, steps if isinstance(steps, int) and steps >= 0 else None


def _mapping(path: str | os.PathLike) -> dict[str, object]:
    with open_regular(path) as stream:
        value = unpickle(stream, os.fstat(stream.fileno()).st_size)
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise WeightsError("is not a state dict", fix=AGAIN)
    return value
