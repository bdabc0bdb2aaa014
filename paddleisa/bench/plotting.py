"""How the benches' plots look, and where they are written. No display, none of matplotlib's globals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.errors import UsageError
from paddleisa.utils.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from paddleisa.bench.report import Report

BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#dd8a2e", "#3f8f5b", "#5f6b7a"
COLOURS = (BLUE, ORANGE, GREEN, "#a4508b", "#c94f4f", "#2a9d9d", "#8a7a3a", GREY)


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
