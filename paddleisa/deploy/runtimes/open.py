"""What can compute a network for evaluation and prediction, behind one signature.

There is ``paddle``, the model itself in dygraph, the runtime of each export format (`export/`), and ``auto``,
the fastest of them on this machine, see ``speed.py``. All but ``paddle`` convert the model at first use; ``cache.py``
says where that is kept. int8 needs images to calibrate with, see ``export/calibration.py``. What is for GPUs has never
been run: none was there. Nothing here imports paddle before a model is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddleisa.deploy import packages
from paddleisa.deploy.export import FORMATS
from paddleisa.deploy.export.format import Format
from paddleisa.errors import DeployError, UsageError, one_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import paddle
    from paddle import nn

    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.deploy.runtimes.speed import Speed
    from paddleisa.inference.lazy_logits import LowResLogits
    from paddleisa.inference.masks import Network
    from paddleisa.utils.interpolation import Upsampling

AUTO = "auto"
# Inputs of one size are computed together up to so many pixels. On CPUs batches of 128x128 are 1.1 to 1.8 times as fast
# as single images, larger images gain nothing and take more memory; on GPUs, unrun, an image and its mirror image.
BATCH_PIXELS = {"cpu": 4 * 128 * 128, "gpu": 2 * 1025 * 2049}


@dataclass(frozen=True)
class Runtime:
    """What can compute a network."""

    name: str  # as `--engine` calls it
    about: str
    precisions: tuple[str, ...]  # of its arithmetic
    format: Format | None = None  # of the files that it computes; None computes the model itself

    def problem(self, precision: str, device: str) -> tuple[str, str] | None:
        """(what keeps it from being used, what to do), or None."""
        if self.name.startswith("paddle") and precision == "bf16" and not device.startswith("gpu"):
            return "Paddle computes bf16 on GPUs only", "Take --engine openvino, or --precision fp32"
        if self.format is None:
            return None
        needed = self.format.all_packages + (self.format.quantised_packages if precision == "int8" else ())
        found = packages.problem_with(needed)
        return found and (found[0], f"Run {found[1]}")


@dataclass(frozen=True)
class Engine:
    """A network that is ready to run."""

    name: str  # what computes it; never `auto`
    precision: str  # of its arithmetic; logits are float32 whatever it is
    reason: str  # why this engine, one line for people
    network: Network  # (N, 3, H, W) float32 paddle tensor -> `LowResLogits`
    batch_pixels: int = 0  # pixels of inputs that are best computed together; 0: one input at a time
    streams: int = 1  # threads that may call `network` at once
    arrays: bool = False  # `network` is given numpy arrays instead: nothing here needs paddle


@dataclass(frozen=True)
class ConvertedNetwork:
    """A network that a runtime computes from files, with or without paddle in the process.

    Args:
        files: first the graph.
        run: from (N, 3, H, W) float32 to low-resolution scores.
        upsampling: of these to the image's size.
    """

    files: tuple[Path, ...]
    run: Callable[[np.ndarray], np.ndarray]
    upsampling: Upsampling

    def __call__(self, x: np.ndarray | paddle.Tensor) -> LowResLogits:
        from paddleisa.inference.lazy_logits import LowResLogits

        return LowResLogits(self.run(x.numpy() if hasattr(x, "numpy") else x), self.upsampling)


def runtimes() -> dict[str, Runtime]:
    """All of them by name: the model itself, and one for each export format."""
    own = Runtime("paddle", "the model itself, in dygraph", ("fp32", "bf16"))
    made = [Runtime(form.runtime, form.runtime_about, form.precisions, form) for form in FORMATS.values()]
    return {runtime.name: runtime for runtime in (own, *made)}


def precisions() -> list[str]:
    """All that some engine has."""
    return list(dict.fromkeys(precision for runtime in runtimes().values() for precision in runtime.precisions))


def engine_help() -> str:
    """Every engine with what it is, for help texts."""
    return "; ".join(f"{runtime.name}: {runtime.about}" for runtime in runtimes().values())


def require_engine(engine: str, precision: str, device: str = "cpu") -> None:
    """Raise unless ``engine`` exists, is installed and has ``precision``; ``auto`` always has something to take.

    Raises:
        UsageError: no such engine or precision. DeployError: a package is missing, or the device lacks the precision.
    """
    known = runtimes()
    if engine not in (*known, AUTO):
        raise UsageError(f"there is no engine {engine!r}", where="engine", fix=one_of(engine, [*known, AUTO]))
    having = precisions() if engine == AUTO else known[engine].precisions
    if precision not in having:
        others = [name for name, runtime in known.items() if precision in runtime.precisions]
        other = f", or another engine: {', '.join(others)}" if others else ""
        raise UsageError(
            f"engine {engine!r} has no precision {precision!r}",
            where="precision",
            fix=one_of(precision, having) + other,
        )
    if engine == AUTO:
        usable(precision, device)
    elif trouble := known[engine].problem(precision, device):
        problem, fix = trouble
        raise DeployError(f"engine {engine!r} cannot be used: {problem}", where="engine", fix=fix)


def usable(precision: str, device: str) -> tuple[list[str], dict[str, str]]:
    """(engines that can compute in ``precision`` on ``device``, {another that has it: what it lacks}).

    On a GPU, where nothing could be measured so far, that is Paddle itself.

    Raises:
        DeployError: none can.
    """
    found, lacking = [], {}
    for name, runtime in runtimes().items():
        if precision in runtime.precisions and not (device.startswith("gpu") and runtime.format):
            if trouble := runtime.problem(precision, device):
                lacking[name] = f"{trouble[0]} ({trouble[1]})"
            else:
                found.append(name)
    if not found:
        reasons = "; ".join(f"{name}: {trouble}" for name, trouble in lacking.items())
        raise DeployError(f"no engine can be used with {precision} on {device}: {reasons}", where="engine")
    return found, lacking


def open_engine(
    engine: str, precision: str, model: nn.Layer, calibration: Calibration | None = None, streams: int = 1
) -> Engine:
    """``model``, with weights loaded and in evaluation mode, computed by ``engine`` on Paddle's current device.

    Args:
        engine: its name, or ``auto``.
        precision: of its arithmetic.
        model: not changed.
        calibration: what int8 needs; the others do not look at it.
        streams: images computed at once, from as many threads: more of them in a second, each of them later.

    Raises:
        UsageError, DeployError: as `require_engine`; UsageError too where int8 has no calibration, DeployError where
            the model cannot be converted, or not well enough.
    """
    import paddle

    device = paddle.get_device()
    batch = BATCH_PIXELS[device.partition(":")[0]]
    require_engine(engine, precision, device)
    if precision == "int8" and calibration is None:
        raise UsageError("int8 needs images to calibrate with", where="calibration", fix="Give a Calibration")
    if engine != AUTO:
        return _engine(engine, precision, model, calibration, streams, "as asked for", batch)
    found, lacking = usable(precision, device)
    if len(found) == 1:
        why = f"the only one that can be used on {device}"
        return _engine(found[0], precision, model, calibration, streams, _reason(why, lacking), batch)
    from paddleisa.deploy.runtimes.speed import measured

    speed = measured(model, precision, found, lambda name: open_network(name, precision, model, calibration))
    if not speed.order:
        reasons = "; ".join(f"{name}: {problem}" for name, problem in speed.failed.items())
        raise DeployError(f"no engine can be used: {reasons}", where="engine")
    why = _reason(f"the fastest here, measured: {speed}", {**lacking, **speed.failed})
    return _engine(speed.order[0], precision, model, calibration, streams, why, batch)


def _engine(
    name: str,
    precision: str,
    model: nn.Layer,
    calibration: Calibration | None,
    streams: int,
    why: str,
    batch: int,
) -> Engine:
    form = runtimes()[name].format
    if streams > 1 and not (form and form.parallel):
        able = ", ".join(each.runtime for each in FORMATS.values() if each.parallel)
        raise UsageError(
            f"engine {name!r} computes one image at a time", where="--streams", fix=f"Take --engine of {able}"
        )
    network = open_network(name, precision, model, calibration, *([streams] if streams > 1 else []))
    return Engine(name, precision, why, network, batch if streams == 1 else 0, streams)


def faster_engines(model: nn.Layer, precision: str, device: str, than: str = "paddle") -> str | None:
    """One line of what would compute the model faster here, None where nothing is known to, or can be had."""
    from paddleisa.deploy.runtimes.speed import known

    if device.startswith("gpu"):
        return None
    found, lacking = usable(precision, device)
    others = [name for name in found if name != than]
    speed: Speed | None = known(model, precision)
    if speed and than in speed.seconds:
        best = speed.order[0]
        ratio = speed.seconds[than] / speed.seconds[best]
        return f"{best} is {ratio:.1f} times as fast here: --engine {best}" if best != than else None
    if others:
        return f"{', '.join(others)} may be faster: --engine {AUTO} measures that once and takes the fastest"
    return "; ".join(f"{name} may be faster: {problem}" for name, problem in lacking.items()) or None


def open_network(
    engine: str, precision: str, model: nn.Layer, calibration: Calibration | None = None, streams: int = 1
) -> Network:
    """The function of an engine that can be used: from (N, 3, H, W) to `LowResLogits`.

    Raises:
        DeployError: the model cannot be converted, or not well enough.
    """
    form = runtimes()[engine].format
    if form is None:
        return _dygraph(model, precision)
    from paddleisa.deploy.export.formats import open_file
    from paddleisa.deploy.export.network import upsampling_of
    from paddleisa.deploy.runtimes.cache import converted, quantised
    from paddleisa.utils.interpolation import HALF_PIXEL

    if precision == "int8":
        assert calibration is not None  # `open_engine` has seen to it
        files, facts = quantised(model, form.name, calibration)
    else:
        files, facts = converted(model, form.name)
    run = open_file(form.name, files, **facts, precision=precision, streams=streams)
    return ConvertedNetwork(tuple(files), run, upsampling_of(model) or HALF_PIXEL)


def _reason(why: str, passed_over: dict[str, str]) -> str:
    return "; ".join([why, *(f"{name} is passed over: {trouble}" for name, trouble in passed_over.items())])


def _dygraph(model: nn.Layer, precision: str) -> Network:
    import paddle

    from paddleisa.deploy.export.network import upsampling_of
    from paddleisa.inference.lazy_logits import LowResLogits
    from paddleisa.utils.interpolation import HALF_PIXEL

    how = upsampling_of(model)
    forward = model if how is None else model.scores

    def network(x):
        with paddle.amp.auto_cast(precision == "bf16", level="O1", dtype="bfloat16"):
            return LowResLogits(forward(x)[0].astype("float32").numpy(), how or HALF_PIXEL)

    return network
