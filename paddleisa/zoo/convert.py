"""Weights from one format into another, and other projects' ISANets into ours (``lineages.py``).

Reading runs nothing of the file: `.pdparams` and PyTorch checkpoints are interpreted (`paddleisa.weights`), and neither
paddle nor torch is imported.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paddleisa.errors import UsageError, WeightsError
from paddleisa.utils.files import sha256_of
from paddleisa.weights import read_weights, save_weights
from paddleisa.weights.report import grouped
from paddleisa.weights.safe_pickle.torch_file import is_torch, read_torch
from paddleisa.zoo.lineages import LINEAGES, MMSEG, Lineage
from paddleisa.zoo.mmseg_names import COUNTER, depth_of

Names = Literal["auto", "mmseg", "ssseg", "openseg", "base_oc"]
_PARALLEL = "module."  # what PyTorch's DataParallel puts before every name


@dataclass(frozen=True)
class Conversion:
    """What a conversion did; the last three are facts of another project's model."""

    source: str
    target: str
    source_sha256: str
    target_sha256: str
    names: str  # whose names the source had: `paddleisa`, or the title of a lineage
    tensors: int  # how many were written
    elements: int  # numbers in them
    dropped: tuple[str, ...] = ()  # names without a counterpart here (PyTorch's counters of training steps)
    backbone: str | None = None
    num_classes: int | None = None
    auxiliary_head: bool | None = None  # without it, a config needs `enable_auxiliary_loss: False`

    def to_dict(self) -> dict[str, object]:
        """As plain data for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.target}: {self.tensors} tensors, {self.elements} numbers, from {self.source}"]
        if self.backbone:
            lines.append(f"  {self.names}'s ISANet on {self.backbone}, {self.num_classes} classes")
            if not self.auxiliary_head:
                lines.append("  without the auxiliary head: the config needs model.enable_auxiliary_loss=False")
        if self.dropped:
            lines.append(f"  left out: {len(self.dropped)} counters of training steps, which Paddle does not have")
        return "\n".join(lines)


def convert(
    source: str | os.PathLike, target: str | os.PathLike, *, names: Names = "auto", force: bool = False
) -> Conversion:
    """Write the weights in ``source`` to ``target``; types and values stay as they are.

    Args:
        source: a ``.pdparams``, a ``.safetensors``, or a PyTorch checkpoint of an ISANet. The format is recognised by
            content.
        target: ends in ``.pdparams`` or ``.safetensors``. The file is whole or not there.
        names: whose names the tensors have, a key of ``LINEAGES``; ``auto`` finds out.
        force: replace ``target`` if it is there.

    Raises:
        UsageError: ``target`` exists, is ``source``, or has another suffix.
        WeightsError: ``source`` cannot be read, or holds other tensors than an ISANet.
        WriteError: ``target`` cannot be written.
    """
    source, target = Path(source), Path(target)
    _check_target(source, target, force)
    torch = is_torch(source)
    state = read_torch(source) if torch else read_weights(source)
    facts: dict[str, Any] = {"names": "paddleisa"}
    lineage = lineage_of(state) if names == "auto" else LINEAGES[names]
    if lineage is None and (torch or any(_bare(name).startswith("decode_head.") for name in state)):
        lineage = MMSEG  # whose message says what is missing
    if lineage is not None:
        try:
            state, facts = rename(state, lineage)
        except WeightsError as error:
            raise WeightsError(error.problem, where=source, fix=error.fix) from error
    source_hash = sha256_of(source)
    note = {"converted_from": source.name, "source_sha256": source_hash}
    save_weights(state, target, metadata=note if target.suffix == ".safetensors" else None)
    return Conversion(
        source=str(source),
        target=str(target),
        source_sha256=source_hash,
        target_sha256=sha256_of(target),
        tensors=len(state),
        elements=sum(array.size for array in state.values()),
        **facts,
    )


def lineage_of(state: Collection[str]) -> Lineage | None:
    """Whose names these are; None where they are none of another project's that is known."""
    bare = {_bare(name) for name in state}
    return next((lineage for lineage in LINEAGES.values() if lineage.classifier in bare), None)


def rename(state: Mapping[str, np.ndarray], lineage: Lineage) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Another project's ISANet under our names, and the facts of `Conversion` that follow from its tensors.

    Strict: every tensor of its network on a ResNet-50 or -101 must be there, and no other one, except that the
    auxiliary head may be missing as a whole.

    Raises:
        WeightsError: without a place; names what is missing or not expected.
    """
    theirs: dict[str, np.ndarray] = {}
    dropped = []
    for name, array in state.items():
        if name.endswith(COUNTER):
            dropped.append(name)
            continue
        bare = _bare(name)
        for variant, usual in lineage.variants.items():
            bare = bare.replace(variant, usual)
        if bare in theirs:
            raise WeightsError(f"has {bare!r} twice, with and without {_PARALLEL!r} or '.conv'")
        theirs[bare] = array
    if lineage.classifier not in theirs or not any(name.startswith(f"{lineage.backbone}.") for name in theirs):
        raise WeightsError(
            f"does not hold {lineage.title}'s names, but {', '.join(grouped(list(theirs))[:5])}",
            fix="Other PyTorch models cannot be converted: ISANet's head and backbone are looked for",
        )
    depth = depth_of(theirs, lineage.backbone)
    auxiliary = any(name.startswith(lineage.auxiliary) for name in theirs)
    table = {t: own for t, own in lineage.table(depth).items() if auxiliary or not t.startswith(lineage.auxiliary)}
    _require_equal(table.keys(), theirs.keys(), lineage)
    renamed = lineage.fold({own: theirs[name] for name, own in table.items()})
    return renamed, {
        "names": lineage.title,
        "dropped": tuple(dropped),
        "backbone": f"ResNet{depth}_v1c",
        "num_classes": len(theirs[lineage.classifier]),
        "auxiliary_head": auxiliary,
    }


def _bare(name: str) -> str:
    return name.removeprefix(_PARALLEL)


def _require_equal(wanted: Collection[str], found: Collection[str], lineage: Lineage) -> None:
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    if missing or unexpected:
        both = ((missing, "missing"), (unexpected, "unexpected"))
        parts = [f"{len(names)} {what}: {', '.join(grouped(names))}" for names, what in both if names]
        raise WeightsError(
            f"is not {lineage.title}'s ISANet; tensors {'; '.join(parts)}",
            fix="Only its network on a ResNet-50 or -101 with deep stem can be converted",
        )


def _check_target(source: Path, target: Path, force: bool) -> None:
    if target.suffix not in (".pdparams", ".safetensors"):
        raise UsageError(
            "weights are written as .pdparams or .safetensors", where=target, fix="Choose one by the suffix"
        )
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError("source and target are the same file", where=target, fix="Choose another name")
    if target.exists() and not force:
        raise UsageError("exists already", where=target, fix="Choose another name, or replace it with --force")
