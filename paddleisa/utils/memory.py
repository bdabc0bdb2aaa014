"""How much memory work takes, how much there is to take, and how large an image may therefore be."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from paddleisa.errors import DataError, PaddleISAError, UsageError

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CGROUP_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
CGROUP_2 = ("memory.max", "memory.current", "inactive_file")

# A few kilobytes of PNG can decode to gigabytes, so the header is asked first.
MAX_PIXELS, MOST_PIXELS = "PADDLEISA_MAX_PIXELS", 200_000_000  # 600 MB as RGB bytes, 2.4 GB prepared for a network
# What Paddle, CUDA, ONNX Runtime, OpenVINO and the C++ library say when there is no memory left.
_NONE_LEFT = (
    "out of memory",
    "bad_alloc",
    "bad alloc",
    "resourceexhausted",
    "insufficient memory",
    "cannot allocate",
    "failed to allocate",
)


def says_out_of_memory(text: str) -> bool:
    """Whether an error's text means that memory ran out."""
    return any(words in text.lower() for words in _NONE_LEFT)


class OutOfMemory(PaddleISAError):
    """Work that would need more memory than there is, not begun."""


def require(
    needed: int, limit: float | None = None, *, what: str = "", where: object = None, fix: str | None = None
) -> None:
    """Raise OutOfMemory if ``needed`` bytes are more than ``limit`` GiB, or than what is free without a limit.

    ``what`` needs them, ``where`` and ``fix`` are the error's.
    """
    free = available() if limit is None else limit * 2**30
    if needed > free:
        whose = "are free" if limit is None else "are allowed"
        problem = (
            f"out of memory: {what + ' ' if what else ''}needs at least {gib(needed)} GiB, {gib(free)} GiB {whose}"
        )
        raise OutOfMemory(problem, where=where, fix=fix)


def gib(number: float) -> str:
    """Bytes as GiB, with two digits that mean something."""
    return f"{number / 2**30:.2g}" if number < 10 * 2**30 else f"{number / 2**30:.0f}"


def available(root: Path = Path("/")) -> int:
    """Bytes that this process can still take: of the machine, and of the control groups that it is in.

    Args:
        root: where ``proc`` and ``sys`` lie.
    """
    import psutil

    return min([psutil.virtual_memory().available, *_cgroup_rooms(root)])


class PeakMemory:
    """Most memory held within a ``with`` block: of Paddle's GPU allocator when it computes there, else resident.

    On Linux the kernel's high-water mark is started anew (a child inherits ``ru_maxrss`` from its parent, so that one
    would be wrong). Elsewhere it is the process's mark since its start.

    Attributes:
        growth: bytes above what was held at the block's start.
        total: bytes held at the peak.
    """

    def __enter__(self) -> PeakMemory:
        import paddle

        self._cuda = paddle.device.cuda if paddle.get_device().startswith("gpu") else None
        if self._cuda:
            self._before = self._cuda.memory_allocated()
            reset = getattr(self._cuda, "reset_max_memory_allocated", None)  # since Paddle 3
            if reset:
                reset()
        else:
            if os.access(_CLEAR, os.W_OK):
                _CLEAR.write_text("5", encoding="ascii")
            self._before = _resident("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.total = self._cuda.max_memory_allocated() if self._cuda else _resident("VmHWM")
        self.growth = max(0, self.total - self._before)


def max_pixels() -> int:
    """Pixels that an image may have: the environment variable ``PADDLEISA_MAX_PIXELS``, else 200 million.

    Raises:
        UsageError: the variable is not a number from 1.
    """
    text = os.environ.get(MAX_PIXELS, "")
    if text and not (text.isascii() and text.isdecimal() and int(text[:19]) > 0):
        raise UsageError(f"{text[:40]!r} is not a number from 1", where=MAX_PIXELS)
    return int(text[:19]) if text else MOST_PIXELS


def require_size(width: int, height: int, where: object, what: str = "the image has") -> None:
    """DataError for an image of more pixels than :func:`max_pixels` allows."""
    limit = max_pixels()
    if width * height > limit:
        raise DataError(
            f"{what} {width}x{height} pixels, more than {limit:,}",
            where=where,
            fix=f"Cut it into tiles or scale it down; {MAX_PIXELS}={width * height} allows it, memory permitting",
        )


def _resident(field: str) -> int:
    """A field of Linux's /proc/self/status in bytes; elsewhere the most that was ever resident."""
    if _STATUS.exists():
        return int(_STATUS.read_text(encoding="ascii", errors="replace").split(f"{field}:")[1].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _cgroup_rooms(root: Path) -> list[int]:
    """Bytes left in each memory-limited control group above this process, versions 1 and 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    rooms = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, names = root / "sys/fs/cgroup", CGROUP_2
        elif "memory" in controllers.split(","):
            mount, names = root / "sys/fs/cgroup/memory", CGROUP_1
        else:
            continue
        own = mount / path.lstrip("/")
        # In a container the path may be the host's, and only the mount itself is there to be read.
        for folder in {mount, own, *(parent for parent in own.parents if parent.is_relative_to(mount))}:
            rooms += _room(folder, *names)
    return rooms


def _room(folder: Path, limit: str, usage: str, cache: str) -> list[int]:
    """[bytes left in one group], or [] where it is not there or has no limit. Its file cache can be given up."""
    try:
        most, used = (folder / limit).read_text(encoding="ascii"), int((folder / usage).read_text(encoding="ascii"))
        stat = dict(line.split(maxsplit=1) for line in (folder / "memory.stat").read_text("ascii").splitlines())
        return [] if most.strip() == "max" else [max(0, int(most) - used + int(stat.get(cache, 0)))]
    except (OSError, ValueError):
        return []
