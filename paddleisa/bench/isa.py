"""``bench isa``: the paper's claim on this machine, interlaced against dense self-attention by size of the map.

Both blocks are made of the same ``SelfAttention`` layer with the same projections. ISA takes two of them, one over the
long range and one over the short range, hence twice the parameters; dense takes one over all positions. Both take
(N, in_channels, H, W) and give the same shape. Nothing around them (backbone, classifier) is measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from paddleisa.bench.measuring import Outcome, announced, run_in_child
from paddleisa.bench.report import Column, Report, Row, Table, given
from paddleisa.errors import UsageError
from paddleisa.utils.options import gibibytes, option, positive

if TYPE_CHECKING:
    from paddle import nn

Size = tuple[int, int]
SIZES: tuple[Size, ...] = ((32, 32), (64, 64), (97, 97), (128, 128), (257, 129), (256, 256))
BLOCKS = ("isa", "dense")
PASSES = {"forward": "forward, evaluation mode", "training": "forward and backward, training mode"}
WHAT = (
    "interlaced sparse self-attention (ISA: two self-attention layers, long range and short range) against dense "
    "self-attention (one layer over all positions), with the same projections"
)
WHAT_HEADS = (
    "the heads of two networks that the paper's authors published: ISANet (interlaced sparse self-attention) and "
    "Base-OC (dense self-attention), on maps of 2048 channels, classifier included"
)


@dataclass(frozen=True)
class Settings:
    """What is the same for every measurement."""

    batch: int = option(1, "maps in a batch")
    in_channels: int = option(512, "channels of the map")
    channels: int = option(256, "channels of query and key")
    window: tuple[int, int] = option((8, 8), "window of ISA", nargs=2, type=positive, metavar=("H", "W"))
    repeats: int = option(5, "measured runs after one that warms up; the median counts")
    memory_limit: float | None = option(
        None, "on a CPU, what needs more is out of memory (default: what is free)", type=gibibytes, metavar="GIB"
    )
    heads: bool = option(False, "compare the heads of the authors' ISANet and Base-OC instead of two layers")
    device: str = "cpu"

    def __post_init__(self):
        if self.heads and (self.in_channels, self.channels, tuple(self.window)) != (512, 256, (8, 8)):
            raise UsageError(
                "the published heads have their own channels and window",
                where="--heads",
                fix="Leave out --in_channels, --channels and --window",
            )

    @property
    def input_channels(self) -> int:
        """Channels of the map that is fed."""
        from paddleisa.bench.cost import PUBLISHED_CHANNELS

        return PUBLISHED_CHANNELS if self.heads else self.in_channels

    def build(self, kind: str) -> nn.Layer:
        """What is measured: a block, or a published head."""
        from paddleisa.bench.cost import PublishedHead, build_block

        return PublishedHead(kind) if self.heads else build_block(kind, self.in_channels, self.channels, self.window)

    def flops(self, kind: str, size: Size) -> int:
        """Of the forward pass of a block."""
        from paddleisa.bench.cost import dense_flops, head_cost, interlaced_flops

        if self.heads:
            return head_cost(kind, size, self.batch)
        if kind == "isa":
            return interlaced_flops(size, self.batch, self.in_channels, self.channels, self.window)
        return dense_flops(size, self.batch, self.in_channels, self.channels)


def bench_isa(sizes: list[Size], settings: Settings) -> Report:
    """Measure both blocks at every (height, width), forward and in training."""
    cases = [(size, kind, way) for size in sizes for way in PASSES for kind in BLOCKS]
    names = [f"{kind} {_name(size)} {way}" for size, kind, way in cases]
    work = [settings.flops(kind, size) * (3 if way == "training" else 1) for size, kind, way in cases]
    outcomes: dict[tuple[Size, str, str], Outcome] = {}
    for case in announced(cases, names, work):
        size, kind, way = case
        outcomes[case] = run_in_child(measure_block, size=size, kind=kind, way=way, settings=asdict(settings))
    tables = [_counted(sizes, settings)]
    for way, title in PASSES.items():
        rows = [_row(size, {kind: outcomes[size, kind, way] for kind in BLOCKS}) for size in sizes]
        tables.append(
            Table(f"{title}: median time; peak memory of one run, beyond what was held before", _COLUMNS, rows)
        )
    notes = [_parameters(settings)]
    notes += [f"{name}: {outcomes[case].problem}" for case, name in zip(cases, names, strict=True)
              if outcomes[case].problem]  # fmt: skip
    return Report(
        "bench isa",
        WHAT_HEADS if settings.heads else WHAT,
        settings.device,
        given(settings, leave_out=("device",)),
        tables,
        notes,
    )


def measure_block(size: Size, kind: str, way: str, settings: dict) -> dict[str, object]:
    """One block at one size, in this process: seconds of each run, bytes at the peak.

    Raises:
        OutOfMemory: it needs more memory than there is; nothing was allocated.
    """
    import paddle

    from paddleisa.bench.measuring import measure
    from paddleisa.utils import environment, memory

    chosen = Settings(**{**settings, "window": tuple(settings["window"])})
    environment.set_device(chosen.device)
    training = way == "training"
    if chosen.device == "cpu":  # where the system would kill; a GPU's allocator says that it has no more
        memory.require(needed_bytes(kind, (size[0], size[1]), training, chosen), chosen.memory_limit)
    paddle.seed(0)
    block = chosen.build(kind)
    block.train() if training else block.eval()
    x = paddle.randn([chosen.batch, chosen.input_channels, *size])
    x.stop_gradient = not training  # as between other layers, where the gradient must go on to the input

    def run(x: paddle.Tensor) -> None:
        with paddle.set_grad_enabled(training):
            result = block(x)
        if training:
            result.sum().backward()
            block.clear_gradients()
            x.clear_gradient()

    small = x[:, :, :8, :8].detach()
    small.stop_gradient = not training
    run(small)  # what the libraries allocate once, at their first call, is not the block's
    with memory.PeakMemory() as peak:  # of one run; after several the allocator's gaps count, which vary
        run(x)
    seconds = measure(lambda: run(x), chosen.repeats, warmup=0)
    return {"seconds": seconds, "bytes": peak.growth}


def needed_bytes(kind: str, size: Size, training: bool, settings: Settings) -> int:
    """The least memory that a block can do with, in float32.

    Forward: the weights of all pairs of positions before and after softmax, and the maps of query, key, value and
    result. Training: a third copy of the weights, and the maps' gradients.
    """
    height, width = size
    positions = settings.batch * height * width
    ph, pw = settings.window
    group = max(-(-height // ph) * -(-width // pw), ph * pw) if kind == "isa" else height * width
    maps = 2 * settings.channels + 2 * settings.in_channels
    return 4 * positions * ((3 if training else 2) * group + (2 if training else 1) * maps)


_COLUMNS = [
    Column("size", "map"),
    Column("isa_ms", "ISA ms", 1, "isa_cell"),
    Column("dense_ms", "dense ms", 1, "dense_cell"),
    Column("time_factor", "dense / ISA", 2),
    Column("isa_mib", "ISA MiB", 1, "isa_cell"),
    Column("dense_mib", "dense MiB", 1, "dense_cell"),
    Column("memory_factor", "dense / ISA", 2),
]


def _row(size: Size, outcomes: dict[str, Outcome]) -> Row:
    import numpy as np

    row: Row = {"size": _name(size), "positions": size[0] * size[1]}
    for kind, outcome in outcomes.items():
        value = outcome.value
        row[f"{kind}_ms"] = 1e3 * float(np.median(value["seconds"])) if value else None
        row[f"{kind}_mib"] = value["bytes"] / 2**20 if value else None
        row[f"{kind}_seconds"] = value["seconds"] if value else None
        row[f"{kind}_problem"], row[f"{kind}_cell"] = outcome.problem, outcome.cell
    for factor, unit in (("time", "ms"), ("memory", "mib")):
        isa, dense = row[f"isa_{unit}"], row[f"dense_{unit}"]
        row[f"{factor}_factor"] = dense / isa if isa and dense else None
    row["failed"] = all(outcome.problem for outcome in outcomes.values())
    return row


def _counted(sizes: list[Size], settings: Settings) -> Table:
    rows = []
    for size in sizes:
        isa, dense = (settings.flops(kind, size) for kind in BLOCKS)
        row = {"size": _name(size), "positions": size[0] * size[1], "isa_gflop": isa / 1e9, "dense_gflop": dense / 1e9}
        rows.append({**row, "factor": dense / isa})
    columns = [Column("size", "map"), Column("positions", "positions"), Column("isa_gflop", "ISA GFLOP", 3)]
    columns += [Column("dense_gflop", "dense GFLOP", 3), Column("factor", "dense / ISA", 2)]
    return Table("forward, counted: a multiplication and an addition are 2 FLOP; backward is twice that", columns, rows)


def _parameters(settings: Settings) -> str:
    from paddleisa.bench.cost import parameter_count

    isa, dense = (parameter_count(settings.build(kind)) for kind in BLOCKS)
    return f"parameters: ISA {isa:,}, dense {dense:,}"


def _name(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
