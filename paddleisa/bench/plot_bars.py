"""The plots of the benches that compare a few named things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddleisa.bench.plotting import BLUE, COLOURS, GREY, ORANGE, new_figure
from paddleisa.bench.train import PARTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from paddleisa.bench.report import Report, Row


def draw_model(report: Report) -> Figure:
    """Latency with its spread, and memory, of every engine and precision."""
    network, rows = report.tables[0].rows[0], report.tables[1].rows
    names = [f"{row['engine']} {row['precision']}" for row in rows]
    figure, (left, right) = new_figure(
        report, f"One image of {network['input']}", 2, (11, 1.8 + 0.5 * len(rows))
    )  # fmt: skip
    _bars(left, rows, names, "p50_ms", BLUE)
    for place, row in enumerate(rows):
        if not row["failed"]:
            left.plot([row["p50_ms"], row["p99_ms"]], [place] * 2, color=GREY, linewidth=2, solid_capstyle="butt")
    left.set_xlabel("ms: median, and to the 99th percentile", fontsize=9)
    _bars(right, rows, [""] * len(rows), "peak_mib", ORANGE)
    right.set_xlabel("peak memory, MiB", fontsize=9)
    return figure


def draw_data(report: Report) -> Figure:
    """Frames per second by threads, and what the steps take of a sample."""
    rates, shares = (table.rows for table in report.tables)
    figure, (left, right) = new_figure(report, "Reading and augmentation", 2, (11, 4.2))
    splits = list(dict.fromkeys(row["split"] for row in rates))
    for split, colour in zip(splits, COLOURS, strict=False):
        own = [row for row in rates if row["split"] == split and not row["failed"]]
        x, y = [row["workers"] for row in own], [row["frames_per_s"] for row in own]
        left.plot(x, y, color=colour, marker="o", linewidth=1.8, label=split)
        left.set_xticks(x)
    left.margins(y=0.12)
    left.set_ylim(bottom=0)
    left.set_xlabel("threads that read ahead", fontsize=9)
    left.set_ylabel("frames/s", fontsize=9)
    left.legend(frameon=False, fontsize=9)
    steps = list(dict.fromkeys(row["step"] for row in shares))
    spent = {(row["split"], row["step"]): row["ms"] for row in shares}
    _stacked(right, splits, steps, spent)
    right.set_xlabel("ms of a sample, one thread", fontsize=9)
    return figure


def draw_train(report: Report) -> Figure:
    """The parts of a step, and memory, by precision."""
    rows = report.tables[0].rows
    names = [row["precision"] for row in rows]
    figure, (left, right) = new_figure(report, "A training step", 2, (11, 2.6 + 0.5 * len(rows)))
    spent = {(row["precision"], part): row.get(f"{part}_ms") or 0.0 for row in rows for part in PARTS}
    _stacked(left, names, list(PARTS), spent)
    left.set_xlabel("ms", fontsize=9)
    _bars(right, rows, names, "peak_mib", ORANGE)
    right.set_xlabel("peak memory, MiB", fontsize=9)
    return figure


def _bars(axis: Axes, rows: list[Row], names: list[str], key: str, colour: str) -> None:
    """One bar for each row with its number, or the reason why there is none."""
    values = [row.get(key) or 0.0 for row in rows]
    axis.barh(range(len(rows)), values, color=colour, height=0.55)
    axis.set_yticks(range(len(rows)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(False, axis="y")
    whiskers = [row.get("p99_ms") or 0.0 if key == "p50_ms" else 0.0 for row in rows]
    ends = [max(pair) for pair in zip(values, whiskers, strict=True)]
    axis.set_xlim(0, 1.18 * max(ends, default=0.0) or 1)
    for place, (row, value, end) in enumerate(zip(rows, values, ends, strict=True)):
        words = row["cell"] if row["failed"] else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
        axis.annotate(words, (end, place), xytext=(5, 0), textcoords="offset points",
                      va="center", fontsize=8.5, color=GREY if row["failed"] else "#1f2933")  # fmt: skip


def _stacked(axis: Axes, names: list[str], parts: list[str], spent: dict[tuple[str, str], float]) -> None:
    """One bar for each name, made of the parts."""
    start = [0.0] * len(names)
    for part, colour in zip(parts, COLOURS * (1 + len(parts) // len(COLOURS)), strict=False):
        values = [spent.get((name, part), 0.0) for name in names]
        axis.barh(range(len(names)), values, left=start, color=colour, height=0.55, label=part)
        start = [a + b for a, b in zip(start, values, strict=True)]
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(False, axis="y")
    axis.margins(x=0.18)
    axis.set_xlim(left=0)
    for place, total in enumerate(start):
        axis.annotate(f"{total:.4g}" if total else "", (total, place), xytext=(5, 0), textcoords="offset points",
                      va="center", fontsize=8.5, color="#1f2933")  # fmt: skip
    axis.legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, columnspacing=1.2,
                handlelength=1.2)  # fmt: skip
