"""ONNX from Paddle Inference files, by paddle2onnx, then made fit to be read."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.deploy.export.format import Format
from paddleisa.deploy.packages import require
from paddleisa.errors import DeployError
from paddleisa.utils.environment import threads

if TYPE_CHECKING:
    import numpy as np

PACKAGES = ("paddle2onnx", "onnx")
OPSET = 13
FILE = "model.onnx"


def write_onnx(paddle_files: list[Path], folder: Path, output_name: str) -> Path:
    """Convert a Paddle Inference model.

    Args:
        paddle_files: graph and parameters; made in the form ``onnx``.
        folder: where ``model.onnx`` goes.
        output_name: what to call the output.

    Raises:
        DeployError: a package is missing, or the model cannot be converted.
    """
    require(PACKAGES, "ONNX", "format onnx")
    file = folder / FILE
    _convert(paddle_files, file)
    _tidy(file, output_name)
    return file


def _convert(paddle_files: list[Path], file: Path) -> None:
    with _quiet() as said:
        try:
            import paddle2onnx

            # Version 2 would otherwise install further packages from a foreign index while it converts.
            options = {} if paddle2onnx.__version__.startswith("1.") else {"optimize_tool": "None"}
            model, parameters = map(str, paddle_files)
            paddle2onnx.export(model, parameters, str(file), opset_version=OPSET, enable_onnx_checker=True, **options)
            failure = None
        except Exception as error:  # whatever the converter's native code raises
            failure = error
    if failure is not None or not file.is_file() or not file.stat().st_size:
        lines = [line.strip() for line in said() if "ERROR" in line or "rror:" in line] or [str(failure or "no file")]
        raise DeployError(
            f"paddle2onnx cannot convert the model: {lines[0][:300]}",
            where=FILE,
            fix="Take the format paddle, or another version of paddle2onnx",
        ) from failure


def _tidy(file: Path, output_name: str) -> None:
    """Drop operations and constants that do nothing, and name input, output and free sizes."""
    import onnx

    model = onnx.load(file)
    graph = model.graph
    del graph.value_info[:]  # the converter's guesses, some of a wrong rank
    _rename(graph, {graph.output[0].name: output_name})
    outputs = {value.name for value in graph.output}
    same = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Identity" and n.output[0] not in outputs}
    for node in graph.node:
        for index, name in enumerate(node.input):
            while name in same:
                name = same[name]
            node.input[index] = name
    _drop_unused(graph)
    fixed: dict[str, int] = {}  # sizes of the input, which the converter forgets on the way to the output
    for value, names in ((graph.input[0], "batch _ height width"), (graph.output[0], _output_sizes(graph.output[0]))):
        for size, name in zip(value.type.tensor_type.shape.dim, names.split(), strict=True):
            if size.HasField("dim_value") and size.dim_value > 0:
                fixed[name] = size.dim_value
            elif name in fixed:
                size.dim_value = fixed[name]
            else:
                size.dim_param = name
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _output_sizes(output) -> str:
    return "batch height width" if len(output.type.tensor_type.shape.dim) == 3 else "batch _ height width"


def _rename(graph, names: dict[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in graph.output:
        value.name = names.get(value.name, value.name)


def _drop_unused(graph) -> None:
    """Remove every node and initial value whose result nobody reads, walking from the output."""
    needed, kept = {value.name for value in graph.output}, []
    for node in reversed(graph.node):  # in topological order, as ONNX demands
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    kept.reverse()
    del graph.node[:]
    graph.node.extend(kept)
    values = [value for value in graph.initializer if value.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(values)


@contextmanager
def _quiet() -> Iterator:
    """Keep what native code prints out of the terminal; gives a function that returns its lines afterwards."""
    lines: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as sink:
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(sink.fileno(), number)
            yield lambda: lines
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
            sink.seek(0)
            lines.extend(sink.read().decode(errors="replace").splitlines())


class OnnxRunner:
    """ONNX Runtime on CPU.

    Args:
        file: ``model.onnx``.
        streams: calls that will be made at once, from several threads; they share the cores.

    Raises:
        DeployError: the package is missing.
    """

    def __init__(self, file: Path, streams: int = 1):
        require(("onnxruntime",), "ONNX Runtime", "onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads() // streams)
        # Waiting threads would otherwise spin, on the cores that make the mask of the image before.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> the file's output, an array of its own."""
        return self._session.run(None, {self._input: images})[0]


ONNX = Format(
    name="onnx",
    about="ONNX",
    runtime="onnxruntime",
    runtime_about="ONNX Runtime on CPU",
    open=lambda files, device, precision, streams=1, **facts: OnnxRunner(files[0], streams),
    packages=PACKAGES,
    runtime_packages=("onnxruntime",),
    parallel=True,
    convert=lambda files, folder, name: [write_onnx(files, folder, name)],
    backends={"triton": "onnxruntime", "ovms": "openvino"},
)
