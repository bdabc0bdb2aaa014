"""A check's report as one HTML file: what is suspicious first, with pictures, then the whole set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.check.browse import IGNORED, shrunk
from paddleisa.data.check.check import Checked, DataCheck, counted
from paddleisa.data.check.findings import KINDS, grouped
from paddleisa.datasets.images import read_image, read_label
from paddleisa.errors import DataError
from paddleisa.visual.html import Picture, picture, render
from paddleisa.visual.overlay import colorize, overlay

PICTURES = 60  # of suspicious samples, over all kinds
PER_KIND = 6
SAMPLES = 6  # of each split
_LISTED = 1000  # names of a kind
_EDGE = 300  # pixels of a picture's longer side
_NAME, _BAR, _NUMBER, _LINE, _GAP = 150, 620, 110, 11, 8  # pixels of the chart


def page(report: DataCheck) -> str:
    """The report as a self-contained HTML page."""
    errors, warnings = len(report.errors), len(report.warnings)
    words = "must be repaired" if errors else "nothing must be repaired"
    verdict = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}: {words}"
    header, rows = _overview(report)
    return render(
        "data_check.html",
        title=f"Data check: {report.name}",
        looked_at=f"{sum(len(part.stats) for part in report.parts):,}",
        seconds=f"{report.seconds:.0f}",
        tone="bad" if errors else "part" if warnings else "good",
        verdict=verdict if report.findings else "Nothing is wrong",
        groups=_groups(report),
        header=header,
        rows=rows,
        chart=_chart([part for part in report.parts if sum(part.counts)]),
        samples=[{"which": part.split.which, "samples": _samples(part)} for part in report.parts if part.split.rows],
    )


def _groups(report: DataCheck) -> list[dict[str, object]]:
    parts: dict[str, Checked] = {part.split.which: part for part in report.parts}
    left, groups = PICTURES, []
    for (kind, level), found in grouped(report.findings).items():
        shown = []
        for finding in found[:PER_KIND]:
            pictures = []
            if finding.row is not None and left > 0:
                left -= 1
                pictures = _pictures(parts[finding.split], finding.row)
            shown.append({**vars(finding), "pictures": pictures})
        others, cut = [finding.file for finding in found[PER_KIND:_LISTED]], len(found) > _LISTED
        group = {"title": KINDS[kind], "level": level, "count": len(found), "shown": shown}
        groups.append({**group, "others": others, "cut": cut})
    return groups


def _overview(report: DataCheck) -> tuple[list[str], list[list[str]]]:
    rows = []
    for part in report.parts:
        split, images = part.split, [s.image for s in part.stats.values() if s.image.trouble is None]
        labels = [sample.label for sample in part.stats.values() if sample.label is not None]
        cells = [split.which, f"{split.kind} {split.mode}", f"{len(split.rows):,}"]
        cells.append("" if split.expected is None else f"{split.expected:,} ({split.by})")
        cells += [_common(f"{s.size[0]}x{s.size[1]}" for s in images), _common(s.mode for s in images)]
        rows.append([*cells, _common(label.mode or "unreadable" for label in labels)])
    return ["split", "data set", "images", "should be", "sizes", "image", "label"], rows


def _common(values: Iterable[str]) -> str:
    """The commonest three values with how often they occur."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{value} ({count:,})" for value, count in counts[:3]) + (", ..." if len(counts) > 3 else "")


def _chart(parts: list[Checked]) -> dict[str, object] | None:
    """One group of bars per class, one bar per split, in the class's colour; later splits are drawn hatched.

    Bars are logarithmic, since shares of classes span four orders of magnitude; the numbers beside them are exact.
    """
    if not parts:
        return None
    classes, group = parts[0].split.classes, _LINE * len(parts) + _GAP
    ticks = [
        {"x": _NAME + round(_length(10.0**power)), "text": f"{10.0 ** (power + 2):g} %", "anchor": "middle"}
        for power in range(-4, 1)
    ]
    ticks[-1]["anchor"] = "end"
    names = [{"y": 20 + n * group + group // 2 + 1, "text": name} for n, name in enumerate(classes.names)]
    bars = []
    for line, part in enumerate(parts):
        counts = np.array(part.counts)
        for number, share in enumerate(counts / counts.sum()):
            amount = f"{100 * share:.3g} %" if share else "never"
            bar: dict[str, object] = {
                "y": 20 + number * group + line * _LINE,
                "width": round(_length(share), 1),
                "hatched": line > 0,
            }
            bar |= {"colour": "#" + bytes(classes.palette[number]).hex(), "seen": bool(share)}
            bars.append({**bar, "text": f"{part.split.which} {amount}"})
    size = {"width": _NAME + _BAR + _NUMBER, "height": group * len(classes) + 20, "left": _NAME}
    return {**size, "ticks": ticks, "names": names, "bars": bars}


def _length(share: float) -> float:
    """A bar's length: 0.01 % and less has none, 100 % the whole width."""
    return 0.0 if share <= 0 else max(2.0, _BAR * (4 + float(np.log10(max(share, 1e-4)))) / 4)


def _samples(part: Checked) -> list[tuple[str, list[Picture]]]:
    numbers = [n for n, s in part.stats.items() if s.image.trouble is None and s.label and s.label.trouble is None]
    step = max(1, len(numbers) // SAMPLES)
    return [(part.split.rows[number][0], _pictures(part, number)) for number in numbers[::step][:SAMPLES]]


def _pictures(part: Checked, row: int) -> list[Picture]:
    """A sample's image, label and both, as far as they can be read."""
    img, label, stored = _read(part, row)
    palette, found = part.split.classes.palette, []
    if img is not None:
        found.append(picture(shrunk(img, _EDGE), "image", ".jpg"))
    if stored is not None:
        found.append(picture(shrunk(stored, _EDGE, smooth=False), "label, as it is stored"))
    if label is not None:
        small = shrunk(part.split.classes.table()[label], _EDGE, smooth=False)
        found.append(picture(colorize(small, palette, IGNORED), "label (white: ignored or no class)"))
        if img is not None and img.shape[:2] == label.shape:
            seen = cv2.resize(img, small.shape[::-1], interpolation=cv2.INTER_AREA)
            found.append(picture(overlay(seen, small, palette, 0.55), "both", ".jpg"))
    return found


def _read(part: Checked, row: int) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Image, label, and the label as a plain picture where it holds no class ids."""
    if part.split.reader is not None:
        sample = part.split.reader(row)
        return sample["img"], sample.get("label"), None
    image_path, label_path = part.split.rows[row]
    img, label = _tried(read_image, image_path), _tried(read_label, label_path)
    return img, label, _tried(read_image, label_path) if label is None else None


def _tried(read: Callable[[str], np.ndarray], path: str | None) -> np.ndarray | None:
    """What can be read; what cannot is told in the finding's words."""
    if path is None or not Path(path).is_file():
        return None
    try:
        return read(path)
    except DataError:
        return None
