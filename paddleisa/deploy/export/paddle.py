"""Paddle Inference files: ``model.json`` and ``model.pdiparams`` on Paddle 3, ``model.pdmodel`` on Paddle 2.6."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import paddle
from paddle import nn

from paddleisa.errors import DeployError, PaddleISAError

STEM = "model"


def write_paddle(network: nn.Layer, folder: Path, input_shape: Sequence[int]) -> list[Path]:
    """Write ``network`` into ``folder``.

    Args:
        network: in evaluation mode.
        folder: exists, and holds no such files yet.
        input_shape: (N, 3, H, W), -1 for what is free at run time.

    Returns:
        The file of the graph, then the file of the parameters.

    Raises:
        DeployError: Paddle cannot make a static graph of it.
    """
    shape = [None if size == -1 else size for size in input_shape]
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Paddle's about its own operations, which nobody here can change
            graph = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
            paddle.jit.save(graph, str(folder / STEM))
    except PaddleISAError:
        raise
    except Exception as error:  # Paddle raises whatever the traced code meets
        raise DeployError(
            f"Paddle cannot turn {type(network).__name__} into a static graph: {last_line(error)}",
            where=type(getattr(network, "model", network)).__name__,
            fix="In its forward, write nothing that depends on a tensor's value",
        ) from error
    (folder / f"{STEM}.pdiparams.info").unlink(missing_ok=True)  # for going on with training; Paddle 2.6 only
    files = paddle_files(folder)
    if files[0].suffix == ".pdmodel":
        _forget_call_stacks(files[0])
    return files


def paddle_files(folder: Path) -> list[Path]:
    """The graph's and the parameters' file in ``folder``."""
    graph = folder / f"{STEM}.json"
    return [graph if graph.exists() else folder / f"{STEM}.pdmodel", folder / f"{STEM}.pdiparams"]


def _forget_call_stacks(file: Path) -> None:
    """Paddle 2.6 writes the Python call stack of every operation into the file, with the paths of this machine."""
    program = paddle.base.core.ProgramDesc(file.read_bytes())
    for number in range(program.num_blocks()):
        block = program.block(number)
        for index in range(block.op_size()):
            block.op(index).remove_attr("op_callstack")
    file.write_bytes(program.serialize_to_string())


def last_line(error: Exception) -> str:
    """What the error of a library says at its end, in one line that fits into ours."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
