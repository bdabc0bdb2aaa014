"""The one OpenVINO core of a process, and a guard against what several of them do to signals.

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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
