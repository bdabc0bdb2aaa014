"""Paddle Inference files: ``model.json`` and ``model.pdiparams`` on Paddle 3, ``model.pdmodel`` on Paddle 2.6."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.deploy.export.format import Format
from paddleisa.deploy.packages import last_line
from paddleisa.errors import DeployError, PaddleISAError
from paddleisa.utils import files
from paddleisa.utils.environment import threads

if TYPE_CHECKING:
    import numpy as np
    import paddle
    from paddle import nn

STEM = "model"


def trace(network: nn.Layer, input_shape: Sequence[int]) -> nn.Layer:
    """``network`` as a static graph, which `write_paddle` writes.

    Args:
        network: in evaluation mode.
        input_shape: (N, 3, H, W), -1 for what is free at run time.

    Raises:
        DeployError: Paddle cannot make a static graph of it.
    """
    import paddle

    shape = [None if size == -1 else size for size in input_shape]
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Paddle's about its own operations, which nobody here can change
            graph = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
            _program(graph)  # traced here, where its errors are explained
            return graph
    except (PaddleISAError, OSError):  # tracing writes sources into temporary files: a full disk is one
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
    return graph.forward.concrete_program.main_program  # type: ignore[attr-defined] # tracing has put it there


def write_paddle(graph: nn.Layer, folder: Path) -> list[Path]:
    """Write a traced ``graph`` into ``folder``, which exists and holds no such files yet.

    Returns:
        The file of the graph, then the file of the parameters.
    """
    import paddle

    files.before_operation("write", folder / STEM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        paddle.jit.save(graph, str(folder / STEM))
    (folder / f"{STEM}.pdiparams.info").unlink(missing_ok=True)  # for going on with training; Paddle 2.6 only
    written = paddle_files(folder)
    for file in written:
        files.require_room(file)  # Paddle writes on past a full disk, and reads a file without its last bytes
    if written[0].suffix == ".pdmodel":
        _forget_call_stacks(written[0])
    return written


def paddle_files(folder: Path) -> list[Path]:
    """The graph's and the parameters' file in ``folder``."""
    graph = folder / f"{STEM}.json"
    return [graph if graph.exists() else folder / f"{STEM}.pdmodel", folder / f"{STEM}.pdiparams"]


def _forget_call_stacks(file: Path) -> None:
    """Paddle 2.6 writes the Python call stack of every operation into the file, with the paths of this machine."""
    import paddle

    program = paddle.base.core.ProgramDesc(file.read_bytes())
    for number in range(program.num_blocks()):
        block = program.block(number)
        for index in range(block.op_size()):
            block.op(index).remove_attr("op_callstack")
    file.write_bytes(program.serialize_to_string())


class PaddleRunner:
    """Paddle Inference.

    Args:
        files: graph and parameters, as `paddle_files` gives them.
        device: ``cpu`` or ``gpu:N``.
        onednn: compute on CPU with oneDNN, which is 2.5 times faster than without; for the static form ``paddle``
            only, see ``network.py``.
        tensorrt: let TensorRT compute what it can on a GPU; where `tensorrt_is_possible`. Never run: no GPU was there.
        precision: ``fp32``; on a GPU also ``bf16``. Never run either.
    """

    def __init__(
        self,
        files: list[Path],
        device: str = "cpu",
        onednn: bool = True,
        tensorrt: bool = False,
        precision: str = "fp32",
    ):
        from paddle import inference

        config = inference.Config(*map(str, files))
        config.disable_glog_info()
        if device.startswith("gpu"):
            kind = inference.PrecisionType.Bfloat16 if precision == "bf16" else inference.PrecisionType.Float32
            config.enable_use_gpu(256, int(device.partition(":")[2] or 0), kind)
            if tensorrt:
                # The ranges of sizes are learned from the images that come.
                config.enable_tensorrt_engine(workspace_size=1 << 30, precision_mode=kind, use_calib_mode=False)
                config.enable_tuned_tensorrt_dynamic_shape()
        else:
            config.disable_gpu()
            config.set_cpu_math_library_num_threads(threads())
            if onednn:
                config.enable_mkldnn()
            elif hasattr(config, "disable_mkldnn"):
                config.disable_mkldnn()
        # Paddle 3 looks for the result of a pass that it does not run on CPU, and fails.
        config.enable_memory_optim(files[0].suffix == ".pdmodel")
        self._predictor = inference.create_predictor(config)
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> the file's output, an array of its own."""
        self._input.reshape(images.shape)
        self._input.copy_from_cpu(images.copy(order="C") if not images.flags.c_contiguous else images)
        self._predictor.run()
        return self._output.copy_to_cpu()


def tensorrt_is_possible(files: list[Path], device: str) -> bool:
    """Whether this Paddle was built with TensorRT and can use it for such files: those of Paddle 2.6."""
    from paddle import inference

    built = any(inference.get_trt_compile_version())
    return device.startswith("gpu") and built and files[0].suffix == ".pdmodel"


PADDLE = Format(
    name="paddle",
    about="Paddle Inference",
    runtime="paddle_inference",
    runtime_about="Paddle Inference, on CPU with oneDNN, on GPU with TensorRT if Paddle was built with it",
    open=lambda files, device, precision, **facts: PaddleRunner(list(files), device, precision=precision, **facts),
    precisions=("fp32", "bf16"),
    form="paddle",
)
