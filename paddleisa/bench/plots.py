"""The benches' plots, and where they are written. No display, none of matplotlib's globals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.bench.train import PARTS
from paddleisa.errors import UsageError
from paddleisa.utils.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from paddleisa.bench.report import Report, Row

BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#dd8a2e", "#3f8f5b", "#5f6b7a"
COLOURS = (BLUE, ORANGE, GREEN, "#a4508b", "#c94f4f", "#2a9d9d", "#8a7a3a", GREY)
_KINDS = {"isa": ("ISA", BLUE, "o"), "dense": ("dense", ORANGE, "s")}
_WAYS = (("forward", "--"), ("forward + backward", "-"))


def require_matplotlib() -> None:
    """Raise UsageError, with the pip command, unless plots can be drawn."""
    from paddleisa.deploy.packages import installed

    if not installed("matplotlib"):
        raise UsageError("matplotlib is not installed", where="--plot", fix="Run pip install matplotlib")


def new_figure(report: Report, title: str, panels: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of ``size`` inches with panels side by side, a title, and the machine under it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    env = report.environment()
    paddle = next((f"Paddle {v}" for k, v in env["packages"].items() if k.startswith("paddlepaddle")), "")
    threads = int(env["threads"].get("OMP_NUM_THREADS", env["cores"]))
    where = "" if report.device in (None, "cpu") else f"{report.device}, "
    machine = f"{where}{env['processor']}, {threads} thread{'s' if threads > 1 else ''}, {paddle}"
    figure.suptitle(title, fontsize=13, fontweight="bold", color="#1f2933")
    figure.supxlabel(machine, fontsize=8, color=GREY)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis in axes:
        axis.grid(True, which="major", color="#e3e7ec", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(colors="#3b4754", labelsize=9)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axis.spines[side].set_color("#b8c1cc")
    return figure, list(axes)


def save(figure: Figure, path: str) -> None:
    """Write ``figure`` in the format that the name ends with."""
    with atomic_write(path) as stream:
        figure.savefig(stream, format=Path(path).suffix[1:].lower())


def draw_isa(report: Report) -> Figure:
    """Two panels with logarithmic axes."""
    figure, axes = new_figure(report, "Interlaced against dense self-attention", 2, (11, 5))
    ways = [sorted(table.rows, key=lambda row: row["positions"]) for table in report.tables[1:]]
    for axis, unit, label in zip(axes, ("ms", "mib"), ("time, ms", "memory, MiB"), strict=True):
        axis.set_xscale("log")
        axis.set_yscale("log")
        for rows, (way, line) in zip(ways, _WAYS, strict=True):
            for kind, (name, colour, marker) in _KINDS.items():
                found = [(row["positions"], row[f"{kind}_{unit}"]) for row in rows if row[f"{kind}_{unit}"]]
                filled = colour if line == "-" else "white"
                axis.plot(*zip(*found, strict=True) if found else ([], []), line, color=colour, marker=marker,
                          markersize=6, markerfacecolor=filled, linewidth=1.8, label=f"{name}, {way}")  # fmt: skip
        _mark_missing(axis, ways)
        _name_sizes(axis, ways[0])
        axis.set_ylabel(label, fontsize=10)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high * (high / low) ** 0.25)  # room for legend and crosses
    axes[0].legend(*_once(axes[0]), fontsize=8.5, frameon=False, loc="upper left")
    return figure


def _mark_missing(axis: Axes, ways: list[list[Row]]) -> None:
    """A cross on the upper edge wherever memory ran out, filled like the points that are missing."""
    for rows, (_, line), height in zip(ways, _WAYS, (0.92, 0.975), strict=True):
        for kind, (_, colour, _) in _KINDS.items():
            places = [row["positions"] for row in rows if row[f"{kind}_cell"] == "out of memory"]
            if places:
                axis.plot(places, [height] * len(places), "X", color=colour, markersize=9, markeredgewidth=1.4,
                          markerfacecolor=colour if line == "-" else "white", clip_on=False,
                          transform=axis.get_xaxis_transform(), label="out of memory")  # fmt: skip


def _name_sizes(axis: Axes, rows: list[Row]) -> None:
    """Ticks at the sizes that were measured, by their names."""
    places = {row["positions"]: row["size"] for row in rows}
    axis.set_xticks(list(places), list(places.values()), rotation=40, ha="right")
    axis.minorticks_off()
    axis.set_xlabel("feature map", fontsize=10)


def _once(axis: Axes) -> tuple[list, list[str]]:
    """Handles and labels of the legend, each label once."""
    handles, labels = axis.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    return list(by_label.values()), list(by_label)


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


DRAW = {"isa": draw_isa, "model": draw_model, "data": draw_data, "train": draw_train}
