"""Mask images of whatever kind made into class ids: ids, palette PNGs, colours, 0 and 255, or numbers with gaps."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.prepare.own.find import BACKGROUND, IGNORED, Annotations, Colour, Named
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.classes import named_palettes
from paddleisa.datasets.image_header import open_header
from paddleisa.datasets.images import read_image, read_intact, read_label
from paddleisa.errors import DataError, UsageError
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import CAMVID_NAMES

MAX_CLASSES = 255
_LINE = re.compile(r"^(?P<name>.*?)[\s,:;=]+(?P<colour>#?[0-9a-fA-F]{6}|\d{1,3}[\s,]+\d{1,3}[\s,]+\d{1,3})\s*(::.*)?$")
_BLACK = (0, 0, 0)
Progress = Callable[[Sequence[Path]], Iterable[Path]]  # shows how far a loop over files is


def read_table(path: str | Path) -> list[Named]:
    """The classes of a table: a line ``name R G B``, ``name #rrggbb`` or ``name`` for each, or CVAT's labelmap.txt.

    Blank lines and lines that start with ``#`` are left out. A JSON file holds {name: [R, G, B]} or [name, ...].

    Raises:
        UsageError: there is no such table, or a name or a colour in it stands twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if Path(path).suffix.lower() == ".json":
            content = json.loads(text)
            pairs = content.items() if isinstance(content, dict) else ((name, None) for name in content)
            found = [Named(str(name), None if colour is None else _rgb(*colour)) for name, colour in pairs]
        else:
            lines = [line.strip() for line in text.splitlines()]
            found = [_named(line) for line in lines if line and not line.startswith("#")]
    except (OSError, ValueError, TypeError) as error:
        fix = "Write a line `name R G B` for each class"
        raise UsageError(f"the table of classes cannot be read ({error})", where=path, fix=fix) from error
    colours = [item.colour for item in found if item.colour is not None]
    if not found or len({item.name for item in found}) < len(found) or len(set(colours)) < len(colours):
        problem = "a name or a colour stands twice" if found else "names no class"
        raise UsageError(f"the table of classes: {problem}", where=path, fix="Give one line per class")
    return found


def masks_in(pairs: Sequence[tuple[Path, Path]], table: list[Named] | None, progress: Progress) -> Annotations:
    """The annotations in mask images.

    Args:
        pairs: (photograph, mask).
        table: the classes, in the order of their ids, with colours where the masks hold colours; None finds them.
        progress: goes over the masks.

    Raises:
        DataError: masks of a kind that holds no classes, such as JPEGs; it names one.
    """
    images, masks = [image for image, _ in pairs], [mask for _, mask in pairs]
    kinds: dict[str, list[Path]] = {}
    for path in masks:
        kinds.setdefault(_kind(path), []).append(path)
    if len(kinds) > 1:
        shown = ", ".join(f"{kind} ({paths[0]})" for kind, paths in kinds.items())
        raise DataError(f"the masks are of several kinds: {shown}", fix="Give masks of one kind, or one folder of them")
    in_colours = "colours" in kinds
    codes_of = _codes if in_colours else _numbers
    total: Counter = Counter()
    palette: dict[int, Colour] = {}
    for path in progress(masks):
        codes, counts = np.unique(codes_of(path), return_counts=True)
        total.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        if not in_colours:
            palette = {**_palette(path, codes.tolist()), **palette}
        elif table is None and len(total) > MAX_CLASSES:
            raise DataError(
                f"the masks hold more than {MAX_CLASSES} colours",
                where=path,
                fix="They are photographs, smoothed or compressed. Give --classes FILE with a line `name R G B` for "
                "each class: other colours are ignored then",
            )
    classes, ids, notes = _of_colours(total, table) if in_colours else _of_values(total, palette, table)
    ids = ids or {0: IGNORED}  # where every pixel is ignored
    known = np.array(sorted(ids), np.uint32)
    numbers = np.array([ids[code] for code in known.tolist()], np.uint8)

    def read(number: int) -> np.ndarray:
        codes = codes_of(masks[number])
        places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[places] == codes, numbers[places], np.uint8(IGNORED))

    kind = "masks in colours" if in_colours else "palette PNGs" if palette else "masks of numbers"
    return Annotations(kind, classes, images, read, notes)


def _kind(path: Path) -> str:
    header = open_header(read_intact(path), path)
    if header.format == "JPEG":
        fix = "Export the masks as PNG: JPEG's compression changes the values near every border"
        raise DataError("the mask is a JPEG", where=path, fix=fix)
    return "colours" if header.mode in ("RGB", "RGBA", "CMYK") else "numbers"


def _numbers(path: Path) -> np.ndarray:
    """(H, W) of the numbers stored in a mask of one channel, of 8 or 16 bits."""
    data = read_intact(path)
    header = open_header(data, path)
    if header.mode in ("1", "L", "P"):
        return read_label(path)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is not None and values.ndim == 3 and header.mode == "LA":
        values = values[..., 0]
    if values is None or values.ndim != 2 or values.dtype.kind not in "ui":
        raise DataError("the mask holds no whole numbers", where=path, fix="Save it as PNG with 8 bits per pixel")
    return values


def _palette(path: Path, values: list[int]) -> dict[int, Colour]:
    """The colours of these numbers in a palette PNG."""
    header = open_header(path.read_bytes(), path)
    colours = (header.getpalette("RGB") or []) if header.mode == "P" else []
    return {v: (colours[3 * v], colours[3 * v + 1], colours[3 * v + 2]) for v in values if 3 * v + 3 <= len(colours)}


def _of_values(
    values: Counter, palette: dict[int, Colour], table: list[Named] | None
) -> tuple[list[Named], dict[int, int], list[str]]:
    """The classes behind the numbers, {number: class id}, and what was decided."""
    found = sorted(values)
    if set(found) == {0, IGNORED}:
        classes = table or [Named(BACKGROUND), Named("foreground")]
        return classes, {0: 0, IGNORED: 1}, ["0 and 255: 255 becomes class 1"]
    notes = ["255 is ignored"] if IGNORED in found else []
    found = [value for value in found if value != IGNORED]
    highest = max(found, default=0)
    if table is not None and highest < len(table):
        return table, {value: value for value in found}, notes
    if highest <= 2 * len(found) + 8 and highest < MAX_CLASSES and table is None:
        known = _known_names(highest + 1, palette)
        names = known or [BACKGROUND if n == 0 else f"class_{n}" for n in range(highest + 1)]
        absent = [n for n in range(highest + 1) if n not in values]
        if absent:
            notes.append(f"no mask holds {', '.join(map(str, absent[:9]))}: these stay classes without a pixel")
        return [Named(name, palette.get(n)) for n, name in enumerate(names)], {v: v for v in found}, notes
    if len(found) > (MAX_CLASSES if table is None else len(table)):
        raise DataError(
            f"the masks hold {len(found)} different numbers",
            fix="These are no classes, or the table is too short: masks of instances, depths or grey pictures?",
        )
    lookup = {value: number for number, value in enumerate(found)}
    notes.append("numbers with gaps: " + ", ".join(f"{value} becomes {number}" for value, number in lookup.items()))
    names = [item.name for item in table] if table else [f"value_{value}" for value in found]
    return [Named(name, palette.get(value)) for name, value in zip(names, found, strict=False)], lookup, notes


def _of_colours(codes: Counter, table: list[Named] | None) -> tuple[list[Named], dict[int, int], list[str]]:
    """The classes behind colours, {0xrrggbb: class id}, and what was decided."""
    colours = {_colour_of(code): pixels for code, pixels in codes.items()}
    if table is None:
        classes, notes = _name_colours(colours)
    else:
        classes, notes = table, []
        if any(item.colour is None for item in table):
            raise UsageError("the masks hold colours, and the table has none", fix="Write `name R G B` on each line")
    ids = {_code_of(item.colour): number for number, item in enumerate(classes) if item.colour is not None}
    ignored = {code: pixels for code, pixels in codes.items() if code not in ids}
    if ignored:
        share = 100 * sum(ignored.values()) / sum(codes.values())
        first = ", ".join(f"#{code:06x}" for code in sorted(ignored, key=lambda c: -ignored[c])[:5])
        notes.append(f"{len(ignored)} colours are no class and ignored, {share:.3g} % of the pixels: {first}")
    return classes, ids, notes


def _name_colours(colours: dict[Colour, int]) -> tuple[list[Named], list[str]]:
    """Classes for colours that no table names: those of a known data set, else black first, then the commonest."""
    for name, palette in named_palettes().items():
        known = [tuple(colour) for colour in palette.tolist()]
        if len(known) == len(set(known)) and len(colours) > 2 and set(colours) - {_BLACK} <= set(known):
            names = _names_of(name, len(known)) or [f"{name}_{number}" for number in range(len(known))]
            return [Named(*item) for item in zip(names, known, strict=True)], [f"the colours are those of {name}"]
    order = sorted(colours, key=lambda colour: (colour != _BLACK, -colours[colour], colour))
    names = [BACKGROUND if colour == _BLACK else f"colour_{_hex(colour)[1:]}" for colour in order]
    notes = ["classes have the names of their colours: --classes FILE with lines `name R G B` gives real ones"]
    if _BLACK in colours:
        notes.append(f"black is class 0, {BACKGROUND}; --ignore_background leaves it out")
    return [Named(*item) for item in zip(names, order, strict=True)], notes


def _known_names(count: int, palette: dict[int, Colour]) -> list[str] | None:
    """Names of a known data set that has these colours at these numbers."""
    for name, known in named_palettes().items():
        same = all(tuple(known[n].tolist()) == colour for n, colour in palette.items() if n < count and n < len(known))
        if palette and len(palette) > 2 and len(known) == count and same:
            return _names_of(name, count)
    return None


def _names_of(name: str, count: int) -> list[str] | None:
    if name == "camvid":
        return CAMVID_NAMES
    for kind in DATASETS:
        cls = DATASETS.get(kind)
        if issubclass(cls, SegmentationData) and name in (kind.lower(), kind.lower().removeprefix("pascal")):
            return list(cls.class_names) if len(cls.class_names) == count else None
    return None


def _codes(path: Path) -> np.ndarray:
    """(H, W) uint32, 0xrrggbb of each pixel; alpha is left out."""
    return read_image(path).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


def _code_of(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _colour_of(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def _hex(colour: Colour) -> str:
    return f"#{_code_of(colour):06x}"


def _named(line: str) -> Named:
    match = _LINE.match(line)
    if match is None:
        return Named(line.partition(":")[0].strip())
    colour = match["colour"]
    if re.fullmatch(r"#?[0-9a-fA-F]{6}", colour):
        return Named(match["name"].strip(), _colour_of(int(colour.removeprefix("#"), 16)))
    return Named(match["name"].strip(), _rgb(*map(int, re.findall(r"\d+", colour))))


def _rgb(red: int, green: int, blue: int) -> Colour:
    if not all(isinstance(value, int) and 0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"{red}, {green}, {blue} is no colour of 0 to 255")
    return red, green, blue
