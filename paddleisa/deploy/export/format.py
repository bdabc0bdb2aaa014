"""What an export format is: one object, from which names, packages, precisions, files and help texts are derived.

To add a format, write a file like ``onnx.py`` with a `Format`, and add it to ``FORMATS`` in ``__init__.py``: `export
--format`, the engine of its runtime, `auto`, `bench model`, deploy.yaml and the messages about missing packages follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.deploy.export.compare import Difference, Run
    from paddleisa.deploy.export.network import Form


@dataclass(frozen=True)
class Format:
    """A kind of file that a network can be exported to, and what computes it here.

    Attributes:
        name: what `export --format` calls it.
        about: what it is, for help texts.
        runtime: the engine that computes it, as `--engine` calls it.
        runtime_about: what that is.
        open: (files, device, precision, **facts) -> function from images (N, 3, H, W) to the file's output; ``facts``
            are what `write_checked` found out about the files.
        packages: beside Paddle, to write it.
        runtime_packages: beside those, to compute it, and so to check it.
        precisions: of the runtime's arithmetic.
        convert: (Paddle Inference files, folder, output's name) -> files written; None of Paddle's own format.
        parallel: whether what ``open`` gives may be called from several threads at once; it then takes ``streams``, how
            many that will be.
        form: the static form that the network is given, see ``network.py``.
        quantise: (float32 file, calibration, folder, float32 file with scores) -> comparisons; None without int8.
        quantised_packages: beside those above, for int8.
        backends: {server of ``serving.py`` that takes the file: what computes it there}.
    """

    name: str
    about: str
    runtime: str
    runtime_about: str
    open: Callable[..., Run]
    packages: tuple[str, ...] = ()
    runtime_packages: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32",)
    convert: Callable[[list[Path], Path, str], list[Path]] | None = None
    parallel: bool = False
    form: Form = "onnx"
    quantise: Callable[[Path, Calibration, Path, Path | None], list[Difference]] | None = None
    quantised_packages: tuple[str, ...] = ()
    backends: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_packages(self) -> tuple[str, ...]:
        """To write, check and compute it in float32."""
        return tuple(dict.fromkeys((*self.packages, *self.runtime_packages)))
