"""The class histogram of a check's report, as SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

_NAME, _BAR, _NUMBER, _LINE, _GAP = 150, 620, 110, 11, 8  # pixels


def class_chart(names: Sequence[str], palette: np.ndarray, splits: Sequence[tuple[str, Sequence[int]]]) -> str:
    """One group of bars per class, one bar per split, in the class's colour; later splits are drawn hatched.

    Bars are logarithmic, since shares of classes span four orders of magnitude; the numbers beside them are exact.

    Args:
        names: of the classes.
        palette: (K, 3) uint8.
        splits: (split's name, pixels of each class).
    """
    shares = [(name, np.asarray(counts, float) / max(1, sum(counts))) for name, counts in splits]
    group = _LINE * len(shares) + _GAP
    height = group * len(names) + 20
    out = [
        f"<svg viewBox='0 0 {_NAME + _BAR + _NUMBER} {height}' width='100%' role=img aria-label='class shares' "
        "font-family='system-ui, sans-serif' font-size=11>",
        "<defs><pattern id=hatch width=4 height=4 patternUnits=userSpaceOnUse patternTransform='rotate(45)'>"
        "<rect width=2 height=4 fill='#fff' fill-opacity='.55'/></pattern></defs>",
    ]
    for power in range(-4, 1):
        x = _NAME + _length(10.0**power)
        out.append(f"<line x1={x:.0f} x2={x:.0f} y1=14 y2={height} stroke='#e3e7eb'/>")
        label = f"{10.0 ** (power + 2):g} %"
        out.append(
            f"<text x={x:.0f} y=10 text-anchor={'end' if power == 0 else 'middle'} fill='#59636e'>{label}</text>"
        )
    for number, name in enumerate(names):
        top = 20 + number * group
        red, green, blue = (int(c) for c in palette[number])
        out.append(
            f"<text x={_NAME - 8} y={top + group / 2 + 1:.0f} text-anchor=end font-size=12>{html.escape(name)}</text>"
        )
        for line, (which, share) in enumerate(shares):
            y, width = top + line * _LINE, _length(share[number])
            box = f"x={_NAME} y={y} width={width:.1f} height={_LINE - 2}"
            out.append(f"<rect {box} fill='rgb({red},{green},{blue})' stroke='#888' stroke-width='.5'/>")
            if line:
                out.append(f"<rect {box} fill='url(#hatch)'/>")
            amount = f"{100 * share[number]:.3g} %" if share[number] else "never"
            colour = "#59636e" if share[number] else "#b3261e"
            out.append(f"<text x={_NAME + width + 5:.0f} y={y + 9} fill='{colour}'>{which} {amount}</text>")
    return "".join(out) + "</svg>"


def _length(share: float) -> float:
    """A bar's length: 0.01 % and less has none, 100 % the whole width."""
    return 0.0 if share <= 0 else max(2.0, _BAR * (4 + float(np.log10(max(share, 1e-4)))) / 4)
