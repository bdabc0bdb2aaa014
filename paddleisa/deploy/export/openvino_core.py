"""OpenVINO in this process: a model that runs, the one core, and a guard against what several of them do to signals.

OpenVINO's CPU plugin (2026.4) gives the thread that creates it an alternative signal stack and puts the earlier one
back when it goes. Two plugins that do not go in the reverse order of their coming leave a stack that is unmapped, and
the next signal, a Ctrl-C or SIGTERM that asks us to save and stop, crashes the process. So nobody here makes a core but
``core``, which lives as long as the process; and around other people's code that makes some, NNCF's, stands
``signal_stack_kept``.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from paddleisa.deploy.packages import require
from paddleisa.errors import DeployError
from paddleisa.utils.environment import threads

FILES = ("model.xml", "model.bin")

if TYPE_CHECKING:
    import numpy as np
    import openvino


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux (glibc and musl)."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@lru_cache(maxsize=1)
def core() -> openvino.Core:
    """The process's core, with its CPU plugin loaded."""
    import openvino

    made = openvino.Core()
    made.get_property("CPU", "OPTIMIZATION_CAPABILITIES")  # loads the plugin
    return made


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """This thread's alternative signal stack is the same after the block as before; does nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        yield
        return
    before, libc = _Stack(), ctypes.CDLL(None)
    known = libc.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            libc.sigaltstack(ctypes.byref(before), None)


class OpenVinoRunner:
    """OpenVINO on CPU.

    Args:
        file: ``model.xml``, its ``model.bin`` beside it.
        precision: ``fp32``, or ``bf16`` where the processor has it; ``int8`` of a file that `quantise` wrote, whose
            other operations stay in float32.

        streams: calls that will be made at once, from several threads; they share the cores.

    Raises:
        DeployError: the package is missing, or the processor has no bf16.
    """

    def __init__(self, file: Path, precision: str = "fp32", streams: int = 1):
        require(("openvino",), "OpenVINO", "openvino")
        if precision == "bf16" and "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise DeployError(
                "this processor has no bfloat16 arithmetic", where="--precision", fix="Take --precision fp32"
            )
        settings = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "int8": "f32"}[precision],
            "INFERENCE_NUM_THREADS": threads(),
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            "NUM_STREAMS": streams,
        }
        compiled = core().compile_model(core().read_model(file), "CPU", settings)
        self._free: SimpleQueue = SimpleQueue()  # requests that nobody uses now
        for _ in range(streams):
            self._free.put(compiled.create_infer_request())

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> the file's output, an array of its own."""
        request = self._free.get()
        try:
            return next(iter(request.infer([images], share_inputs=True).values()))
        finally:
            self._free.put(request)
