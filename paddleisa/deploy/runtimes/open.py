"""What can compute a network for evaluation and prediction, behind one signature.

======================  ====================================================================  =================
engine                  what it is                                                            precisions
======================  ====================================================================  =================
``paddle``              the model itself, in dygraph                                          fp32; bf16 on GPU
``paddle_inference``    Paddle Inference, on CPU with oneDNN, on GPU with TensorRT if Paddle  fp32; bf16 on GPU
                        was built with it
``onnxruntime``         ONNX Runtime on CPU                                                   fp32
``openvino``            OpenVINO on CPU                                                       fp32, bf16, int8
``auto``                the fastest installed: on CPU openvino, onnxruntime, paddle_inference, what that one has
                        paddle in this order (docs/performance.md), on GPU paddle
======================  ====================================================================  =================

int8 needs images to calibrate with, see ``calibration.py``. All but ``paddle`` convert the model at first use; see
``cache.py`` for where that is kept. What is for GPUs has never been run: none was there. Nothing here imports paddle
before a model is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.deploy import packages
from paddleisa.errors import DeployError, UsageError, one_of

if TYPE_CHECKING:
    import paddle
    from paddle import nn

    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.inference.lazy_logits import LowResLogits

    Network = Callable[[paddle.Tensor], LowResLogits]

PRECISIONS_OF = {
    "paddle": ("fp32", "bf16"),
    "paddle_inference": ("fp32", "bf16"),
    "onnxruntime": ("fp32",),
    "openvino": ("fp32", "bf16", "int8"),
}
ENGINES = (*PRECISIONS_OF, "auto")
PRECISIONS = ("fp32", "bf16", "int8")
FASTEST_FIRST = {"cpu": ("openvino", "onnxruntime", "paddle_inference", "paddle"), "gpu": ("paddle",)}
# Inputs of one size are computed together up to so many pixels. On CPUs batches of 128x128 are 1.1 to 1.8 times as fast
# as single images, larger images gain nothing and take more memory; on GPUs, unrun, an image and its mirror image.
BATCH_PIXELS = {"cpu": 4 * 128 * 128, "gpu": 2 * 1025 * 2049}
PACKAGES = {
    "paddle": (),
    "paddle_inference": (),
    "onnxruntime": ("paddle2onnx", "onnx", "onnxruntime"),
    "openvino": ("paddle2onnx", "onnx", "openvino"),
}
INT8_PACKAGES = ("nncf",)
_FORMAT = {"paddle_inference": "paddle", "onnxruntime": "onnx", "openvino": "openvino"}


@dataclass(frozen=True)
class Engine:
    """A network that is ready to run.

    Attributes:
        name: what computes it; never ``auto``.
        precision: of its arithmetic. Logits are float32 whatever it is.
        reason: why this engine, one line for people.
        network: (N, 3, H, W) float32 paddle tensor -> `LowResLogits`.
        batch_pixels: pixels of inputs that are best computed together; 0: one input at a time.
    """

    name: str
    precision: str
    reason: str
    network: Network
    batch_pixels: int = 0


def require_engine(engine: str, precision: str, device: str = "cpu") -> None:
    """Raise unless ``engine`` exists, is installed and has ``precision``; ``auto`` always has something to take.

    Raises:
        UsageError: no such engine or precision. DeployError: a package is missing, or the device lacks the precision.
    """
    if engine not in ENGINES:
        raise UsageError(f"there is no engine {engine!r}", where="engine", fix=one_of(engine, ENGINES))
    known = PRECISIONS if engine == "auto" else PRECISIONS_OF[engine]
    if precision not in known:
        having = [name for name, theirs in PRECISIONS_OF.items() if precision in theirs]
        other = f", or another engine: {', '.join(having)}" if having else ""
        raise UsageError(
            f"engine {engine!r} has no precision {precision!r}", where="precision", fix=one_of(precision, known) + other
        )
    if engine == "auto":
        _candidates(precision, device)
    elif trouble := _trouble(engine, precision, device):
        problem, fix = trouble
        raise DeployError(f"engine {engine!r} cannot be used: {problem}", where="engine", fix=fix)


def chosen_engine(engine: str, precision: str, device: str) -> str:
    """The name of what `open_engine` will take for ``engine``, unless it then cannot convert the model."""
    if engine != "auto":
        return engine
    return next(name for name, trouble in _candidates(precision, device) if trouble is None)


def open_engine(engine: str, precision: str, model: nn.Layer, calibration: Calibration | None = None) -> Engine:
    """``model``, with weights loaded and in evaluation mode, computed by ``engine`` on Paddle's current device.

    Args:
        engine: its name, or ``auto``.
        precision: of its arithmetic.
        model: not changed.
        calibration: what int8 needs; the others do not look at it.

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
    if engine != "auto":
        return Engine(engine, precision, "as asked for", _network(engine, precision, model, calibration), batch)
    kind = device.partition(":")[0]
    passed_over = []
    for name, trouble in _candidates(precision, device):
        if trouble is None:
            try:
                network = _network(name, precision, model, calibration)
            except DeployError as error:
                trouble = str(error)
            else:
                order = " > ".join(FASTEST_FIRST[kind])
                reason = "; ".join([f"the fastest usable on {kind}, of {order}", *passed_over])
                return Engine(name, precision, reason, network, batch)
        passed_over.append(f"{name} is passed over: {trouble}")
    raise DeployError("no engine can be used: " + "; ".join(passed_over), where="engine")


def _candidates(precision: str, device: str) -> list[tuple[str, str | None]]:
    """(engine, what is wrong with it or None) in the order of speed; DeployError when none is left."""
    found = []
    for name in FASTEST_FIRST[device.partition(":")[0]]:
        if precision in PRECISIONS_OF[name]:
            trouble = _trouble(name, precision, device)
            found.append((name, trouble and f"{trouble[0]} ({trouble[1]})"))
    if all(trouble for _, trouble in found):
        reasons = "; ".join(f"{name}: {trouble}" for name, trouble in found)
        raise DeployError(f"no engine can be used with {precision} on {device}: {reasons}", where="engine")
    return found


def _trouble(engine: str, precision: str, device: str) -> tuple[str, str] | None:
    """(what keeps ``engine`` from being used, what to do), or None."""
    if engine.startswith("paddle") and precision == "bf16" and not device.startswith("gpu"):
        return "Paddle computes bf16 on GPUs only", "Take --engine openvino, or --precision fp32"
    if trouble := packages.problem_with(PACKAGES[engine] + (INT8_PACKAGES if precision == "int8" else ())):
        return trouble[0], f"Run {trouble[1]}"
    return None


def _network(engine: str, precision: str, model: nn.Layer, calibration: Calibration | None) -> Network:
    if engine == "paddle":
        return _dygraph(model, precision)
    from paddleisa.deploy.export.formats import open_file
    from paddleisa.deploy.export.network import upsampling_of
    from paddleisa.inference.lazy_logits import LowResLogits
    from paddleisa.utils.interpolation import HALF_PIXEL

    format = _FORMAT[engine]
    files, facts = _quantised(model, calibration) if precision == "int8" else _converted(model, format)
    run, how = open_file(format, files, **facts, precision=precision), upsampling_of(model) or HALF_PIXEL
    return lambda x: LowResLogits(run(x.numpy()), how)


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


def _converted(model: nn.Layer, format: str) -> tuple[list[Path], dict[str, bool]]:
    """(files, what may compute them) of ``model`` from the cache, converted and checked if need be."""
    import json

    from paddleisa.deploy.export.formats import write_checked
    from paddleisa.deploy.export.network import SCORES, upsampling_of
    from paddleisa.deploy.runtimes.cache import cached

    def build(folder: Path) -> None:
        written = write_checked(model, format, folder, output_op=SCORES if upsampling_of(model) else "none")
        accelerators = {"onednn": written.onednn, "tensorrt": written.tensorrt}
        facts = {"files": [file.name for file in written.files], "accelerators": accelerators}
        (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    folder, _ = cached(_identity(model, format), build)
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return [folder / name for name in facts["files"]], facts["accelerators"]


def _quantised(model: nn.Layer, calibration: Calibration) -> tuple[list[Path], dict[str, bool]]:
    """The same in int8 for OpenVINO: made of the float32 files, which stay in the cache too."""
    from paddleisa.deploy.export.openvino import FILES
    from paddleisa.deploy.runtimes.cache import cached

    def build(folder: Path) -> None:
        from paddleisa.deploy.export.int8 import write_int8

        write_int8(_converted(model, "openvino")[0][0], calibration, folder)

    parts = {
        **_identity(model, "openvino"),
        "precision": "int8",
        "calibration": calibration.digest,
        "tried": calibration.tried,
        "quantiser": packages.versions(INT8_PACKAGES),
    }
    folder, _ = cached(parts, build)
    return [folder / name for name in FILES], {}


def _identity(model: nn.Layer, format: str) -> dict[str, object]:
    """All that the converted files depend on."""
    import paddle

    from paddleisa import __version__
    from paddleisa.deploy.export.model_digest import code_digest, structure_digest, weights_digest

    return {
        "weights": weights_digest(model),
        "structure": structure_digest(model),
        "format": format,
        "code": code_digest(Path(__file__).parents[1]),
        "device": paddle.get_device().partition(":")[0],
        "versions": {
            "paddleisa": __version__,
            "paddle": packages.paddle_version(),
            **packages.versions(("paddle2onnx", "onnx", "onnxruntime", "openvino")),
        },
    }
