"""Putting weights into a model: all of them or none, with every difference named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.errors import WeightsError
from paddleisa.weights.archive import is_archive, read_archive
from paddleisa.weights.report import LoadReport, Mismatch, UnfitWeightsError, advice, belongs, grouped
from paddleisa.weights.safe_pickle.torch_file import is_torch, read_torch
from paddleisa.weights.state_files import read_weights

if TYPE_CHECKING:
    import paddle

FLOATS = ("float16", "bfloat16", "float32", "float64")
IMAGENET_CLASSIFIER = ("out.weight", "out.bias", "fc.weight", "fc.bias")  # names in Paddle's ImageNet files


def load_weights(
    model: paddle.nn.Layer,
    source: str | os.PathLike | Mapping[str, np.ndarray],
    *,
    reinit_classifier: bool = False,
) -> LoadReport:
    """Give ``model`` the weights in ``source``; strict: the model and the weights hold the same names and shapes.

    Floating-point tensors are converted to the model's type (float16 weights into a float32 model); uint16 counts as
    the bits of bfloat16, which is Paddle's convention. Nothing else is converted.

    Args:
        model: any Layer. ``model.classifier_names``, if there, lists the prefixes of the tensors whose shape depends
            on the number of classes (``("head.cls.1", "head.aux.2")``).
        source: a weights file (see `read_weights`) or a state dict of numpy arrays.
        reinit_classifier: leave the classifier at its initial values whatever the weights hold of it, to start from
            weights for other classes.

    Returns:
        The report, with ``loaded`` and ``reinitialized`` together naming every tensor of the model.

    Raises:
        UnfitWeightsError: some tensors are missing, unexpected or of another shape; has ``report``.
        WeightsError: the file cannot be read, a tensor holds NaN or infinity, or the model has no classifier to
            reinitialise. The model is unchanged after any error.
    """
    place, state = _state_of(source)
    classifier = tuple(getattr(model, "classifier_names", ()))
    if reinit_classifier and not classifier:
        raise WeightsError(
            "reinit_classifier: the model does not say which tensors are its classifier",
            where=type(model).__name__,
            fix="Give the model an attribute `classifier_names`, a tuple of state-dict prefixes",
        )
    return _load(model, state, LoadReport(place), classifier, classifier if reinit_classifier else ())


def load_backbone(backbone: paddle.nn.Layer, path: str | os.PathLike) -> LoadReport:
    """Give ``backbone`` its ImageNet weights, under our names or under those of another project.

    Args:
        backbone: any Layer. Its ``name_tables()``, if there, says what other projects call its tensors.
        path: a ``.pdparams``, a ``.safetensors``, a tar with a ``.pdparams``, or a PyTorch checkpoint (``.pth``).

    Returns:
        The report. The fully connected layer of ImageNet (``out`` or ``fc``), which a segmentation backbone does not
        have, and PyTorch's counters are left out and named in it, as is the project whose names the file has.

    Raises:
        UnfitWeightsError: some tensors are missing, unexpected or of another shape; has ``report``.
        WeightsError: the file cannot be read, or a tensor holds NaN or infinity. The backbone is unchanged.
    """
    read = read_archive if is_archive(path) else read_torch if is_torch(path) else read_weights
    state = read(path)
    own = backbone.state_dict()
    report = LoadReport(os.fspath(path), dropped=[n for n in IMAGENET_CLASSIFIER if n in state and n not in own])
    for table in backbone.name_tables() if hasattr(backbone, "name_tables") else ():
        if (renamed := table.renamed(state)) is not None:
            state, report.dropped = renamed
            report.names_of = table.origin
            break
    return _load(backbone, {n: v for n, v in state.items() if n not in report.dropped}, report, (), ())


def _state_of(source: str | os.PathLike | Mapping[str, np.ndarray]) -> tuple[str, Mapping[str, np.ndarray]]:
    if not isinstance(source, Mapping):
        return os.fspath(Path(source)), read_weights(source)
    state = {name: np.asarray(v.numpy() if hasattr(v, "numpy") else v) for name, v in source.items()}
    return "the given state dict", state


def _load(
    model: paddle.nn.Layer,
    state: Mapping[str, np.ndarray],
    report: LoadReport,
    classifier: Sequence[str],
    left_alone: Sequence[str],
) -> LoadReport:
    """Check everything, then set everything; ``left_alone`` are prefixes that keep the model's values."""
    own = model.state_dict()
    values: dict[str, np.ndarray] = {}
    for name, tensor in own.items():
        if belongs(name, left_alone):
            report.reinitialized.append(name)
        elif name not in state:
            report.missing.append(name)
        else:
            _fit(name, tensor, state[name], values, report)
    report.unexpected = [name for name in state if name not in own and not belongs(name, left_alone)]
    if not report.ok:
        raise UnfitWeightsError(report, advice(report, own, list(state), classifier))
    _check_finite(values, report.source)
    for name, value in values.items():
        _set(own[name], value)
    _check_set(model.state_dict(), values, report.source)
    report.loaded = list(values)
    return report


def _fit(
    name: str, tensor: paddle.Tensor, value: np.ndarray, values: dict[str, np.ndarray], report: LoadReport
) -> None:
    """Add ``value``, converted to the tensor's type, to ``values``, or its difference to the report."""
    wanted, shape = str(tensor.dtype).rpartition(".")[2], tuple(tensor.shape)
    found = "bfloat16" if value.dtype == np.uint16 and wanted in FLOATS else value.dtype.name
    convertible = wanted == found or (wanted in FLOATS and found in FLOATS)
    if value.shape != shape or not convertible:
        report.mismatched.append(Mismatch(name, shape, wanted, tuple(value.shape), found))
        return
    if found == "bfloat16":
        value = (value.astype(np.uint32) << 16).view(np.float32)
    if found != wanted:
        report.converted[name] = (found, wanted)
    with np.errstate(over="ignore"):  # float32 beyond float16's range becomes infinity, which `_check_finite` names
        values[name] = value.astype("float32" if wanted == "bfloat16" else wanted, copy=False)


def _check_finite(values: Mapping[str, np.ndarray], source: str) -> None:
    bad = [name for name, value in values.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if bad:
        raise WeightsError(
            f"{len(bad)} tensors hold NaN or infinity: {', '.join(grouped(bad))}",
            where=source,
            fix="The training that wrote them diverged, or the file is damaged: use an earlier checkpoint",
        )


def _set(tensor: paddle.Tensor, value: np.ndarray) -> None:
    """Copy ``value`` into the model's tensor; numpy has no bfloat16, so that one goes through Paddle."""
    import paddle

    is_bfloat16 = str(tensor.dtype).endswith("bfloat16")
    tensor.set_value(paddle.to_tensor(value).astype("bfloat16") if is_bfloat16 else value)


def _check_set(own: Mapping[str, paddle.Tensor], values: Mapping[str, np.ndarray], source: str) -> None:
    """Read every tensor back: a state dict that holds copies would otherwise swallow the weights silently."""
    for name, value in values.items():
        tensor = own[name]
        is_bfloat16 = str(tensor.dtype).endswith("bfloat16")
        now = (tensor.astype("float32") if is_bfloat16 else tensor).numpy()
        same = np.allclose(now, value, rtol=2**-7) if is_bfloat16 else np.array_equal(now, value)
        if not same:
            raise WeightsError(
                f"{name!r} does not hold the value it was given",
                where=source,
                fix="The model's state_dict() returns copies: load into the model that owns the tensors",
            )
