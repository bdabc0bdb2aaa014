"""The formats of exported files: how each is written, and how it is run."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import paddle
from paddle import nn

from paddleisa.deploy.export import FORMATS
from paddleisa.deploy.export.calibration import Calibration
from paddleisa.deploy.export.compare import Difference, Run, compare, shapes_to_compare
from paddleisa.deploy.export.network import ONEDNN_OPERATIONS, OUTPUT_NAMES, SCORES, deploy_network, unpadded_size
from paddleisa.deploy.export.paddle import operations, tensorrt_is_possible, trace, write_paddle
from paddleisa.deploy.packages import last_line, require
from paddleisa.errors import DeployError, PaddleISAError
from paddleisa.utils.files import require_room

FREE_SHAPE = (-1, 3, -1, -1)


@dataclass(frozen=True)
class Written:
    """One exported format: its files, first the graph, and what the comparison with the model found."""

    format: str
    files: list[Path]
    differences: list[Difference]
    onednn: bool  # whether Paddle Inference may compute it with oneDNN
    tensorrt: bool = False  # whether it was found right with TensorRT
    precision: str = "fp32"  # of the file itself


def require_format(format: str) -> None:
    """Raise DeployError unless what ``format`` needs, checking included, is installed."""
    require(FORMATS[format].all_packages, f"format {format}", "--format")


def write_checked(
    model: nn.Layer,
    format: str,
    folder: Path,
    *,
    input_shape: Sequence[int] = FREE_SHAPE,
    output_op: str = "none",
) -> Written:
    """Write ``model`` into ``folder`` and run what was written against the model.

    Args:
        model: with weights loaded; not changed.
        format: one of FORMATS.
        folder: exists; if DeployError is raised, what it holds must not be kept.
        input_shape: (N, 3, H, W), -1 for what is free.
        output_op: what the file gives, see ``network.py``.

    Raises:
        DeployError: a package is missing, the model cannot be converted, or the file computes something else.
    """
    require_format(format)
    if output_op in (
        "softmax",
        "argmax",
    ):  # these hide most mistakes: first see that the logits are right
        with tempfile.TemporaryDirectory() as between:
            write_checked(model, format, Path(between), input_shape=input_shape)
    graph = trace(deploy_network(model, FORMATS[format].form, output_op), input_shape)
    onednn = format == "paddle" and operations(graph) <= ONEDNN_OPERATIONS
    files = _write(graph, output_op, format, folder)
    shapes = shapes_to_compare(input_shape, unpadded_size(model))

    def check(tensorrt: bool) -> list[Difference]:
        try:
            exported = open_file(format, files, onednn=onednn, tensorrt=tensorrt)
            return compare(_function(model, output_op), exported, output_op, shapes, files[0].name)
        except PaddleISAError:
            raise
        except Exception as error:  # each engine has its own classes of errors
            raise DeployError(f"the exported network does not run: {last_line(error)}", where=files[0].name) from error

    if format == "paddle" and tensorrt_is_possible(files, paddle.get_device()):
        with suppress(DeployError):  # then without it
            return Written(format, files, check(True), onednn, tensorrt=True)
    return Written(format, files, check(False), onednn)


def write_quantised(model: nn.Layer, format: str, folder: Path, output_op: str, calibration: Calibration) -> Written:
    """Write ``model`` in int8 into ``folder``, from checked float32 files, and try it, see ``int8.py``.

    Raises:
        DeployError: as `write_checked`, or int8 is too far from float32; what ``folder`` holds must not be kept.
        DataError: a calibration image cannot be used.
    """
    kind = FORMATS[format]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        scores = plain = write_checked(model, format, Path(one)).files[0]
        if output_op != "none":
            graph = trace(deploy_network(model, kind.form, output_op), FREE_SHAPE)
            plain = _write(graph, output_op, format, Path(two))[0]
        assert kind.quantise is not None  # `check_int8_settings` has seen to it
        differences = kind.quantise(plain, calibration, folder, scores)
        files = [folder / file.name for file in sorted(folder.iterdir(), key=lambda file: file.name != plain.name)]
    return Written(format, files, differences, False, precision="int8")


def open_file(
    format: str,
    files: Sequence[Path],
    *,
    onednn: bool = True,
    tensorrt: bool = False,
    precision: str = "fp32",
    streams: int = 1,
) -> Run:
    """A function from (N, 3, H, W) to the output of a file that ``write_checked`` wrote, on the current device.

    It may be called from ``streams`` threads at once.
    """
    kind, device = FORMATS[format], paddle.get_device()
    more = {"streams": streams} if kind.parallel else {}
    return kind.open(list(files), device, precision, onednn=onednn, tensorrt=tensorrt, **more)


def _write(graph: nn.Layer, output_op: str, format: str, folder: Path) -> list[Path]:
    convert = FORMATS[format].convert
    if convert is None:
        return write_paddle(graph, folder)
    with tempfile.TemporaryDirectory() as between:
        written = convert(write_paddle(graph, Path(between)), folder, OUTPUT_NAMES[output_op])
        for file in written:
            require_room(file)
        return written


def _function(model: nn.Layer, output_op: str) -> Run:
    """The model's logits, or its scores, as dygraph computes them, from numpy to numpy."""
    forward = model.scores if output_op == SCORES else model

    def run(images):
        with paddle.no_grad():
            return forward(paddle.to_tensor(images))[0].astype("float32").numpy()

    return run
