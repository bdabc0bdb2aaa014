"""Post-training int8: an OpenVINO file whose convolutions compute in 8 bits, by NNCF.

What stays float32, because it costs accuracy and next to no time (docs/performance.md, ``benchmarks/int8.py``):

* the convolutions that read the image, three channels only;
* the attention's two matrix products and the softmax between them, which OpenVINO computes in float32 anyway;
* the upsampling, or the scores would be rounded to 256 values before they are compared.

Why not ONNX Runtime's static quantisation, which needs no further package: of the CamVid ResNet-18 it left 97.8 % equal
pixels and took 0.43 points of mIoU, at the speed of float32, where OpenVINO computed it; under ONNX Runtime 99.53 %,
0.17 points, 1.3 times as fast. NNCF: 99.75 %, within 0.1 points, 3 times as fast.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from paddleisa.deploy.export.calibration import Calibration
from paddleisa.deploy.export.openvino_core import FILES, core, signal_stack_kept
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

    Nothing says here that the result is good: see ``int8.py``.

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
