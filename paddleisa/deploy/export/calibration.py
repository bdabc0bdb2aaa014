"""The images that int8's ranges are measured on: where they come from, prepared like any other, known by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from paddleisa.config import Config
from paddleisa.errors import DataError, UsageError

# The last of every four is kept from the measurement, to try the result on. On CamVid, calibrated with 1, 4, 16 and
# 128 images, 99.66, 99.69, 99.68 and 99.68 % of the pixels are float32's.
IMAGES, HELD_OUT = 20, 4
_WHERE = "calibration"
_FIX = "Give some 20 images like those to predict: --calibration FOLDER|LIST, or Predictor(calibration=images)"


class Calibration:
    """Calibration images as the network takes them. Each is read and prepared when it is needed, and not kept.

    Args:
        images: (H, W, 3) uint8 RGB, of any sizes; a sequence may read them when they are asked for.
        prepare: from a sample with ``img`` to one whose ``img`` is (3, h, w) float32, as `Predictor.prepare`.
        tried: whether what is calibrated with them has to prove itself, see ``int8.py``. Not where only the time
            counts that an untrained network takes.

    Raises:
        UsageError: there is none.
    """

    def __init__(self, images: Iterable[np.ndarray], prepare: Callable[[dict], dict], tried: bool = True):
        self._images = images if isinstance(images, Sequence) else list(images)
        self._prepare, self.tried = prepare, tried
        if not len(self._images):
            raise UsageError("there is no image to calibrate int8 with", where=_WHERE, fix=_FIX)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> np.ndarray:
        """(1, 3, h, w) float32.

        Raises:
            DataError: it is no image.
        """
        image = np.asarray(self._images[index])
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise DataError(
                f"number {index} must be an array (height, width, 3) of uint8 RGB, not {image.shape} of {image.dtype}",
                where=_WHERE,
                fix="Read it with paddleisa.datasets.images.read_image(path)",
            )
        return np.ascontiguousarray(self._prepare({"img": image})["img"], np.float32)[None]

    @property
    def measured(self) -> list[int]:
        """Numbers of the images that ranges are measured on."""
        return [i for i in range(len(self)) if i not in set(self.held_out)] or [0]

    @property
    def held_out(self) -> list[int]:
        """Numbers of the images that the result is tried on: every fourth; of less than four the last."""
        return list(range(HELD_OUT - 1, len(self), HELD_OUT)) or [len(self) - 1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over sizes and values of the prepared images, in order."""
        digest = hashlib.sha256()
        for index in range(len(self)):
            image = self[index]
            digest.update(f"{image.shape}\n".encode())
            digest.update(image.data)
        return digest.hexdigest()


class _Lazy(Sequence):
    """A sequence whose items are made when they are asked for."""

    def __init__(self, items: Sequence, make: Callable):
        self._items, self._make = items, make

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._make(self._items[index])


def training_images(config: Config, count: int = IMAGES) -> Sequence[np.ndarray]:
    """``count`` images of the config's ``train_dataset``, spread evenly over it; never of the validation data.

    Raises:
        UsageError: the config has no training data, or it is not on this machine.
    """
    from paddleisa.build import build_dataset

    needed = "int8 needs images to calibrate with"
    if "train_dataset" not in config:
        raise UsageError(f"{needed}, and the config has no train_dataset", where=_WHERE, fix=_FIX)
    try:
        dataset = build_dataset(config, "train")
    except DataError as error:
        problem = f"{needed}, and the config's training data cannot be read ({error.where}: {error.problem})"
        raise UsageError(problem, where=_WHERE, fix=_FIX) from error
    return _Lazy(_spread(range(len(dataset)), count), lambda index: dataset.read(index)["img"])


def listed_images(path: str | Path, count: int = IMAGES, **how: Any) -> Sequence[np.ndarray]:
    """``count`` images of an image, a folder or a list, spread evenly.

    Args:
        path: as `datasets.image_files.find_images` takes it.
        count: how many.
        how: its ``separator`` and ``root``.

    Raises:
        DataError: nothing is there, or no image in it.
    """
    from paddleisa.datasets.image_files import find_images
    from paddleisa.datasets.images import read_image

    return _Lazy(_spread([file for file, _ in find_images(path, **how)], count), read_image)


def _spread(items: Sequence, count: int) -> list:
    """``count`` of ``items`` at equal distances, all of them where there are not more."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]
