"""Whose ISANets can be converted: each lineage's names of tensors beside ours, and what else is folded into the values.

Not one of the files of the last three was ever loaded here: their names and meaning are those of the code that writes
and reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from paddleisa.zoo.mmseg_names import DEPTHS, Pair, biased, name_table, stages, unit

RELATIONS = {"long_range_sa": "global_relation", "short_range_sa": "local_relation"}
EPSILON = 1e-5  # of InPlaceABN


@dataclass(frozen=True)
class Lineage:
    """One project's ISANet.

    Attributes:
        title: the project.
        classifier: its name of the classifier's weight, which no other lineage has.
        table: from the backbone's depth to ours by its name, for every tensor.
        backbone: what its backbone's names begin with.
        auxiliary: what its auxiliary head's names begin with; that may be missing as a whole.
        variants: parts of names that some of its versions have and others not, and what stands in the table.
        fold: from the values under our names to those that compute the same here.
    """

    title: str
    classifier: str
    table: Callable[[int], dict[str, str]]
    backbone: str
    auxiliary: str
    variants: Mapping[str, str] = field(default_factory=dict)
    fold: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] = dict


def _ssseg(depth: int) -> Iterator[Pair]:
    for i in range(3):
        yield from unit(f"backbone_net.stem.{3 * i}", f"backbone_net.stem.{3 * i + 1}", f"backbone.conv1_{i + 1}")
    yield from stages(DEPTHS[depth], "backbone_net")
    yield from unit("in_conv.0", "in_conv.1", "head.in_conv")
    for relation in RELATIONS.values():
        for project in ("key_project", "query_project"):
            for i in range(2):
                theirs = f"{relation}.{project}.{i}"
                yield from unit(f"{theirs}.0", f"{theirs}.1", f"head.{theirs}")
        yield f"{relation}.value_project.weight", f"head.{relation}.value_project.weight"
        theirs = f"{relation}.output_project"
        yield from unit(f"{theirs}.0", f"{theirs}.1", f"head.{theirs}")
    yield from unit("out_conv.0", "out_conv.1", "head.out_conv")
    yield from biased("decoder.1", "head.cls.1")
    yield from unit("auxiliary_decoder.0", "auxiliary_decoder.1", "head.aux.0")
    yield from biased("auxiliary_decoder.4", "head.aux.2")


def _openseg_backbone(depth: int) -> Iterator[Pair]:
    for i in (1, 2, 3):
        yield from unit(f"backbone.resinit.conv{i}", f"backbone.resinit.bn{i}", f"backbone.conv1_{i}")
    yield from stages(DEPTHS[depth])


def _openseg(depth: int) -> Iterator[Pair]:
    yield from _openseg_backbone(depth)
    yield from unit("isa_head.0", "isa_head.1", "head.in_conv")
    for theirs, ours in RELATIONS.items():
        block = f"isa_head.2.stages.0.{theirs}"
        for function, project in (("f_key", "key_project"), ("f_query", "query_project")):
            for i in range(2):
                names = f"{block}.{function}.{2 * i}", f"{block}.{function}.{2 * i + 1}"
                yield from unit(*names, f"head.{ours}.{project}.{i}")
        yield f"{block}.f_value.weight", f"head.{ours}.value_project.weight"
        yield from unit(f"{block}.W.0", f"{block}.W.1", f"head.{ours}.output_project")
    yield from unit("isa_head.2.conv_bn.0", "isa_head.2.conv_bn.1", "head.out_conv")
    yield from biased("cls_head", "head.cls.1")
    yield from unit("dsn_head.0", "dsn_head.1", "head.aux.0")
    yield from biased("dsn_head.3", "head.aux.2")


def _base_oc(depth: int) -> Iterator[Pair]:
    def with_bias(conv: str, norm: str, ours: str) -> Iterator[Pair]:
        yield from unit(conv, norm, ours)
        yield f"{conv}.bias", f"{ours}._conv.bias"  # folded into the norm below

    yield from _openseg_backbone(depth)
    yield from with_bias("oc_module_pre.0", "oc_module_pre.1", "head.in_conv")
    block = "oc_module.stages.0"
    for function, project in (("f_key", "key_project"), ("f_query", "query_project")):
        for i in range(2):
            names = f"{block}.{function}.{2 * i}", f"{block}.{function}.{2 * i + 1}"
            yield from with_bias(*names, f"head.relation.{project}.{i}")
    yield from biased(f"{block}.f_value", "head.relation.value_project")
    yield from biased(f"{block}.W", "head.relation.output_project")
    yield from with_bias("oc_module.conv_bn_dropout.0", "oc_module.conv_bn_dropout.1", "head.out_conv")
    yield from biased("cls", "head.cls.1")
    yield from with_bias("dsn.0", "dsn.1", "head.aux.0")
    yield from biased("dsn.2", "head.aux.2")


def _fold_in_place_abn(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """InPlaceABN scales by |weight| + epsilon; a bias before a norm is the same as a mean that is less by it.

    Their images are BGR, ours RGB: the first convolution takes its channels in reverse.
    """
    folded = {name: value for name, value in state.items() if not name.endswith("._conv.bias")}
    for name in folded:
        if name.endswith("._batch_norm.weight"):
            folded[name] = (np.abs(folded[name]) + EPSILON).astype(folded[name].dtype)
    for name in state.keys() - folded.keys():
        mean = name.replace("._conv.bias", "._batch_norm._mean")
        folded[mean] = folded[mean] - state[name]
    first = "backbone.conv1_1._conv.weight"
    folded[first] = np.ascontiguousarray(folded[first][:, ::-1])
    return folded


MMSEG = Lineage(
    "mmsegmentation",
    "decode_head.conv_seg.weight",
    name_table,
    "backbone",
    "auxiliary_head.",
    {".value_project.conv.": ".value_project."},
)
LINEAGES = {
    "mmseg": MMSEG,
    "ssseg": Lineage(
        "SSSegmentation", "decoder.1.weight", lambda depth: dict(_ssseg(depth)), "backbone_net", "auxiliary_decoder."
    ),
    "openseg": Lineage(
        "openseg.pytorch",
        "cls_head.weight",
        lambda depth: dict(_openseg(depth)),
        "backbone",
        "dsn_head.",
        fold=_fold_in_place_abn,
    ),
    "base_oc": Lineage(
        "openseg.pytorch's Base-OC",
        "cls.weight",
        lambda depth: dict(_base_oc(depth)),
        "backbone",
        "dsn.",
        fold=_fold_in_place_abn,
    ),
}
