"""Models as files of other runtimes. Here the formats by name: command lines and messages are made from them.

Imports neither paddle nor a runtime.
"""

from __future__ import annotations

from paddleisa.deploy.export.format import Format
from paddleisa.deploy.export.onnx import ONNX
from paddleisa.deploy.export.openvino import OPENVINO
from paddleisa.deploy.export.paddle import PADDLE

FORMATS: dict[str, Format] = {format.name: format for format in (PADDLE, ONNX, OPENVINO)}


def all_packages() -> tuple[str, ...]:
    """Every package that some format needs."""
    names = [name for format in FORMATS.values() for name in (*format.all_packages, *format.quantised_packages)]
    return tuple(dict.fromkeys(names))
