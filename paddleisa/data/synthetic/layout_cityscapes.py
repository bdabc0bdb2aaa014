"""Generated scenes in the layout of the Cityscapes download: what ``leftImg8bit`` and ``gtFine`` hold, no train ids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.synthetic.any_layout import AnyLayout
from paddleisa.data.synthetic.polygons import draw, outlines
from paddleisa.datasets.cityscapes import TO_TRAIN_ID
from paddleisa.datasets.images import write_image, write_label
from paddleisa.utils.files import atomic_write

CITIES = {"train": ("aachen", "bremen", "ulm"), "val": ("frankfurt", "lindau", "munster")}
# Names, ids and colours of Cityscapes for the scenes' eight classes, in the scenes' order, and for the camera's car.
_CLASSES = (
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("pole", 17, (153, 153, 153)),
    ("vegetation", 21, (107, 142, 35)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("car", 26, (0, 0, 142)),
)
_HOOD = ("ego vehicle", 1, (0, 0, 0))
_NAMES = {number: name for name, number, _ in (*_CLASSES, _HOOD)}
_WITH_INSTANCES = (24, 26)


@dataclass(frozen=True)
class CityscapesDownload(AnyLayout):
    """Cityscapes' two folders, with colours, instances and polygons beside the labelIds."""

    kind: str = "Cityscapes"

    def name(self, part: str, index: int) -> str:
        """``CITY/CITY_SEQUENCE_FRAME`` of a picture."""
        city = CITIES[part][index % len(CITIES[part])]
        return f"{city}/{city}_{index // len(CITIES[part]):06d}_000019"

    def write_sample(self, root: Path, part: str, index: int, img: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Write a picture and its annotations; its train ids."""
        table = np.full(256, _HOOD[1], np.uint8)
        table[: len(_CLASSES)] = [number for _, number, _ in _CLASSES]
        polygons = outlines(cv2.LUT(label, table))
        height, width = label.shape
        ids = draw(polygons, (width, height))  # drawn from the polygons, as the official files were
        name = self.name(part, index)
        truth = root / "gtFine" / part
        write_image(root / "leftImg8bit" / part / f"{name}_leftImg8bit.png", img)
        write_label(truth / f"{name}_gtFine_labelIds.png", ids)
        write_image(truth / f"{name}_gtFine_color.png", _colours()[ids])
        _write_instances(truth / f"{name}_gtFine_instanceIds.png", ids)
        with atomic_write(truth / f"{name}_gtFine_polygons.json", "w") as stream:
            objects = [{"label": _NAMES[number], "polygon": points} for number, points in polygons]
            json.dump({"imgHeight": height, "imgWidth": width, "objects": objects}, stream)
        return TO_TRAIN_ID[ids]


def _colours() -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    for _, number, colour in (*_CLASSES, _HOOD):
        table[number] = colour
    return table


def _write_instances(path: Path, ids: np.ndarray) -> None:
    """1000 * id + number for each person and car, the id alone for everything else; 16 bits."""
    instances = ids.astype(np.uint16)
    for number in _WITH_INSTANCES:
        _, regions = cv2.connectedComponents((ids == number).astype(np.uint8))
        instances[regions > 0] = (1000 * number + regions[regions > 0] - 1).astype(np.uint16)
    data = cv2.imencode(".png", instances)[1].tobytes()
    with atomic_write(path) as stream:
        stream.write(data)
