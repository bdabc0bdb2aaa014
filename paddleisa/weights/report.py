"""How a state dict differs: from the model that it is loaded into, with the usual causes, and from a manifest.

A load has one report, whatever became of it, readable as text. A manifest says what a catalogue's weights are: names,
shapes, types, and values that a trained model can have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from paddleisa.errors import WeightsError, nearest

MAX_LINES = 12  # lines of a list of names before it is grouped by prefix, and groups before the rest is counted


@dataclass(frozen=True)
class Mismatch:
    """A tensor that is in the model and in the file, but of another shape or of a type that is not converted."""

    name: str
    model_shape: tuple[int, ...]
    model_dtype: str
    file_shape: tuple[int, ...]
    file_dtype: str

    def __str__(self) -> str:
        return (
            f"{self.name}: {list(self.model_shape)} {self.model_dtype} in the model, "
            f"{list(self.file_shape)} {self.file_dtype} in the weights"
        )


@dataclass
class LoadReport:
    """Names of tensors by what became of them.

    Attributes:
        source: the file, or a description of where the state came from.
        loaded: taken from the weights; the model holds exactly their values.
        missing: in the model, not in the weights.
        unexpected: in the weights, not in the model.
        mismatched: in both, with another shape or type.
        reinitialized: left at the model's initial values, as asked for.
        dropped: in the weights and left out on purpose (the classifier of ImageNet).
        converted: names whose floating-point type was changed, as {name: (from, to)}.
        names_of: the project whose names the weights have, None for ours.
    """

    source: str
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[Mismatch] = field(default_factory=list)
    reinitialized: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    converted: dict[str, tuple[str, str]] = field(default_factory=dict)
    names_of: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the weights fit the model."""
        return not (self.missing or self.unexpected or self.mismatched)

    def summary(self) -> str:
        """One line of counts: what fits when it does, what does not when it does not."""
        if self.ok:
            return f"{len(self.loaded)} tensors loaded"
        counts = (
            (self.missing, "missing"),
            (self.unexpected, "unexpected"),
            (self.mismatched, "of another shape or type"),
        )
        return ", ".join(f"{len(names)} {what}" for names, what in counts if names)

    def table(self) -> str:
        """The differences, one per line, grouped by prefix where there are many; empty when the weights fit."""
        parts = (
            ("missing (in the model, not in the weights)", grouped(self.missing)),
            ("unexpected (in the weights, not in the model)", grouped(self.unexpected)),
            ("of another shape or type", _first([str(item) for item in self.mismatched])),
        )
        return "\n".join("\n    ".join([f"  {title}", *lines]) for title, lines in parts if lines)

    def __str__(self) -> str:
        lines = [f"{self.source}: {self.summary()}" + (f", by the names of {self.names_of}" if self.names_of else "")]
        if self.converted:
            kinds = sorted({f"{old} to {new}" for old, new in self.converted.values()})
            lines.append(f"  converted from {', '.join(kinds)}: {len(self.converted)} tensors")
        for title, names in (("kept at their initial values", self.reinitialized), ("left out", self.dropped)):
            if names:
                lines.append(f"  {title}: {', '.join(grouped(names))}")
        return "\n".join([*lines, self.table()]) if not self.ok else "\n".join(lines)


class UnfitWeightsError(WeightsError):
    """Weights that do not fit the model; ``report`` has every difference, and the model is unchanged."""

    def __init__(self, report: LoadReport, advice: str):
        self.report = report
        fix = f"{advice}\n{report.table()}"
        super().__init__(f"the weights do not fit the model: {report.summary()}", where=report.source, fix=fix)


def grouped(names: Sequence[str]) -> list[str]:
    """``names`` as they are when few; else one line per prefix, as deep as keeps the lines few."""
    if len(names) <= MAX_LINES:
        return list(names)
    best: list[str] = []
    for depth in (1, 2, 3):
        groups = defaultdict(list)
        for name in names:
            groups[".".join(name.split(".")[:depth])].append(name)
        lines = [f"{key}.* ({len(found)} tensors)" if len(found) > 1 else found[0] for key, found in groups.items()]
        if best and len(lines) > MAX_LINES:
            break
        best = lines
    return _first(best)


def _first(lines: list[str]) -> list[str]:
    if len(lines) <= MAX_LINES:
        return lines
    return [*lines[:MAX_LINES], f"and {len(lines) - MAX_LINES} more"]


OTHER_MODEL = "These are the weights of another model: give the config that they were trained with"
MAX_NEAREST = 5  # unknown names beyond which a name-by-name hint would not be read


def advice(report: LoadReport, model: Mapping[str, object], names: Sequence[str], classifier: Sequence[str]) -> str:
    """What to do about weights that do not fit.

    Args:
        report: the differences.
        model: the model's state by name.
        names: the names in the weights.
        classifier: prefixes of the tensors whose shape depends on the number of classes.
    """
    for cause in (_other_classes(report, classifier), _prefixes(names, model), _lacks_a_part(report, names)):
        if cause:
            return cause
    hints = _nearest_names(report)
    return f"{OTHER_MODEL}. {hints}" if hints else OTHER_MODEL


def belongs(name: str, prefixes: Iterable[str]) -> bool:
    """Whether ``name`` is one of ``prefixes`` or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _other_classes(report: LoadReport, classifier: Sequence[str]) -> str | None:
    """The weights differ in the first axis of the classifier only: another number of classes."""
    differences = report.mismatched
    if report.missing or report.unexpected or not all(belongs(item.name, classifier) for item in differences):
        return None
    counts = {(item.model_shape[:1], item.file_shape[:1]) for item in differences}
    if len(counts) != 1 or any(item.model_shape[1:] != item.file_shape[1:] for item in differences):
        return None
    ((mine, theirs),) = counts
    if mine == theirs:
        return None
    return (
        f"The model has {mine[0]} classes and the weights have {theirs[0]}: set num_classes to {theirs[0]}, or start "
        f"the classifier anew with --reinit_classifier (reinit_classifier=True)"
    )


def _prefixes(names: Sequence[str], model: Mapping[str, object]) -> str | None:
    """All names carry a prefix too many (`module.`), or one too few (a backbone alone)."""
    first, dot, _ = names[0].partition(".")
    if dot and all(name.startswith(f"{first}.") for name in names):
        shorter = {name[len(first) + 1 :] for name in names}
        if 2 * len(shorter & model.keys()) > len(shorter):
            return f"Every name begins with '{first}.': write the weights again without it"
    if "backbone" in {name.partition(".")[0] for name in names}:
        inner = {name.partition(".")[2] for name in names if name.startswith("backbone.")}
        if 2 * len(inner & model.keys()) > len(model):
            return "These are the weights of a whole model and this is its backbone alone: give them to the model"
    for part in dict.fromkeys(name.partition(".")[0] for name in model):
        if 2 * sum(f"{part}.{name}" in model for name in names) > len(names):
            return f"These are weights of the {part} alone: give them as its `pretrained`, or use load_backbone"
    return None


def _lacks_a_part(report: LoadReport, names: Sequence[str]) -> str | None:
    """Everything below one prefix is missing, and nothing else differs: the weights were saved without that part."""
    if not report.missing or report.unexpected or report.mismatched:
        return None
    parts = [name.split(".")[:-1] for name in report.missing]
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    prefix = ".".join(common)
    if not prefix or any(belongs(name, [prefix]) for name in names):
        return None
    return f"The weights hold nothing of '{prefix}': they were saved without that part of the model"


def _nearest_names(report: LoadReport) -> str:
    """A hint per unknown name, when they are few: "'head.cls.1.wieght' in the weights: did you mean ...?"."""
    if not report.missing or len(report.unexpected) > MAX_NEAREST:
        return ""
    hints = ((name, nearest(name, report.missing)) for name in report.unexpected)
    return " ".join(f"{name!r} is not in the model. {hint}" for name, hint in hints if hint)


VARIANCE_SUFFIX = "_variance"  # Paddle's name for a batch norm's running variance


@dataclass(frozen=True)
class Difference:
    """One way in which a state dict differs from its manifest.

    Attributes:
        name: the tensor.
        kind: what differs.
        expected: what the manifest, or sense, asks for; empty for an unexpected tensor.
        found: what the state dict holds; empty for a missing one.
    """

    name: str
    kind: Literal["missing", "unexpected", "shape", "dtype", "finite", "variance"]
    expected: str
    found: str

    def __str__(self) -> str:
        if self.kind in ("missing", "unexpected"):
            return f"{self.name}: {self.kind} ({self.expected or self.found})"
        return f"{self.name}: {self.kind} should be {self.expected}, is {self.found}"


def verify_state(
    state: Mapping[str, np.ndarray], manifest: Iterable[tuple[str, Iterable[int], str]]
) -> list[Difference]:
    """Every difference between ``state`` and ``manifest``; an empty list when there is none.

    Args:
        state: arrays by name, as `read_weights` gives them.
        manifest: name, shape and dtype of each tensor (``"float32"``; bfloat16 is ``"uint16"`` in a state), as in
            the catalogue and in ``reference/state_manifest.json``.

    Returns:
        Differences in the manifest's order: missing names, shapes, types; NaN or infinity; running variances (names
        that end in ``_variance``) that are not all positive. Then the unexpected names.
    """
    differences, known = [], set()
    for name, shape, dtype in manifest:
        known.add(name)
        expected = _described(tuple(shape), dtype)
        if name not in state:
            differences.append(Difference(name, "missing", expected, ""))
        else:
            differences += _compare(name, state[name], tuple(shape), dtype)
    for name, array in state.items():
        if name not in known:
            differences.append(Difference(name, "unexpected", "", _described(array.shape, array.dtype.name)))
            differences += _check_values(name, array)
    return differences


def _compare(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: str) -> list[Difference]:
    found = []
    if array.shape != shape:
        found.append(Difference(name, "shape", str(list(shape)), str(list(array.shape))))
    if array.dtype.name != dtype:
        found.append(Difference(name, "dtype", dtype, array.dtype.name))
    return found + _check_values(name, array)


def _check_values(name: str, array: np.ndarray) -> list[Difference]:
    if array.dtype.kind != "f":
        return []
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        return [Difference(name, "finite", "finite", f"NaN or infinity in {bad} of {array.size} values")]
    if name.endswith(VARIANCE_SUFFIX) and array.size and array.min() <= 0:
        return [Difference(name, "variance", "positive", f"{array.min():g} at the least")]
    return []


def _described(shape: tuple[int, ...], dtype: str) -> str:
    return f"{list(shape)} {dtype}"
