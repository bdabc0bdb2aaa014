"""``prepare browse``: a contact sheet of what the network really sees, image beside label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.images import write_image
from paddleisa.errors import UsageError
from paddleisa.transforms import Normalize
from paddleisa.visual.overlay import colorize, contact_sheet, legend

IGNORED = (255, 255, 255)  # colour of pixels that do not count; white is no class's colour in the known palettes
_TEXT = 18  # pixels of a caption


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
