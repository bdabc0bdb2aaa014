"""mmsegmentation's names of an ISANet's tensors beside ours, as one table for each depth of its ResNet-v1c."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from paddleisa.errors import WeightsError

Pair = tuple[str, str]  # (mmsegmentation's name, ours)

COUNTER = ".num_batches_tracked"  # PyTorch counts the training steps of each batch norm; Paddle does not
AUXILIARY = "auxiliary_head."
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_NORM = {"weight": "weight", "bias": "bias", "running_mean": "_mean", "running_var": "_variance"}


def name_table(depth: int) -> dict[str, str]:
    """Ours by mmsegmentation's name, for every tensor of ISANet on ResNet-v1c-``depth`` (50 or 101)."""
    return dict([*_backbone(DEPTHS[depth]), *_decode_head(), *_auxiliary_head()])


def depth_of(names: Collection[str], backbone: str = "backbone") -> int:
    """The depth of the ResNet whose names these are, by the blocks of its third stage.

    Args:
        names: of a whole network's tensors.
        backbone: what the names of its backbone begin with.

    Raises:
        WeightsError: without a place, when it is neither 50 nor 101.
    """
    blocks = {name.split(".")[2] for name in names if name.startswith(f"{backbone}.layer3.")}
    for depth, counts in DEPTHS.items():
        if len(blocks) == counts[2]:
            return depth
    raise WeightsError(
        f"has a backbone with {len(blocks)} blocks in its third stage; ResNet-v1c-50 has 6, ResNet-v1c-101 has 23",
        fix="Only ISANets on these two backbones can be converted",
    )


def unit(conv: str, norm: str, ours: str) -> Iterator[Pair]:
    """A convolution without bias and its batch norm, which are one ConvBNReLU here."""
    yield f"{conv}.weight", f"{ours}._conv.weight"
    for theirs, own in _NORM.items():
        yield f"{norm}.{theirs}", f"{ours}._batch_norm.{own}"


def _module(theirs: str, ours: str) -> Iterator[Pair]:
    """The same where mmsegmentation has a ConvModule."""
    return unit(f"{theirs}.conv", f"{theirs}.bn", ours)


def biased(theirs: str, ours: str) -> Iterator[Pair]:
    """A convolution with bias and nothing after it."""
    for kind in ("weight", "bias"):
        yield f"{theirs}.{kind}", f"{ours}.{kind}"


def _backbone(depths: tuple[int, ...]) -> Iterator[Pair]:
    for i in range(3):  # the stem is a Sequential of three times convolution, batch norm, ReLU
        yield from unit(f"backbone.stem.{3 * i}", f"backbone.stem.{3 * i + 1}", f"backbone.conv1_{i + 1}")
    yield from stages(depths)


def stages(depths: tuple[int, ...], backbone: str = "backbone") -> Iterator[Pair]:
    """The four stages of a ResNet of bottlenecks in PyTorch's usual names, which begin with ``backbone``."""
    for stage, depth in enumerate(depths):
        for number in range(depth):
            theirs, ours = f"{backbone}.layer{stage + 1}.{number}", f"backbone.bb_{stage}_{number}"
            for i in range(3):
                yield from unit(f"{theirs}.conv{i + 1}", f"{theirs}.bn{i + 1}", f"{ours}.conv{i}")
        first, ours = f"{backbone}.layer{stage + 1}.0.downsample", f"backbone.bb_{stage}_0.short"
        yield from unit(f"{first}.0", f"{first}.1", ours)


def _decode_head() -> Iterator[Pair]:
    yield from _module("decode_head.in_conv", "head.in_conv")
    for relation in ("global_relation", "local_relation"):
        theirs, ours = f"decode_head.{relation}", f"head.{relation}"
        for project in ("key_project", "query_project"):
            for i in range(2):
                yield from _module(f"{theirs}.{project}.{i}", f"{ours}.{project}.{i}")
        yield from biased(f"{theirs}.value_project", f"{ours}.value_project")
        yield from _module(f"{theirs}.output_project", f"{ours}.output_project")
    yield from _module("decode_head.out_conv", "head.out_conv")
    yield from biased("decode_head.conv_seg", "head.cls.1")


def _auxiliary_head() -> Iterator[Pair]:
    yield from _module(f"{AUXILIARY}convs.0", "head.aux.0")
    yield from biased(f"{AUXILIARY}conv_seg", "head.aux.2")
