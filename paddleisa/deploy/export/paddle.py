"""Paddle Inference files: ``model.json`` and ``model.pdiparams`` on Paddle 3, ``model.pdmodel`` on Paddle 2.6."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import paddle
from paddle import nn

from paddleisa.errors import DeployError, PaddleISAError

STEM = "model"


def trace(network: nn.Layer, input_shape: Sequence[int]) -> nn.Layer:
    """``network`` as a static graph, which `write_paddle` writes.

    Args:
        network: in evaluation mode.
        input_shape: (N, 3, H, W), -1 for what is free at run time.

    Raises:
        DeployError: Paddle cannot make a static graph of it.
    """
    shape = [None if size == -1 else size for size in input_shape]
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Paddle's about its own operations, which nobody here can change
            graph = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
            _program(graph)  # traced here, where its errors are explained
            return graph
    except PaddleISAError:
        raise
    except Exception as error:  # Paddle raises whatever the traced code meets
        raise DeployError(
            f"Paddle cannot turn {type(network).__name__} into a static graph: {last_line(error)}",
            where=type(getattr(network, "model", network)).__name__,
            fix="In its forward, write nothing that depends on a tensor's value",
        ) from error


def operations(graph: nn.Layer) -> set[str]:
    """Paddle's names of the operations in a traced graph; a product with a plain matrix on the left is told apart."""
    found = set()
    for op in _program(graph).global_block().ops:
        if hasattr(op, "operand_source"):  # Paddle 3
            name = op.name().partition(".")[2]
            left = op.operand_source(0) if name == "matmul" else None
        else:
            name = op.type
            left = op.block.var(op.input("X")[0]) if name == "matmul_v2" else None
        found.add(name if left is None or len(left.shape) > 2 else f"{name} of a matrix")
    return found


def _program(graph: nn.Layer) -> paddle.static.Program:
    return graph.forward.concrete_program.main_program


def write_paddle(graph: nn.Layer, folder: Path) -> list[Path]:
    """Write a traced ``graph`` into ``folder``, which exists and holds no such files yet.

    Returns:
        The file of the graph, then the file of the parameters.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        paddle.jit.save(graph, str(folder / STEM))
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
