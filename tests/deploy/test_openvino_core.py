"""OpenVINO may not leave the process in a state in which the next signal crashes it."""

import importlib.util
import signal
import subprocess
import sys
import textwrap

import pytest
from deploy_models import needs

from paddleisa.deploy.export.openvino_core import signal_stack_kept

SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from deploy_models import images, small_model
    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.deploy.runtimes.open import open_engine

    received = []
    signal.signal(signal.SIGTERM, lambda number, frame: received.append(int(number)))
    pictures = [np.random.default_rng(n).integers(0, 256, (64, 96, 3), np.uint8) for n in range(2)]
    plain = lambda sample: {"img": sample["img"].transpose(2, 0, 1) / 127.5 - 1}
    for precision in sys.argv[1:]:
        first, second = (
            open_engine("openvino", precision, small_model(seed), Calibration(pictures, plain, tried=False))
            for seed in (1, 2)
        )
        del first, second  # not in the reverse order
        os.kill(os.getpid(), signal.SIGTERM)
        print(precision, "alive", received)
"""


@pytest.mark.parametrize("engine", [needs("openvino")])
def test_a_signal_after_networks_have_come_and_gone_reaches_its_handler(engine, home, tmp_path):
    precisions = ["fp32", "int8"] if importlib.util.find_spec("nncf") else ["fp32"]
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    paths = f"import sys; sys.path[:0] = {[p for p in sys.path if p]!r}; "
    command = [sys.executable, "-c", f"{paths}exec(open({str(script)!r}).read())", *precisions]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != -signal.SIGSEGV, "crashed when the signal came"
    said = [line for line in done.stdout.splitlines() if "alive" in line]
    expected = [f"{precision} alive {[15] * (number + 1)}" for number, precision in enumerate(precisions)]
    assert said == expected, done.stderr


def test_the_signal_stack_is_put_back(monkeypatch):
    import ctypes

    if not sys.platform.startswith("linux"):
        pytest.skip("Linux only")
    libc = ctypes.CDLL(None)

    class Stack(ctypes.Structure):
        _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    def current():
        stack = Stack()
        assert libc.sigaltstack(None, ctypes.byref(stack)) == 0
        return stack.address, stack.size

    before, memory = current(), ctypes.create_string_buffer(1 << 16)
    with signal_stack_kept():
        other = Stack(ctypes.addressof(memory), 0, len(memory))
        assert libc.sigaltstack(ctypes.byref(other), None) == 0
        assert current() == (ctypes.addressof(memory), 1 << 16)
    assert current() == before
