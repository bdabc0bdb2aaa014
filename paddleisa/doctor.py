"""Is this machine ready: what is installed, what fits together, and for each problem the fix."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from paddleisa.deploy import packages
from paddleisa.errors import PaddleISAError
from paddleisa.utils import environment, gpu

Level = Literal["ok", "note", "problem"]
GIB = 2**30
LITTLE_MEMORY, LITTLE_DISK = 4 * GIB, 5 * GIB  # an R50 frame of Cityscapes takes about 2, the weights of the zoo 4


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        subject: what was looked at.
        level: ``ok``; ``note``: works, and could be better; ``problem``: something will not work.
        text: what was found.
        fix: what to do, for a note or a problem.
    """

    subject: str
    level: Level
    text: str
    fix: str | None = None


def examine() -> list[Finding]:
    """Look at everything; takes a few seconds, and imports paddle. Never raises: a look that fails is a finding."""
    looks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("Python", _python),
        ("processor", _processor),
        ("memory", _memory),
        ("Paddle", _paddle),
        ("graphics card", _graphics),
        ("engines", _engines),
        ("data", _data),
        ("folders", _folders),
        ("downloads", _downloads),
    )
    found: list[Finding] = []
    for subject, look in looks:
        try:
            found += look()
        except Exception as error:  # one look must not hide the others; what went wrong is told
            found.append(Finding(subject, "problem", f"could not be examined: {type(error).__name__}: {error}"))
    return found


def as_text(findings: list[Finding]) -> str:
    """For a terminal: a line each, fixes below, and a summary."""
    signs = {"ok": "  ok", "note": "note", "problem": " NO "}
    lines = []
    for finding in findings:
        lines.append(f"[{signs[finding.level]}] {finding.subject}: {finding.text}")
        if finding.fix:
            lines.append(f"       -> {finding.fix}")
    problems = sum(finding.level == "problem" for finding in findings)
    lines.append("nothing stands in the way" if not problems else f"{problems} problem{'s' if problems > 1 else ''}")
    return "\n".join(lines)


def as_data(findings: list[Finding]) -> dict[str, object]:
    """For JSON."""
    return {"findings": [asdict(finding) for finding in findings], "environment": environment.describe()}


def _python() -> Iterator[Finding]:
    text = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    supported = (3, 10) <= sys.version_info[:2] <= (3, 13)
    fix = None if supported else "Use Python 3.10 to 3.13, which Paddle has packages for"
    yield Finding("Python", "ok" if supported else "note", text, fix)


def _processor() -> Iterator[Finding]:
    known = environment.describe()
    flags = environment.processor_flags()
    features = [
        name
        for name, flag in (("AVX2", "avx2"), ("AVX-512", "avx512f"), ("bf16", "avx512_bf16"), ("VNNI", "avx512_vnni"))
        if flag in flags
    ]
    text = f"{known['processor']}, {known['cores']} cores, {', '.join(features) or 'no vector extensions known'}"
    yield Finding("processor", "ok", text)
    if "paddle" in sys.modules and "OMP_NUM_THREADS" not in os.environ:
        yield Finding(
            "threads",
            "note",
            "paddle was imported before paddleisa could set its threads: it computes on one",
            "Import paddleisa first, or set OMP_NUM_THREADS",
        )


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    little = memory.available < LITTLE_MEMORY
    yield Finding(
        "memory",
        "note" if little else "ok",
        f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
        "A Cityscapes frame needs about 2 GiB; close other programs, or evaluate with --is_slide" if little else None,
    )


def _paddle() -> Iterator[Finding]:
    both = [name for name in ("paddlepaddle", "paddlepaddle-gpu") if _version(name)]
    if len(both) == 2:
        yield Finding(
            "Paddle",
            "problem",
            "paddlepaddle and paddlepaddle-gpu are both installed, and one overwrites the other's files",
            "pip uninstall both, then install the one that you want",
        )
    try:
        environment.load_paddle()
    except (PaddleISAError, ImportError) as error:
        fix = getattr(error, "fix", None) or "Install it with pip install 'paddleisa[cpu]' or 'paddleisa[gpu]'"
        old = _major("numpy") >= 2 and _version(both[0] if both else "paddlepaddle") == "2.6.2"
        yield Finding(
            "Paddle", "problem", str(error), "Paddle 2.6.2 needs numpy < 2: pip install 'numpy<2'" if old else fix
        )
        return
    import numpy as np
    import paddle

    build = f"CUDA {paddle.version.cuda()}" if paddle.is_compiled_with_cuda() else "CPU build"
    yield Finding("Paddle", "ok", f"{paddle.__version__} ({build}), numpy {np.__version__}")
    start = time.perf_counter()
    x = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    paddle.set_device("cpu")
    product = paddle.matmul(paddle.to_tensor(x), paddle.to_tensor(x)).numpy()
    right = bool(np.allclose(product, x.astype(np.float64) @ x, atol=1e-3))
    text = f"a product on the CPU is {'right' if right else 'WRONG'} ({time.perf_counter() - start:.2f} s)"
    fix = "This build and processor do not fit: install another version of Paddle"
    yield Finding("Paddle", "ok" if right else "problem", text, None if right else fix)


def _graphics() -> Iterator[Finding]:
    import paddle

    found = gpu.cards()
    if not found:
        text = "none, or no driver (nvidia-smi was not found)"
        yield Finding("graphics card", "note", text, "Training a published schedule needs one; the rest runs on CPUs")
        return
    for card in found:
        text = f"{card.name}, {card.memory} MiB, compute capability {card.capability}, driver {card.driver}"
        yield Finding("graphics card", "ok", text)
    if not paddle.is_compiled_with_cuda():
        fix = "pip uninstall paddlepaddle && pip install 'paddleisa[gpu]' (cards up to Ada), or Paddle's own index"
        yield Finding("graphics card", "problem", "the installed Paddle is a CPU build and does not use it", fix)
        return
    for card in found:
        if reason := gpu.unfit(card, "paddlepaddle-gpu", paddle.version.cuda()):
            yield Finding("graphics card", "problem", reason, gpu.NEWER)
    yield from _first_kernel()
    nccl = paddle.version.nccl() if hasattr(paddle.version, "nccl") else None
    yield Finding("graphics card", "ok", f"cuDNN {paddle.version.cudnn()}, NCCL {nccl or 'not told by this build'}")


def _first_kernel() -> Iterator[Finding]:
    """Whether a kernel runs at all; the only proof there is for builds that are not in the table."""
    import paddle

    try:
        paddle.set_device("gpu")
        right = float((paddle.ones([1024]) * 2).sum()) == 2048
        yield Finding(
            "graphics card", "ok" if right else "problem", f"a first kernel is {'right' if right else 'WRONG'}"
        )
    except Exception as error:  # of whatever kind Paddle raises: it is told
        reason = gpu.explained(error)
        text = reason or f"a first kernel fails: {str(error).strip().splitlines()[-1][:200]}"
        yield Finding("graphics card", "problem", text, gpu.NEWER if reason else None)
    finally:
        paddle.set_device("cpu")


def _engines() -> Iterator[Finding]:
    wanted = ("onnxruntime", "openvino", "paddle2onnx", "onnx", "nncf")
    here = {name: _version(name) for name in wanted if _version(name)}
    text = ", ".join(f"{name} {number}" for name, number in here.items()) or "none but Paddle's own"
    missing = "openvino" not in here or "paddle2onnx" not in here
    fix = "pip install 'paddleisa[deploy]': evaluation and prediction on CPUs become several times as fast"
    yield Finding("engines", "note" if missing else "ok", text, fix if missing else None)
    for needed in (("paddle2onnx", "onnx", "onnxruntime"), ("paddle2onnx", "onnx", "openvino")):
        if set(needed) <= set(here) and (trouble := packages.problem_with(needed)):
            yield Finding("engines", "problem", trouble[0], trouble[1])


def _data() -> Iterator[Finding]:
    here = {name: _version(name) for name in ("cityscapesscripts", "scipy") if _version(name)}
    text = ", ".join(f"{name} {number}" for name, number in here.items()) or "no package for preparing data"
    fix = "pip install 'paddleisa[data]' for Cityscapes' polygons and SBD's files"
    yield Finding("data", "ok" if len(here) == 2 else "note", text, None if len(here) == 2 else fix)


def _folders() -> Iterator[Finding]:
    home = environment.home()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    used = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) if home.is_dir() else 0
    text = f"{home}: {used / GIB:.2f} GiB of downloads and converted models, {free / GIB:.1f} GiB free"
    if not os.access(place, os.W_OK):
        yield Finding("folders", "problem", f"{home} cannot be written", "Set PADDLEISA_HOME to a folder of yours")
    elif free < LITTLE_DISK:
        yield Finding("folders", "note", text, "Free some space, or set PADDLEISA_HOME to another disk")
    else:
        yield Finding("folders", "ok", text)
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).total < GIB // 4:
        yield Finding("folders", "note", "/dev/shm is small (a container?)", "Start the container with --shm-size 2g")


def _downloads() -> Iterator[Finding]:
    names = ("PADDLEISA_OFFLINE", "PADDLEISA_MIRROR", "PADDLEISA_CATALOGUES", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
    given = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    yield Finding(
        "downloads", "ok", ", ".join(given) or "straight from the publishers (no mirror, proxy or offline set)"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _major(package: str) -> int:
    return int((_version(package) or "0").partition(".")[0])
