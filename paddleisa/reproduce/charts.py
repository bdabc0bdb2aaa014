"""Charts as SVG text, to stand inside an HTML page: no script, no font or file from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

BLUE, ORANGE = "#2b6cb0", "#dd8a2e"
_ROW, _BAR = 30, 11  # height of a class's line and of one bar, pixels


def bars(class_names: Sequence[str], series: Sequence[tuple[str, np.ndarray, np.ndarray]], width: int = 900) -> str:
    """Horizontal bars of values in 0..1, one line per class, one bar per series (at most two).

    Args:
        class_names: K names.
        series: (title, (K,) values, (K,) bool): where the last is true, the class neither occurs nor is predicted, and
            that word stands instead of a bar.
        width: pixels.
    """
    left, right = _name_width(class_names), 52
    scale = width - left - right
    top, bottom = 26, 22
    height = top + _ROW * len(class_names) + bottom
    parts = [_open(width, height, "IoU of each class")]
    x = left
    for (title, _, _), colour in zip(series, (BLUE, ORANGE), strict=False):
        parts.append(f'<rect x="{x}" y="4" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(_text(x + 18, 14, title))
        x += 34 + 7 * len(title)
    for tick in range(0, 101, 20):
        tick_x = left + scale * tick / 100
        parts.append(f'<line x1="{tick_x:.1f}" y1="{top}" x2="{tick_x:.1f}" y2="{height - bottom}" class="grid"/>')
        parts.append(_text(tick_x, height - 6, str(tick), anchor="middle", kind="faint"))
    for row, name in enumerate(class_names):
        y = top + _ROW * row
        parts.append(_text(left - 8, y + _ROW / 2 + 4, name, anchor="end"))
        for number, ((title, values, absent), colour) in enumerate(zip(series, (BLUE, ORANGE), strict=False)):
            bar_y = y + (_ROW - _BAR * len(series)) / 2 + _BAR * number
            if absent[row]:
                parts.append(_text(left + 5, bar_y + _BAR - 2.5, "absent", kind="small faint"))
                continue
            long, percent = scale * float(values[row]), f"{100 * values[row]:.1f}"
            tip = f"<title>{escape(name)}, {escape(title)}: {percent}</title>"
            parts.append(
                f'<rect x="{left}" y="{bar_y:.1f}" width="{max(long, 0.5):.1f}" height="{_BAR - 1}" '
                f'fill="{colour}">{tip}</rect>'
            )
            parts.append(_text(left + long + 5, bar_y + _BAR - 2.5, percent, kind="small"))
    return "".join(parts) + "</svg>"


def heatmap(class_names: Sequence[str], matrix: np.ndarray) -> str:
    """A confusion matrix with each row (a true class) in per cent of its pixels; empty rows stay white.

    Colour goes with the square root, so that a confusion of a few per cent can be seen; cells of 1 % and more carry
    their number where there is room.

    Args:
        class_names: K names.
        matrix: (K, K) counts; ``matrix[i, j]``: pixels of class i predicted as class j.
    """
    count = len(class_names)
    cell = max(5.0, min(30.0, 640 / count))
    left, top = _name_width(class_names), _name_width(class_names)
    width, height = left + cell * count + 12, top + cell * count + 12
    true = matrix.sum(1, keepdims=True)
    share = np.divide(matrix, true, out=np.zeros(matrix.shape), where=true > 0)
    parts = [_open(width, height, "Confusion matrix")]
    for row, name in enumerate(class_names):
        middle = cell * (row + 0.5)
        if cell >= 9:
            parts.append(_text(left - 6, top + middle + 4, name, anchor="end"))
            across, up = left + middle + 4, top - 6
            parts.append(
                f'<text x="{across:.1f}" y="{up}" transform="rotate(-90 {across:.1f} {up})">{escape(name)}</text>'
            )
        for column in range(count):
            value = float(share[row, column])
            x, y = left + cell * column, top + cell * row
            tip = f"{name} seen as {class_names[column]}: {100 * value:.2f} %"
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{cell:.1f}" fill="{_shade(value**0.5)}" '
                f'class="cell"><title>{escape(tip)}</title></rect>'
            )
            if cell >= 22 and value >= 0.01:
                kind = "small light" if value > 0.3 else "small"
                number = f"{100 * value:.0f}"
                parts.append(_text(x + cell / 2, y + cell / 2 + 3.5, number, anchor="middle", kind=kind))
    return "".join(parts) + "</svg>"


def _open(width: float, height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}"' + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f"<text {place}" + (f' class="{kind}"' if kind else "") + f">{escape(text)}</text>"


def _name_width(names: Sequence[str]) -> int:
    return 22 + int(6.8 * max(map(len, names), default=0))


def _shade(value: float) -> str:
    """White at 0 to a dark blue at 1."""
    start, end = (255, 255, 255), (23, 76, 140)
    return "#" + "".join(f"{round(a + (b - a) * value):02x}" for a, b in zip(start, end, strict=True))
