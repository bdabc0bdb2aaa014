"""The process around the computation: threads, device, rank, folders. The only file that changes ``os.environ``.

Paddle and its maths library read their settings once, at their first import: :func:`load_paddle`, with which every part
of the package that needs paddle begins, calls :func:`setup_threads` before it. ``import paddleisa`` changes nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from paddleisa.errors import UsageError

_PACKAGE = Path(__file__).resolve().parents[1]


def core_count() -> int:
    """Processor cores that this process may use (its affinity mask, not the machine's total)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rank() -> int:
    """This process's rank in a job started by ``paddle.distributed.launch``; 0 without one."""
    return int(os.environ.get("PADDLE_TRAINER_ID", 0))


def world_size() -> int:
    """Number of processes in the job; 1 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", 1))


def local_world_size() -> int:
    """Number of the job's processes on this machine."""
    return int(os.environ.get("PADDLE_LOCAL_SIZE", 1)) or 1


def threads() -> int:
    """Threads that this process should compute on: its share of the cores among the job's processes here."""
    return max(1, core_count() // local_world_size())


def home() -> Path:
    """Folder of downloaded files: ``PADDLEISA_HOME``, else ``paddleisa`` in the user's cache folder."""
    if value := os.environ.get("PADDLEISA_HOME"):
        return Path(value).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "paddleisa"


def configs_dir() -> Path:
    """Folder of the shipped YAML configs."""
    return _resource("configs")


def pretrained_dir() -> Path:
    """Folder of the catalogue of weights, and of the weights that were fetched or shipped."""
    return _resource("pretrained")


def docs_dir() -> Path:
    """Folder of the documentation's pages, Markdown."""
    return _resource("docs")


def _resource(name: str) -> Path:
    """A wheel carries ``name`` inside the package; in a clone it is a top-level folder."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """The environment variable ``name`` with ``value`` inside the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def setup_threads() -> None:
    """Set the variables that make Paddle's CPU build use the processor, unless the user has set them.

    Paddle computes on one thread by default, and its MKL takes a slow path on AMD processors that have AVX2. Together
    they cost a factor of 2.5 to 3 (docs/performance.md). Results stay equal up to rounding. The package calls this when
    it imports paddle; who imports paddle before may call it before that. Afterwards it does nothing.
    """
    if "paddle" in sys.modules:  # too late to change anything; no false trace for child processes either
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(threads()))
    os.environ.setdefault("FLAGS_paddle_num_threads", os.environ["OMP_NUM_THREADS"])
    if _amd_with_avx2():
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    # Paddle's C++ side writes start-up warnings to stderr that users take for errors.
    os.environ.setdefault("GLOG_minloglevel", "2")


def processor_flags() -> set[str]:
    """The processor's features and its vendor, as Linux lists them; empty elsewhere."""
    return {word for name in ("flags", "vendor_id", "Features") for line in _cpuinfo(name) for word in line.split()}


def _cpuinfo(name: str) -> list[str]:
    """What Linux says under ``name`` of each core; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(name)]


def _amd_with_avx2() -> bool:
    return {"AuthenticAMD", "avx2"} <= processor_flags()


def thread_warning() -> str | None:
    """What it costs that paddle was imported without its settings, before this package; None where it costs nothing."""
    paddle = sys.modules.get("paddle")
    if paddle is None or "FLAGS_paddle_num_threads" in os.environ or threads() == 1 or paddle.get_device() != "cpu":
        return None
    if os.environ.get("OMP_NUM_THREADS", "1") != "1":  # where it is not set, paddle sets it to 1
        return None
    return (
        f"paddle was imported before paddleisa, without OMP_NUM_THREADS: it computes on 1 of {threads()} cores of this "
        "CPU. Call paddleisa.setup_threads() before you import paddle"
    )


def load_paddle() -> None:
    """Import paddle on all cores, without the lines it prints at every import that tell a user of this package nothing.

    They warn of the thread count that :func:`setup_threads` has set on purpose, and of a compiler cache for C++
    extensions. Whatever else is printed while importing still reaches stderr.
    """
    import contextlib
    import importlib
    import io
    import warnings

    warnings.filterwarnings("ignore", message="No ccache found")
    warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")
    setup_threads()
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            importlib.import_module("paddle")
        except ModuleNotFoundError as error:
            if error.name != "paddle":
                raise
            raise UsageError(
                "Paddle is not installed",
                fix="Install it with pip install 'paddleisa[cpu]' or 'paddleisa[gpu]' (the README says which)",
            ) from error
    lines = said.getvalue().splitlines(keepends=True)
    sys.stderr.writelines(line for line in lines if "OMP_NUM_THREADS" not in line)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with suppress(ValueError):  # not in the main thread, which alone may set it
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Paddle's prints its C++ stack, as if something had crashed


def set_device(name: str | None = None) -> str:
    """Choose Paddle's device: ``cpu``, ``gpu``, ``gpu:N``; None takes a GPU where there is one.

    Returns:
        The device's name as paddle gives it. Raises UsageError for a device that is not there.
    """
    import paddle

    gpus = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if name is None:
        name = "gpu" if gpus else "cpu"
    kind, _, number = name.partition(":")
    if name not in ("cpu", "gpu") and not (kind == "gpu" and number.isascii() and number.isdigit()):
        raise UsageError(f"there is no device {name!r}", where="--device", fix="Write cpu, gpu or gpu:N")
    if kind == "gpu" and (not gpus or (number and int(number) >= gpus)):
        built = "sees" if paddle.is_compiled_with_cuda() else "is a CPU build of Paddle and sees"
        raise UsageError(
            f"device {name!r} is not available: this installation {built} {gpus} GPUs",
            where="--device",
            fix="Use --device cpu, or install paddlepaddle-gpu",
        )
    paddle.set_device(name)
    if kind == "gpu":
        _require_kernels(name)
    return paddle.get_device()


def _require_kernels(name: str) -> None:
    """Run the smallest of kernels: a build without machine code for the card fails at the first one."""
    import paddle

    from paddleisa.utils import gpu

    try:
        paddle.ones([1]).numpy()
    except Exception as error:  # Paddle has no type of its own for it
        if (reason := gpu.explained(error)) is None:
            raise
        raise UsageError(reason, where=f"--device {name}", fix=gpu.NEWER) from error


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of those of ``packages`` that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def describe() -> dict[str, Any]:
    """Versions, processor and thread settings that a measurement depends on."""
    import platform

    settings = ("OMP_NUM_THREADS", "FLAGS_paddle_num_threads", "MKL_DEBUG_CPU_TYPE")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": next(iter(_cpuinfo("model name")), platform.processor()),
        "cores": core_count(),
        "packages": versions(("paddleisa", "paddlepaddle", "paddlepaddle-gpu", "numpy", "opencv-python", "visualdl")),
        "threads": {key: os.environ[key] for key in settings if key in os.environ},
    }
