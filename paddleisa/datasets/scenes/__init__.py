"""Generated street scenes with exact labels: data for demos and tests that no machine has to download."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from paddleisa.datasets.base import SegmentationData, Transforms
from paddleisa.datasets.cityscapes import Cityscapes
from paddleisa.datasets.scenes import street, street_objects
from paddleisa.registry import DATASETS

_STREAMS = {"train": 0, "val": 1}


@DATASETS.register
class Scenes(SegmentationData):
    """Drawn streets: perspective, houses, trees, poles, cars and people that hide one another, sun, shade and haze.

    Eight classes with the names and colours of Cityscapes; 255 is the hood of the camera's car in some pictures. An
    image depends on (seed, mode, number) alone, so train and val share no picture, and a larger ``num_images``
    continues a smaller one. Nothing is stored: 128 x 256 pixels take about 10 ms.

    Args:
        transforms: built transforms, in order.
        mode: train or val.
        num_images: how many there are.
        height: of the images, pixels.
        width: of the images, pixels.
        seed: of the pictures (the attribute ``seed`` is that of the augmentation).
    """

    generated = True  # no photographs: wherever a score of them is printed, it says so
    num_classes = 8
    class_names = ["road", "sidewalk", "building", "pole", "vegetation", "sky", "person", "car"]
    palette = Cityscapes.palette[[0, 1, 2, 5, 8, 10, 11, 13]]

    def __init__(
        self,
        transforms: Transforms,
        mode: Literal["train", "val"] = "train",
        num_images: Annotated[int, Field(gt=0, le=10**6)] = 200,
        height: Annotated[int, Field(ge=32, le=8192)] = 128,
        width: Annotated[int, Field(ge=32, le=8192)] = 256,
        seed: Annotated[int, Field(ge=0)] = 0,
    ):
        self.height, self.width, self.scene_seed = height, width, seed
        # Names for messages and for the files of predictions; nothing lies there.
        names = [f"scenes/{mode}/{number:05d}.png" for number in range(num_images)]
        super().__init__(transforms, [(name, name) for name in names], mode)

    def read(self, index: int) -> dict:
        """Sample ``index`` without transforms, drawn now."""
        name = self.samples[index][0]
        rng = np.random.default_rng([self.scene_seed, _STREAMS[self.mode], index])
        img, label = draw_scene(rng, self.height, self.width)
        return {"img": img, "label": label, "image_path": name, "label_path": name}


def draw_scene(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """One scene: image (height, width, 3) uint8 RGB and label (height, width) uint8."""
    scene = street.new_scene(rng, height, width)
    plan = street.new_street(rng)
    street.skyline(scene)
    street.ground(scene, plan)
    street.wall(scene, plan, 0)
    street.wall(scene, plan, 1)
    street_objects.populate(scene, plan)
    if rng.random() < 0.3:
        street_objects.hood(scene)
    return _developed(scene), scene.label


def _developed(scene: street.Scene) -> np.ndarray:
    """The picture as a camera would give it: slightly soft, with a tint, a contrast and noise of its own."""
    img, rng = scene.img, scene.rng
    soft = img.copy()
    soft[:, 1:-1] += (img[:, :-2] + img[:, 2:] - 2 * img[:, 1:-1]) * np.float32(0.18)
    soft[1:-1] += (soft[:-2] + soft[2:] - 2 * soft[1:-1]) * np.float32(0.18)
    tint = (0.93 + 0.14 * rng.random(3)).astype(np.float32)
    gain = np.float32(street.uniform(rng, 0.85, 1.15))
    grain = (rng.random(img.shape).astype(np.float32) - 0.5) * np.float32(street.uniform(rng, 6, 24))
    return np.clip((soft - 110) * gain * tint + 110 + grain, 0, 255).astype(np.uint8)
