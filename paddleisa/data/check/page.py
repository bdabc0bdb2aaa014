"""Samples as pictures: a check's report as one HTML file, what is suspicious first, then the whole set; and a sheet of
what the network really sees, for ``prepare browse``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.check.check import DataCheck, counted, grouped
from paddleisa.data.check.split import Split
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.images import read_image, read_label, write_image
from paddleisa.datasets.inventory import KINDS
from paddleisa.errors import DataError, UsageError
from paddleisa.transforms import Normalize
from paddleisa.visual.html import Picture, picture, render
from paddleisa.visual.overlay import WHITE, colorize, contact_sheet, legend, overlay

IGNORED = WHITE  # colour of pixels that do not count; no class's colour in the known palettes
_TEXT = 18  # pixels of a caption
PICTURES = 60  # of suspicious samples, over all kinds
PER_KIND = 6
SAMPLES = 6  # of each split
_LISTED = 1000  # names of a kind
_EDGE = 300  # pixels of a picture's longer side


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
        samples=[{"which": part.which, "samples": _samples(part)} for part in report.parts if part.rows],
    )


def _groups(report: DataCheck) -> list[dict[str, object]]:
    parts: dict[str, Split] = {part.which: part for part in report.parts}
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
        group = {"title": KINDS[kind].title, "level": level, "count": len(found), "shown": shown}
        groups.append({**group, "others": others, "cut": cut})
    return groups


def _overview(report: DataCheck) -> tuple[list[str], list[list[str]]]:
    rows = []
    for part in report.parts:
        images = part.images.values()
        labels = [sample.label for sample in part.stats.values() if sample.label is not None]
        cells = [part.which, f"{part.kind} {part.mode}", f"{len(part.rows):,}"]
        cells.append("" if part.expected is None else f"{part.expected:,} ({part.by})")
        cells += [_common(f"{s.size[0]}x{s.size[1]}" for s in images), _common(s.mode for s in images)]
        rows.append([*cells, _common(label.mode or "unreadable" for label in labels)])
    return ["split", "data set", "images", "should be", "sizes", "image", "label"], rows


def _common(values: Iterable[str]) -> str:
    """The commonest three values with how often they occur."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{value} ({count:,})" for value, count in counts[:3]) + (", ..." if len(counts) > 3 else "")


def _chart(parts: list[Split]) -> list[dict[str, object]]:
    """One row per class, with one bar per split in the class's colour; later splits are drawn hatched.

    Bars are logarithmic, since shares of classes span four orders of magnitude; the numbers beside them are exact.
    """
    rows: list[dict[str, object]] = []
    for number, name in enumerate(parts[0].classes.names if parts else ()):
        shares = [(part.which, part.counts[number] / sum(part.counts)) for part in parts]
        # 0.01 % and less has no bar, 100 % the whole width; what occurs at all is seen.
        bars = [(w, s, max(0.3, 25 * (4 + float(np.log10(max(s, 1e-4))))) if s else 0) for w, s in shares]
        rows.append({"name": name, "colour": "#" + bytes(parts[0].classes.palette[number]).hex(), "bars": bars})
    return rows


def _samples(part: Split) -> list[tuple[str, list[Picture]]]:
    numbers = sorted(part.images.keys() & part.labels.keys())
    step = max(1, len(numbers) // SAMPLES)
    return [(part.rows[number][0], _pictures(part, number)) for number in numbers[::step][:SAMPLES]]


def _pictures(part: Split, row: int) -> list[Picture]:
    """A sample's image, label and both, as far as they can be read."""
    img, label, stored = _read(part, row)
    palette, found = part.classes.palette, []
    if img is not None:
        found.append(picture(shrunk(img, _EDGE), "image", ".jpg"))
    if stored is not None:
        found.append(picture(shrunk(stored, _EDGE, smooth=False), "label, as it is stored"))
    if label is not None:
        small = shrunk(part.classes.table()[label], _EDGE, smooth=False)
        found.append(picture(colorize(small, palette, IGNORED), "label (white: ignored or no class)"))
        if img is not None and img.shape[:2] == label.shape:
            seen = cv2.resize(img, small.shape[::-1], interpolation=cv2.INTER_AREA)
            found.append(picture(overlay(seen, small, palette, 0.55), "both", ".jpg"))
    return found


def _read(part: Split, row: int) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Image, label, and the label as a plain picture where it holds no class ids."""
    if part.reader is not None:
        sample = part.reader(row)
        return sample["img"], sample.get("label"), None
    image_path, label_path = part.rows[row]
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


def browse(
    data: SegmentationData, file: str | Path, count: int = 8, seed: int = 0, augment: bool = True, cell: int = 320
) -> list[str]:
    """Write a PNG with one row per sample: the file's image, the network's image, the network's label, a legend below.

    The network's image is what the transforms give, with ``Normalize`` undone. Samples are drawn from the whole set.

    Args:
        data: a built data set.
        file: the PNG to write.
        count: number of samples.
        seed: of the choice of samples and of their augmentation.
        augment: samples as training gets them; otherwise as evaluation does.
        cell: pictures are shrunk to this many pixels at their longer side.

    Returns:
        The paths of the images shown. Raises DataError for a sample that cannot be read.
    """
    if count < 1:
        raise UsageError("there is nothing to show", where="--count", fix="Give a number above 0")
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.choice(len(data), min(count, len(data)), replace=False).tolist())
    data.seed = seed
    rows = []
    for position, index in enumerate(chosen):
        original = data.read(index)
        sample = data[index, position] if augment else data[index]
        seen = network_image(sample["img"], data.transforms.transforms)
        h, w = original["img"].shape[:2]
        row = [_cell(original["img"], f"{Path(original['image_path']).name}  {w}x{h}", cell)]
        row.append(_cell(seen, f"to the network  {seen.shape[1]}x{seen.shape[0]}", cell))
        if "label" in sample:
            colours = colorize(sample["label"], data.palette, IGNORED)
            row.append(_cell(colours, f"{np.mean(sample['label'] == data.ignore_index):.0%} ignored (white)", cell))
        rows.append(row)
    sheet = contact_sheet(rows)
    below = _legends(data, sheet.shape[1])
    width = max(sheet.shape[1], below.shape[1])
    write_image(file, np.vstack([_padded(part, 0, width - part.shape[1]) for part in (sheet, below)]))
    return [data.samples[index][0] for index in chosen]


def network_image(img: np.ndarray, transforms: Sequence[object]) -> np.ndarray:
    """A network's input (3, H, W) float32 as (H, W, 3) uint8 RGB: ``Normalize``, if there was one, is undone."""
    planes = np.asarray(img, np.float64)
    normalize = next((step for step in transforms if isinstance(step, Normalize)), None)
    if normalize is not None:
        mean, std = (np.array(values)[:, None, None] for values in (normalize.mean, normalize.std))
        planes = (planes * std + mean) * 255
    return np.ascontiguousarray(np.clip(np.rint(planes), 0, 255).astype(np.uint8).transpose(1, 2, 0))


def shrunk(img: np.ndarray, longest: int, smooth: bool = True) -> np.ndarray:
    """``img`` with its longer side at most ``longest``."""
    h, w = img.shape[:2]
    factor = longest / max(h, w)
    if factor >= 1:
        return img
    size = max(1, round(w * factor)), max(1, round(h * factor))
    return cv2.resize(img, size, interpolation=cv2.INTER_AREA if smooth else cv2.INTER_NEAREST)


def _cell(img: np.ndarray, caption: str, longest: int) -> np.ndarray:
    picture = shrunk(img, longest)
    cell = _padded(picture, _TEXT, longest - picture.shape[1])
    text = caption.encode("ascii", "replace").decode()
    cv2.putText(cell, text, (2, _TEXT - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return cell


def _legends(data: SegmentationData, width: int) -> np.ndarray:
    """The classes in columns across the sheet."""
    columns = max(1, width // 170)
    per_column = -(-len(data.class_names) // columns)
    starts = range(0, len(data.class_names), per_column)
    strips = [legend(data.palette[s : s + per_column], data.class_names[s : s + per_column]) for s in starts]
    return contact_sheet([strips])


def _padded(img: np.ndarray, top: int, right: int) -> np.ndarray:
    return cv2.copyMakeBorder(img, top, 0, 0, right, cv2.BORDER_CONSTANT, value=IGNORED)
