"""Class ids as pictures: coloured masks, overlays on the image, legends, contact sheets. All RGB uint8."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def colorize(mask: np.ndarray, palette: np.ndarray, other: tuple[int, int, int] = BLACK) -> np.ndarray:
    """Colour each class of a mask.

    Args:
        mask: (H, W) class ids, 0..255.
        palette: (K, 3) uint8.
        other: colour of ids without a row in the palette, such as the ignored 255.

    Returns:
        (H, W, 3) uint8.
    """
    colours = np.full((256, 3), other, np.uint8)
    colours[: len(palette)] = palette
    return colours.take(np.asarray(mask, np.uint8), axis=0)


def overlay(image: np.ndarray, mask: np.ndarray, palette: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """Lay the colours of a mask over its image; pixels whose id has no colour show the image alone.

    Args:
        image: (H, W, 3) uint8 RGB; unchanged.
        mask: (H, W) class ids.
        palette: (K, 3) uint8.
        alpha: how much of the colour is seen, 0..1.
    """
    mixed = cv2.addWeighted(image, 1 - alpha, colorize(mask, palette), alpha, 0)
    unknown = np.asarray(mask) >= len(palette)
    mixed[unknown] = image[unknown]
    return mixed


def legend(palette: np.ndarray, class_names: Sequence[str], width: int = 160, row_height: int = 20) -> np.ndarray:
    """A white strip with one line per class: its colour and its name. (K * row_height, width, 3)."""
    strip = np.full((row_height * len(class_names), width, 3), 255, np.uint8)
    for row, (colour, name) in enumerate(zip(palette, class_names, strict=False)):
        top = row * row_height
        strip[top + 3 : top + row_height - 3, 4:24] = colour
        # OpenCV's font has ASCII only; anything else would be drawn as question marks.
        text = name.encode("ascii", "replace").decode()
        cv2.putText(strip, text, (30, top + row_height - 6), _FONT, _FONT_SCALE, BLACK, 1, cv2.LINE_AA)
    return strip


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], gap: int = 4, colour: tuple[int, int, int] = WHITE
) -> np.ndarray:
    """Arrange pictures in rows. Each cell is as large as the largest picture; pictures sit at its top left.

    Args:
        rows: rows of (h, w, 3) uint8 pictures, of any sizes; rows may differ in length.
        gap: pixels between cells and around the sheet.
        colour: of what no picture covers.
    """
    pictures = [picture for row in rows for picture in row]
    h, w = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    columns = max(len(row) for row in rows)
    sheet = np.full((gap + len(rows) * (h + gap), gap + columns * (w + gap), 3), colour, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = gap + y * (h + gap), gap + x * (w + gap)
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet
