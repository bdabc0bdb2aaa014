"""Is this file the published one, and does it work? Every check that can be made, as one report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from paddleisa.errors import ConfigError, PaddleISAError, UsageError, WeightsError
from paddleisa.utils.environment import load_paddle
from paddleisa.utils.files import sha256_of
from paddleisa.zoo.catalogue.catalogue import Catalogue, Entry, Tensor, load_catalogue
from paddleisa.zoo.download.locate import download_weights, local_weights
from paddleisa.zoo.download.records import LockFile

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 5
_INPUT = (65, 97)  # height and width of the forward pass: odd, so that the head has to pad


Finding = Literal["ok", "different", "unknown"]


@dataclass(frozen=True)
class Check:
    """One check: what was checked, how it came out ("unknown": nothing to compare with), and the facts."""

    name: str
    result: Finding
    detail: str


_CONVERTED = Check("sha256", "unknown", "of a converted file nothing is published; the .pth itself can be verified")


@dataclass(frozen=True)
class Report:
    """The checks of one file against one model of the catalogue."""

    model: str
    file: str
    sha256: str
    size: int
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no check found a difference; what could not be compared is no difference, and is listed."""
        return all(check.result != "different" for check in self.checks)

    def to_dict(self) -> dict[str, object]:
        """The report as plain data for JSON, with ``ok``."""
        return {**asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        lines = [f"{self.file} as {self.model}: {'no difference' if self.ok else 'DIFFERENT'}"]
        return "\n".join(lines + [f"  {c.result:<9}  {c.name:<12}  {c.detail}" for c in self.checks])


def verify(
    named: str | Path, model: str | None = None, *, catalogues: Sequence[str] = (), offline: bool = False
) -> Report:
    """Whether weights are the published ones of a model: hash, safe read, tensors, one forward pass.

    Args:
        named: a weights file, or a model of the catalogue, whose weights are downloaded unless they are here.
        model: the model that the weights should be of; found by their tensors where a file is named without it.
        catalogues: further catalogue files.
        offline: request nothing.

    Raises:
        UsageError: no model is like the file. WeightsError, DownloadError: there are no weights to look at.
    """
    catalogue = load_catalogue(catalogues)
    if str(named) in catalogue:
        path = local_weights(str(named)) or download_weights(catalogue.get(str(named)), offline=offline)
        return verify_weights(path, catalogue.get(model or str(named)))
    path = Path(named)
    if not path.is_file():
        raise UsageError(
            "there is no such file", where=shlex.quote(str(named)), fix="Give a file, or a catalogue's name"
        )
    return verify_weights(path, catalogue.get(model) if model else best_match(path, catalogue))


def verify_weights(path: str | Path, entry: Entry) -> Report:
    """Check hash, size, safe reading, names, shapes, types, finite values, positive variances, and a forward pass.

    Raises WeightsError when there is no such file. Everything else that is wrong stands in the report.
    """
    path = Path(path)
    try:
        size, digest = path.stat().st_size, sha256_of(path)
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror})", where=path) from error
    converted = entry.row.weights.format == "pth" and path.suffix != ".pth"
    checks = [_CONVERTED] if converted else _check_file(entry, size, digest)
    checks += _check_content(path, entry)
    return Report(entry.name, str(path), digest, size, tuple(checks))


def best_match(path: str | Path, catalogue: Catalogue) -> Entry:
    """The model of the catalogue that a file's tensors fit best. Raises WeightsError when none shares half of them."""
    found = {(name, tuple(array.shape)) for name, array in read_any(path).items()}
    best, most = None, 0.5
    for entry in catalogue:
        tensors = entry.manifest() or {}
        expected = {(name, tensor.shape) for name, tensor in tensors.items()}
        share = len(found & expected) / max(1, len(found | expected))
        if share > most:
            best, most = entry, share
    if best is None:
        raise WeightsError("fits no model of the catalogue", where=path, fix="Say which one is meant with --model NAME")
    return best


def read_any(path: str | Path) -> dict[str, np.ndarray]:
    """`read_weights`, and other projects' ISANets too, under our names. Raises WeightsError."""
    from paddleisa.weights import read_weights
    from paddleisa.weights.safe_pickle.torch_file import is_torch, read_torch
    from paddleisa.zoo.convert import MMSEG, lineage_of, rename

    if not is_torch(path):
        return read_weights(path)
    state = read_torch(path)
    return rename(state, lineage_of(state) or MMSEG)[0]


def _check_file(entry: Entry, size: int, digest: str) -> list[Check]:
    weights = entry.row.weights
    known = LockFile().get(weights.source)
    if expected := weights.sha256 or weights.sha256_prefix:
        source = weights.origin
    elif known:
        expected, source = known.sha256, f"your first download, {known.first_seen}, trusted as it was"
    else:
        source = "no hash is published, and this file was not downloaded here"
    result: Finding = "unknown" if not expected else "ok" if digest.startswith(expected) else "different"
    detail = f"{digest} ({source})" if result != "different" else f"{digest} instead of {expected} ({source})"
    checks = [Check("sha256", result, detail)]
    if weights.size:
        same = size == weights.size
        checks.append(Check("size", "ok" if same else "different", f"{size} bytes, {weights.size} in the catalogue"))
    return checks


def _check_content(path: Path, entry: Entry) -> list[Check]:
    try:
        state = read_any(path)
    except PaddleISAError as error:
        return [Check("safe read", "different", error.problem)]
    checks = [Check("safe read", "ok", f"{len(state)} tensors, no code in the file")]
    return [*checks, *_check_tensors(state, entry), _check_forward(state, entry)]


def _check_tensors(state: dict[str, np.ndarray], entry: Entry) -> list[Check]:
    from paddleisa.weights import verify_state

    tensors = entry.manifest()
    listed = tensors or {name: Tensor(array.shape, array.dtype.name) for name, array in state.items()}
    differences = verify_state(state, ((name, shape, dtype) for name, (shape, dtype) in listed.items()))
    checks = []
    for title, kinds in (
        ("names", ("missing", "unexpected")),
        ("shapes", ("shape",)),
        ("types", ("dtype",)),
        ("finite", ("finite",)),
        ("variances", ("variance",)),
    ):
        found = [str(difference) for difference in differences if difference.kind in kinds]
        if found:
            more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            checks.append(Check(title, "different", "; ".join(found[:_SHOWN]) + more))
        elif tensors is None and title in ("names", "shapes", "types"):
            checks.append(Check(title, "unknown", "the catalogue does not list this model's tensors"))
        else:
            checks.append(Check(title, "ok", f"of {len(listed)} tensors"))
    return checks


def _check_forward(state: dict[str, np.ndarray], entry: Entry) -> Check:
    """Build the model by its config, load strictly, and look at the logits of one small random image."""
    load_paddle()
    import numpy as np
    import paddle

    from paddleisa.build import build_model
    from paddleisa.config import load_config
    from paddleisa.weights import load_weights

    try:
        model = build_model(load_config(entry.config))
        load_weights(model, state)
    except ConfigError as error:
        return Check("forward pass", "different", f"config {entry.config}: {error.problem}")
    except WeightsError as error:
        return Check("forward pass", "different", error.problem.splitlines()[0])
    model.eval()
    image = np.random.default_rng(0).standard_normal((1, 3, *_INPUT)).astype("float32")
    with paddle.no_grad():
        logits = model(paddle.to_tensor(image))[0].numpy()
    expected = (1, entry.row.num_classes, *_INPUT)
    if logits.shape != expected or not np.isfinite(logits).all():
        return Check("forward pass", "different", f"logits of shape {logits.shape}, not {expected}, or not finite")
    return Check("forward pass", "ok", f"finite logits {list(expected)}")
