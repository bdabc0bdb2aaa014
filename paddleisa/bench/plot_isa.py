"""The plot of ``bench isa``: time and memory by size of the map, and where memory ran out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddleisa.bench.plotting import BLUE, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from paddleisa.bench.report import Report, Row

_KINDS = {"isa": ("ISA", BLUE, "o"), "dense": ("dense", ORANGE, "s")}
_WAYS = (("forward", "--"), ("forward + backward", "-"))


def draw(report: Report) -> Figure:
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
