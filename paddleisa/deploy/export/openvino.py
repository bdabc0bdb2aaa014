"""OpenVINO's own files, ``model.xml`` and ``model.bin``, from ONNX."""

from __future__ import annotations

from pathlib import Path

from paddleisa.deploy.export import onnx as onnx_export
from paddleisa.deploy.export.paddle import last_line
from paddleisa.deploy.packages import require
from paddleisa.deploy.runtimes.openvino_core import core
from paddleisa.errors import DeployError

PACKAGES = (*onnx_export.PACKAGES, "openvino")
FILES = ("model.xml", "model.bin")


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
