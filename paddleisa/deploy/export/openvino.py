"""OpenVINO's own files, ``model.xml`` and ``model.bin``, from ONNX."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.deploy.export import onnx as onnx_export
from paddleisa.deploy.export.format import Format
from paddleisa.deploy.export.openvino_core import FILES, OpenVinoRunner, core
from paddleisa.deploy.packages import last_line, require
from paddleisa.errors import DeployError

if TYPE_CHECKING:
    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.deploy.export.compare import Difference

PACKAGES = (*onnx_export.PACKAGES, "openvino")


def write_openvino(onnx_file: Path, folder: Path) -> list[Path]:
    """Convert ``onnx_file``; weights stay float32.

    Raises:
        DeployError: OpenVINO is missing, or cannot read the file.
    """
    require(PACKAGES, "OpenVINO", "format openvino")
    import openvino

    try:
        # read_model, not convert_model, which sends statistics of its use to its maker.
        model = core().read_model(onnx_file)
        openvino.save_model(model, folder / FILES[0], compress_to_fp16=False)
    except RuntimeError as error:
        raise DeployError(f"OpenVINO cannot read the ONNX file: {last_line(error)}", where=FILES[0]) from error
    return [folder / name for name in FILES]


def _convert(paddle_files: list[Path], folder: Path, name: str) -> list[Path]:
    with tempfile.TemporaryDirectory() as between:
        return write_openvino(onnx_export.write_onnx(paddle_files, Path(between), name), folder)


def _quantise(file: Path, calibration: Calibration, folder: Path, scores: Path | None) -> list[Difference]:
    from paddleisa.deploy.export.int8 import write_int8  # which runs what is written here

    return write_int8(file, calibration, folder, scores)


OPENVINO = Format(
    name="openvino",
    about="OpenVINO",
    runtime="openvino",
    runtime_about="OpenVINO on CPU",
    open=lambda files, device, precision, streams=1, **facts: OpenVinoRunner(files[0], precision, streams),
    packages=onnx_export.PACKAGES,
    runtime_packages=("openvino",),
    parallel=True,
    precisions=("fp32", "bf16", "int8"),
    convert=_convert,
    quantise=_quantise,
    quantised_packages=("nncf",),
    backends={"triton": "openvino", "ovms": "openvino"},
)
