"""Why weights do not fit: the usual causes, recognised by their pattern of differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paddleisa.errors import nearest
from paddleisa.weights.report import LoadReport

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
