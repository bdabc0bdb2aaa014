"""The plot of ``bench isa``: time and memory by size of the map, and where memory ran out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddleisa.bench.plotting import BLUE, GREY, ORANGE, new_figure

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
        axis.margins(y=0.12)
    axes[0].legend(fontsize=8.5, frameon=False, loc="upper left")
    return figure


def _mark_missing(axis: Axes, ways: list[list[Row]]) -> None:
    """A cross on the upper edge wherever memory ran out."""
    missing: dict[int, set[str]] = {}
    for rows, (way, _) in zip(ways, _WAYS, strict=True):
        for row in rows:
            for kind in _KINDS:
                if row[f"{kind}_cell"]:
                    missing.setdefault(row["positions"], set()).add(f"{_KINDS[kind][0]}, {way}")
                    axis.plot([row["positions"]], [0.97], "x", color=_KINDS[kind][1], markersize=10,
                              markeredgewidth=2.5, transform=axis.get_xaxis_transform())  # fmt: skip
    for positions, names in missing.items():
        words = "\n".join(["out of memory:", *sorted(names)])
        axis.annotate(words, (positions, 0.94), xycoords=axis.get_xaxis_transform(), ha="right", va="top",
                      fontsize=7.5, color=GREY, xytext=(4, 0), textcoords="offset points")  # fmt: skip


def _name_sizes(axis: Axes, rows: list[Row]) -> None:
    """Ticks at the sizes that were measured, by their names."""
    places = {row["positions"]: row["size"] for row in rows}
    axis.set_xticks(list(places), list(places.values()), rotation=40, ha="right")
    axis.minorticks_off()
    axis.set_xlabel("feature map", fontsize=10)
