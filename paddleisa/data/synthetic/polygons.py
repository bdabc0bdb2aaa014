"""A label image as the polygons that an annotator would have drawn, largest first, and back."""

from __future__ import annotations

import cv2
import numpy as np

Polygon = list[list[int]]


def outlines(label: np.ndarray) -> list[tuple[int, Polygon]]:
    """(class id, outline) of every connected region, the largest first.

    An outline has no holes: what lies in a hole is smaller and comes later, so drawing in this order restores it.

    Args:
        label: (H, W) uint8.
    """
    found = []
    for class_id in np.unique(label):
        mask = (label == class_id).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        _, parts = cv2.connectedComponents(mask, connectivity=8)
        outer: dict[int, tuple[float, np.ndarray]] = {}
        for contour in contours:  # the outer contour of a region is the one with the largest area
            x, y = contour[0, 0]
            part, area = int(parts[y, x]), cv2.contourArea(contour)
            if part not in outer or area > outer[part][0]:
                outer[part] = (area, contour)
        found += [(area, int(class_id), contour.reshape(-1, 2)) for area, contour in outer.values()]
    found.sort(key=lambda item: (-item[0], item[1], item[2][0].tolist()))
    return [(class_id, _at_least_three(points.tolist())) for _, class_id, points in found]


def draw(polygons: list[tuple[int, Polygon]], size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 of ``polygons`` drawn in order by Pillow, as the official script draws; ``size`` is (W, H)."""
    from PIL import Image, ImageDraw

    img = Image.new("L", size, 0)
    drawer = ImageDraw.Draw(img)
    for value, polygon in polygons:
        drawer.polygon([tuple(point) for point in polygon], fill=value)
    return np.array(img)


def _at_least_three(points: Polygon) -> Polygon:
    return points if len(points) > 2 else [points[0], points[-1], points[0]]
