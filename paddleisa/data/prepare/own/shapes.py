"""Outlines drawn into masks: labelme's JSON files, and COCO's with polygons and run lengths."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from paddleisa.data.prepare.own.find import BACKGROUND, IGNORED, Annotations, Named
from paddleisa.datasets.image_files import SUFFIXES
from paddleisa.datasets.image_header import open_header, orientation
from paddleisa.errors import DataError

_EXPORTS = (
    "CVAT: export the task as 'COCO 1.0' or 'Segmentation mask 1.1'. Label Studio: export as 'COCO', or as 'Brush "
    "labels to PNG'. Both are read here"
)
_LABELME = {"__ignore__": IGNORED, "_background_": 0}  # labelme's own names for these


def shapes_in(files: Sequence[Path]) -> Annotations | None:
    """The annotations in JSON files among ``files``; None where there are none.

    Raises:
        DataError: an export that is not read, a damaged file, or an image that is not there.
    """
    labelme, coco = [], []
    for path in files:
        if path.name == "annotations.xml":
            raise DataError("CVAT's own XML is not read", where=path, fix=_EXPORTS)
        if path.suffix.lower() == ".json":
            content = _read(path)
            if isinstance(content, dict) and "shapes" in content:
                labelme.append((path, content))
            elif isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys():
                coco.append((path, content))
            elif isinstance(content, list) and content and "annotations" in content[0] and "data" in content[0]:
                raise DataError("Label Studio's own JSON is not read", where=path, fix=_EXPORTS)
    if labelme:
        return _labelme(labelme, files)
    return _coco(coco, files) if coco else None


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"the JSON file cannot be read ({error})", where=path) from error


def _labelme(found: list[tuple[Path, dict]], files: Sequence[Path]) -> Annotations:
    names = sorted({str(shape["label"]) for path, content in found for shape in _shapes(path, content)} - set(_LABELME))
    classes = [BACKGROUND, *(name for name in names if name != BACKGROUND)]
    ids = {name: number for number, name in enumerate(classes)} | _LABELME
    locate = _locator(files)
    images = [locate(str(content.get("imagePath") or path.stem), path) for path, content in found]

    def read(number: int) -> np.ndarray:
        path, content = found[number]
        mask = Image.new("L", _size(images[number]), 0)
        for shape in _shapes(path, content):  # in labelme's order: later ones lie on top
            _draw_labelme(mask, shape, ids[str(shape["label"])], path)
        return np.array(mask)

    return Annotations("labelme's JSON", [Named(name) for name in classes], images, read, [_background_note()])


def _shapes(path: Path, content: dict) -> list[dict]:
    shapes = content["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(s, dict) and {"label", "points"} <= s.keys() for s in shapes):
        raise DataError("the shapes have no label or no points", where=path, fix="Save it again in labelme")
    return shapes


def _draw_labelme(mask: Image.Image, shape: dict, value: int, path: Path) -> None:
    points, kind = [(float(x), float(y)) for x, y in shape["points"]], shape.get("shape_type")
    pen = ImageDraw.Draw(mask)
    if kind in (None, "polygon") and len(points) > 2:
        pen.polygon(points, fill=value, outline=value)
    elif kind == "rectangle" and len(points) == 2:
        pen.rectangle(_box(points), fill=value)
    elif kind == "circle" and len(points) == 2:
        (x, y), (px, py) = points
        radius = ((px - x) ** 2 + (py - y) ** 2) ** 0.5
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)
    elif kind == "mask" and shape.get("mask"):
        stamp = Image.open(io.BytesIO(base64.b64decode(shape["mask"]))).convert("1")
        left, top = (int(value) for value in _box(points)[:2])
        mask.paste(value, (left, top), stamp)
    elif kind in ("line", "linestrip", "point", "points"):
        return  # no area
    else:
        raise DataError(f"a shape of type {kind!r} with {len(points)} points cannot be drawn", where=path)


def _box(points: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _coco(found: list[tuple[Path, dict]], files: Sequence[Path]) -> Annotations:
    categories: dict[int, str] = {}
    images, shapes, locate = [], [], _locator(files)
    for path, content in found:
        try:
            categories |= {int(item["id"]): str(item["name"]) for item in content["categories"]}
            of_image: dict[object, list[dict]] = {item["id"]: [] for item in content["images"]}
            for item in content["annotations"]:
                of_image[item["image_id"]].append(item)
            for item in content["images"]:
                images.append(locate(str(item["file_name"]), path))
                shapes.append((path, of_image[item["id"]]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not in COCO's form ({type(error).__name__}: {error})", where=path) from error
    names = [categories[number] for number in sorted(categories)]
    classes = [BACKGROUND, *(name for name in names if name != BACKGROUND)]
    ids = {number: classes.index(name) for number, name in categories.items()}

    def read(number: int) -> np.ndarray:
        path, items = shapes[number]
        size = _size(images[number])
        mask = np.zeros(size[::-1], np.uint8)
        drawn = [(ids[int(item["category_id"])], _area_of(item.get("segmentation"), size, path)) for item in items]
        for value, area in sorted(drawn, key=lambda item: -int(item[1].sum())):  # what is small lies on top
            mask[area] = value
        return mask

    return Annotations("COCO's JSON", [Named(name) for name in classes], images, read, [_background_note()])


def _area_of(segmentation: object, size: tuple[int, int], path: Path) -> np.ndarray:
    """(H, W) bool of a COCO segmentation: polygons, or run lengths as numbers or as COCO's text."""
    width, height = size
    if isinstance(segmentation, list):
        area = Image.new("1", size, 0)
        for polygon in segmentation:
            if len(polygon) >= 6:
                ImageDraw.Draw(area).polygon([float(value) for value in polygon], fill=1, outline=1)
        return np.array(area, bool)
    if not isinstance(segmentation, dict) or list(segmentation.get("size", ())) != [height, width]:
        raise DataError(
            f"a segmentation is neither polygons nor run lengths of {width}x{height} pixels",
            where=path,
            fix="Use the images that the annotations were made for",
        )
    counts = segmentation["counts"]
    return decode_runs(runs_of(counts) if isinstance(counts, str) else counts, height, width)


def runs_of(text: str) -> list[int]:
    """The run lengths in COCO's compressed text: 5 bits a character, from the third on as a change to the last but one.

    The format is that of cocoapi's ``rleFrString``.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text.encode():
        bits = character - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def decode_runs(runs: Sequence[int], height: int, width: int) -> np.ndarray:
    """(H, W) bool of run lengths: outside, inside, outside, ... down the columns, left to right."""
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise DataError(f"run lengths of {sum(runs)} pixels for an image of {height * width}")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _background_note() -> str:
    return f"pixels that nobody outlined are class 0, {BACKGROUND}; --ignore_background leaves them out"


def _size(path: Path) -> tuple[int, int]:
    """(width, height) of an image as it is read, that is upright."""
    header = open_header(path.read_bytes(), path)
    width, height = header.size
    return (height, width) if orientation(header) > 4 else (width, height)  # above 4 it lies on its side


def _locator(files: Sequence[Path]) -> Callable[[str, Path], Path]:
    """A function from (name in a JSON file, that file) to the image file that is meant."""
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    by_name: dict[str, list[Path]] = {}
    for path in images:
        for key in {path.name, path.stem}:
            by_name.setdefault(key, []).append(path)

    def locate(name: str, source: Path) -> Path:
        name = name.replace("\\", "/")
        beside = source.parent / name
        if beside.is_file():
            return beside
        last = name.rpartition("/")[2]
        found = by_name.get(last) or by_name.get(Path(last).stem) or []
        ending = [path for path in found if path.as_posix().endswith(f"/{name}")]
        if len(ending or found) == 1:
            return (ending or found)[0]
        problem = f"its image {name!r} is " + (f"there {len(found)} times" if found else "not there")
        raise DataError(problem, where=source, fix="Put the images beside the JSON files, or into images/")

    return locate
