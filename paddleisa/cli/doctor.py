"""``paddleisa doctor``: is this machine ready, what is installed, what fits together, and for each problem the fix."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from paddleisa.cli import common
from paddleisa.deploy import packages
from paddleisa.errors import PaddleISAError
from paddleisa.utils import environment, gpu, memory

Level = Literal["ok", "note", "problem"]
Look = Iterator[tuple[Level, str, str | None]]  # what a look at one subject yields: a finding's level, text and fix
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The only option."""
    common.add_shared(parser, "json")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 1 where something will not work."""
    findings = examine()
    print(as_text(findings))
    common.write_json(args.json, as_data(findings))
    return int(any(finding.level == "problem" for finding in findings))


def examine() -> list[Finding]:
    """Look at everything; takes a few seconds, and imports paddle. Never raises: a look that fails is a finding."""
    looks: dict[str, Callable[[], Look]] = {
        "Python": _python,
        "processor": _processor,
        "threads": _threads,
        "memory": _memory,
        "Paddle": _paddle,
        "graphics card": _graphics,
        "engines": _engines,
        "data": _data,
        "folders": _folders,
        "downloads": _downloads,
    }
    found: list[Finding] = []
    for subject, look in looks.items():
        try:
            found += [Finding(subject, *each) for each in look()]
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


def _judged(well: bool, text: str, fix: str, otherwise: Level = "note") -> tuple[Level, str, str | None]:
    """``ok``, or ``otherwise`` with what to do."""
    return ("ok", text, None) if well else (otherwise, text, fix)


def _python() -> Look:
    text = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    supported = (3, 10) <= sys.version_info[:2] <= (3, 13)
    yield _judged(supported, text, "Use Python 3.10 to 3.13, which Paddle has packages for")


def _processor() -> Look:
    known, flags = environment.describe(), environment.processor_flags()
    named = (("AVX2", "avx2"), ("AVX-512", "avx512f"), ("bf16", "avx512_bf16"), ("VNNI", "avx512_vnni"))
    features = ", ".join(name for name, flag in named if flag in flags) or "no vector extensions known"
    yield "ok", f"{known['processor']}, {known['cores']} cores, {features}", None


def _threads() -> Look:
    if "paddle" in sys.modules and "OMP_NUM_THREADS" not in os.environ:
        text = "paddle was imported before paddleisa could set its threads: it computes on one"
        yield "note", text, "Import paddleisa first, or set OMP_NUM_THREADS"


def _memory() -> Look:
    import psutil

    free = memory.available()
    fix = "A Cityscapes frame needs about 2 GiB; close other programs, or evaluate with --is_slide"
    yield _judged(free >= LITTLE_MEMORY, f"{free / GIB:.1f} of {psutil.virtual_memory().total / GIB:.1f} GiB free", fix)


def _paddle() -> Look:
    both = environment.versions(("paddlepaddle", "paddlepaddle-gpu"))
    if len(both) == 2:
        text = "paddlepaddle and paddlepaddle-gpu are both installed, and one overwrites the other's files"
        yield "problem", text, "pip uninstall both, then install the one that you want"
    try:
        environment.load_paddle()
    except (PaddleISAError, ImportError) as error:
        fix = getattr(error, "fix", None) or "Install it with pip install 'paddleisa[cpu]' or 'paddleisa[gpu]'"
        numpy = environment.versions(("numpy",)).get("numpy", "0")
        if int(numpy.partition(".")[0]) >= 2 and "2.6.2" in both.values():
            fix = "Paddle 2.6.2 needs numpy < 2: pip install 'numpy<2'"
        yield "problem", str(error), fix
        return
    import numpy as np
    import paddle

    build = f"CUDA {paddle.version.cuda()}" if paddle.is_compiled_with_cuda() else "CPU build"
    yield "ok", f"{paddle.__version__} ({build}), numpy {np.__version__}", None
    start = time.perf_counter()
    x = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    paddle.set_device("cpu")
    product = paddle.matmul(paddle.to_tensor(x), paddle.to_tensor(x)).numpy()
    right = bool(np.allclose(product, x.astype(np.float64) @ x, atol=1e-3))
    text = f"a product on the CPU is {'right' if right else 'WRONG'} ({time.perf_counter() - start:.2f} s)"
    yield _judged(right, text, "This build and processor do not fit: install another version of Paddle", "problem")


def _graphics() -> Look:
    import paddle

    found = gpu.cards()
    if not found:
        text = "none, or no driver (nvidia-smi was not found)"
        yield "note", text, "Training a published schedule needs one; the rest runs on CPUs"
        return
    for card in found:
        yield "ok", f"{card.name}, {card.memory} MiB, compute capability {card.capability}, driver {card.driver}", None
    if not paddle.is_compiled_with_cuda():
        fix = "pip uninstall paddlepaddle && pip install 'paddleisa[gpu]' (cards up to Ada), or Paddle's own index"
        yield "problem", "the installed Paddle is a CPU build and does not use it", fix
        return
    for card in found:
        if reason := gpu.unfit(card, "paddlepaddle-gpu", paddle.version.cuda()):
            yield "problem", reason, gpu.NEWER
    yield _first_kernel()
    nccl = paddle.version.nccl() if hasattr(paddle.version, "nccl") else None
    yield "ok", f"cuDNN {paddle.version.cudnn()}, NCCL {nccl or 'not told by this build'}", None


def _first_kernel() -> tuple[Level, str, str | None]:
    """Whether a kernel runs at all; the only proof there is for builds that are not in the table."""
    import paddle

    try:
        paddle.set_device("gpu")
        right = float((paddle.ones([1024]) * 2).sum()) == 2048
        return "ok" if right else "problem", f"a first kernel is {'right' if right else 'WRONG'}", None
    except Exception as error:  # of whatever kind Paddle raises: it is told
        reason = gpu.explained(error)
        text = reason or f"a first kernel fails: {packages.last_line(error)[:200]}"
        return "problem", text, gpu.NEWER if reason else None
    finally:
        paddle.set_device("cpu")


def _engines() -> Look:
    here = environment.versions(("onnxruntime", "openvino", "paddle2onnx", "onnx", "nncf"))
    fix = "pip install 'paddleisa[deploy]': evaluation and prediction on CPUs become several times as fast"
    yield _judged({"openvino", "paddle2onnx"} <= set(here), _listed(here) or "none but Paddle's own", fix)
    for needed in (("paddle2onnx", "onnx", "onnxruntime"), ("paddle2onnx", "onnx", "openvino")):
        if set(needed) <= set(here) and (trouble := packages.problem_with(needed)):
            yield "problem", *trouble


def _data() -> Look:
    here = environment.versions(("cityscapesscripts", "scipy"))
    fix = "pip install 'paddleisa[data]' for Cityscapes' polygons and SBD's files"
    yield _judged(len(here) == 2, _listed(here) or "no package for preparing data", fix)


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _folders() -> Look:
    home = environment.home()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    used = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) if home.is_dir() else 0
    text = f"{home}: {used / GIB:.2f} GiB of downloads and converted models, {free / GIB:.1f} GiB free"
    if not os.access(place, os.W_OK):
        yield "problem", f"{home} cannot be written", "Set PADDLEISA_HOME to a folder of yours"
    else:
        yield _judged(free >= LITTLE_DISK, text, "Free some space, or set PADDLEISA_HOME to another disk")
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).total < GIB // 4:
        yield "note", "/dev/shm is small (a container?)", "Start the container with --shm-size 2g"


def _downloads() -> Look:
    names = ("PADDLEISA_OFFLINE", "PADDLEISA_MIRROR", "PADDLEISA_CATALOGUES", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
    given = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    yield "ok", ", ".join(given) or "straight from the publishers (no mirror, proxy or offline set)", None
