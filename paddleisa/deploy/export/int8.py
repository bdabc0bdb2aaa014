"""Post-training int8: an OpenVINO file whose convolutions compute in 8 bits, by NNCF, tried on images kept for that.

What stays float32, because it costs accuracy and next to no time (docs/performance.md, ``benchmarks/int8.py``):

* the convolutions that read the image, three channels only;
* the attention's two matrix products and the softmax between them, which OpenVINO computes in float32 anyway;
* the upsampling, or the scores would be rounded to 256 values before they are compared.

Why not ONNX Runtime's static quantisation, which needs no further package: of the CamVid ResNet-18 it left 97.8 % equal
pixels and took 0.43 points of mIoU, at the speed of float32, where OpenVINO computed it; under ONNX Runtime 99.53 %,
0.17 points, 1.3 times as fast. NNCF: 99.75 %, within 0.1 points, 3 times as fast.

How far int8 is from float32 depends on the network, so there is no tolerance of the logits as in ``compare.py``. What
counts is the class, and of that only where float32 is sure: where its best class leads by ``MARGIN`` or more. On CamVid
(ResNet-18, 84 % of the pixels are sure) 0.00 % of all pixels are sure and get another class from a good file, 1.2 %
from one calibrated with images of a tenth of the contrast, 61 % from one calibrated with values 100 times too large.
The masks of untrained networks are noise, and change with any rounding: only 66 % of the pixels stayed equal. With
logits around 1 they are sure of hardly a pixel, so this does not refuse them; with logits of up to 100, as a network
has that is built and not trained, it does. Their scores are off by 0.1 to 0.4 of the scores' own size in a good file,
by 1.4 to 3 in the last of the bad ones.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from paddleisa.deploy.export.calibration import Calibration
from paddleisa.deploy.export.compare import Difference, lead
from paddleisa.deploy.export.openvino_core import FILES, OpenVinoRunner, core, signal_stack_kept
from paddleisa.deploy.packages import last_line, require
from paddleisa.errors import DeployError
from paddleisa.utils.environment import variable

if TYPE_CHECKING:
    import openvino

PACKAGES = ("openvino", "nncf")


def quantise(
    file: Path,
    calibration: Calibration,
    folder: Path,
    kept: Callable[[openvino.Model], list[str]] | None = None,
) -> list[Path]:
    """Write ``file`` in int8 into ``folder``: the same bytes for the same images.

    Nothing says here that the result is good: see `write_int8`.

    Args:
        file: ``model.xml`` of a float32 network, its ``model.bin`` beside it.
        calibration: its `measured` images give the ranges.
        folder: another one than ``file``'s.
        kept: names of the operations that stay float32; `kept_operations` without it.

    Returns:
        ``model.xml`` and ``model.bin``.

    Raises:
        DeployError: a package is missing, or the network cannot be quantised. DataError: an image cannot be used.
    """
    require(PACKAGES, "int8", "--precision")
    with _quiet_nncf() as nncf, signal_stack_kept():
        import openvino

        model = core().read_model(file)
        given = {op.get_friendly_name() for op in model.get_ops()}
        _fold(model)
        names = (kept or kept_operations)(model)
        numbers = calibration.measured
        with tqdm(total=len(numbers), desc="calibrate int8", unit="image", disable=None) as bar:
            seen: set[int] = set()

            def image(number: int):
                if number not in seen:  # some statistics need a second pass
                    seen.add(number)
                    bar.update()
                return calibration[number]

            try:
                made = nncf.quantize(
                    model,
                    nncf.Dataset(numbers, image),
                    subset_size=len(numbers),
                    target_device=nncf.TargetDevice.CPU,
                    ignored_scope=nncf.IgnoredScope(names=names) if names else None,
                )
            except (RuntimeError, nncf.ValidationError) as error:
                raise DeployError(f"NNCF cannot quantise the network: {last_line(error)}", where=file.name) from error
        _rename(made, given)
        openvino.save_model(made, folder / FILES[0], compress_to_fp16=False)
    return [folder / name for name in FILES]


def kept_operations(model: openvino.Model) -> list[str]:
    """Names of what stays float32, see above."""
    operations = model.get_ordered_ops()
    kept = _first_convolutions(model)
    kept += [op for op in operations if op.get_type_name() == "Interpolate"]
    kept += [op for op in operations if op.get_type_name() == "MatMul" and not _takes_weights(op)]
    return [op.get_friendly_name() for op in kept]


def _first_convolutions(model: openvino.Model) -> list:
    """The convolutions between which and the input there is no other."""
    found: list[openvino.Node] = []
    seen, waiting = set(), list(model.get_parameters())
    while waiting:
        for target in waiting.pop().output(0).get_target_inputs():
            op = target.get_node()
            name, kind = op.get_friendly_name(), op.get_type_name()
            if name in seen or kind in ("ShapeOf", "Result"):
                continue
            seen.add(name)
            (found if "Convolution" in kind else waiting).append(op)
    return found


def _takes_weights(op: openvino.Node) -> bool:
    return any(value.get_source_output().get_node().get_type_name() == "Constant" for value in op.inputs())


def _fold(model: openvino.Model) -> None:
    """Compute what depends on constants alone: NNCF knows a convolution's bias only as a constant."""
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)


def _rename(model: openvino.Model, given: set[str]) -> None:
    """Number what is not among the ``given`` names; OpenVINO numbers it through all models of the process."""
    for number, op in enumerate(model.get_ordered_ops()):
        if op.get_friendly_name() not in given:
            op.set_friendly_name(f"{op.get_type_name()}_{number}")


@contextlib.contextmanager
def _quiet_nncf() -> Iterator:
    """NNCF without its bars and lines, and without the statistics of its use that it sends to its maker."""
    log = logging.getLogger("nncf")
    before = log.level
    with variable("NNCF_CI", "1"), contextlib.redirect_stdout(io.StringIO()):  # the switch is read at import
        import nncf

        log.setLevel(logging.ERROR)
        try:
            yield nncf
        finally:
            log.setLevel(before)


MARGIN = 1.0  # logits: the best class is e times as probable as the next
WRONG_LIMIT = 0.005  # share of all pixels that are sure and get another class
ERROR_LIMIT = 0.7  # root mean square error of the scores over that of the scores, both without each pixel's mean


@dataclass(frozen=True)
class Trial:
    """What float32 and int8 make of one image."""

    shape: tuple[int, ...]  # of the image, (1, 3, h, w)
    equal: float  # share of pixels with the same class
    wrong: float  # share of pixels of which float32 is sure and that get another class
    error: float | None  # of the scores, relative to them; None where the file gives no scores


def write_int8(file: Path, calibration: Calibration, folder: Path, scores: Path | None = None) -> list[Difference]:
    """Write ``file`` in int8 into ``folder`` and try it on the calibration's `held_out` images.

    Args:
        file: ``model.xml`` in float32; any output.
        calibration: images like those to predict.
        folder: another one than ``file``'s; if DeployError is raised, what it holds must not be kept.
        scores: ``model.xml`` in float32 that gives the logits or scores of the same network; without it ``file`` does.

    Returns:
        One entry for each image that it was tried on, the share of equal pixels in it.

    Raises:
        DeployError: a package is missing, the network cannot be quantised, or the result is too far from float32.
        DataError: a calibration image cannot be used.
    """
    made = quantise(file, calibration, folder)
    if not calibration.tried:
        return []
    expected, found = OpenVinoRunner(scores or file), OpenVinoRunner(made[0], "int8")
    trials = []
    for number in calibration.held_out:
        image = calibration[number]
        trials.append(trial(expected(image), found(image), image.shape))
    refuse(trials, made[0].name)
    return [Difference(t.shape, None, t.equal) for t in trials]


def trial(expected: np.ndarray, found: np.ndarray, shape: Sequence[int]) -> Trial:
    """Compare float32's scores (1, K, h, w) with what int8 gives: scores, probabilities or class ids (1, h, w)."""
    mask = expected.argmax(1)
    same = mask == (found if found.ndim == 3 else found.argmax(1))
    wrong = (lead(expected) >= MARGIN) & ~same
    error = None
    if found.shape == expected.shape:
        centred = expected - expected.mean(1, keepdims=True)
        size = float(np.sqrt(np.square(centred).mean()))
        off = float(np.sqrt(np.square(found - found.mean(1, keepdims=True) - centred).mean()))
        error = off / size if size > 0 else 0.0
        error = error if np.isfinite(found).all() else float("inf")
    return Trial(tuple(shape), float(same.mean()), float(wrong.mean()), error)


def refuse(trials: list[Trial], where: object) -> None:
    """Raise DeployError if int8 is too far from float32 over all ``trials``."""
    wrong = float(np.mean([t.wrong for t in trials]))
    errors = [t.error for t in trials if t.error is not None]
    error = float(np.mean(errors)) if errors else 0.0
    if wrong <= WRONG_LIMIT and error <= ERROR_LIMIT:
        return
    equal = float(np.mean([t.equal for t in trials]))
    raise DeployError(
        f"in int8 the network gives {100 * wrong:.1f} % of the pixels another class although float32 is sure of them "
        f"(at most {100 * WRONG_LIMIT} %), on images kept from the calibration; {100 * equal:.1f} % of all are equal",
        where=where,
        fix="Calibrate with more images like those to predict (--calibration), or take --precision bf16 or fp32. "
        "Untrained networks can be this sensitive",
    )
