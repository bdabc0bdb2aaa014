"""Everything that an evaluation has measured so far, in one small file, so that a killed one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddleisa.errors import CheckpointError
from paddleisa.evaluation.metrics import confusion
from paddleisa.utils.files import atomic_write

EXAMPLES = 3  # masks kept of the best and of the worst images
_FORMAT = 1


class Tally:
    """Confusion matrices of several ways, per-image scores, and the masks of the best and worst images.

    Args:
        ways: number of ways; every image gets one mask of each.
        num_classes: number of classes K.
        ignore_index: label value that is not counted.

    Attributes:
        matrices: (ways, K, K) int64, summed over images.
        image_scores: one (ways,) row per image: mean IoU over the classes in its label or mask, NaN without any.
        masks: {image number: PNG of the first way's mask} of the best and worst images under the first way.
        seconds: computing time so far, over all runs.
    """

    def __init__(self, ways: int, num_classes: int, ignore_index: int):
        self.ignore_index = ignore_index
        self.matrices = np.zeros((ways, num_classes, num_classes), np.int64)
        self.image_scores: list[np.ndarray] = []
        self.masks: dict[int, bytes] = {}
        self.seconds = 0.0

    @property
    def images(self) -> int:
        """Number of images counted; the next one has this number."""
        return len(self.image_scores)

    def add(self, masks: list[np.ndarray], label: np.ndarray, where: object = None) -> None:
        """Count the next image. Raises DataError when label and masks do not fit; nothing is counted then."""
        classes = self.matrices.shape[1]
        found = np.stack([confusion(mask, label, classes, self.ignore_index, where) for mask in masks])
        self.matrices += found
        self.image_scores.append(np.array([_present_iou(matrix) for matrix in found]))
        number = self.images - 1
        chosen = {*self.best(), *self.worst()}
        if number in chosen:
            self.masks[number] = cv2.imencode(".png", masks[0])[1].tobytes()
        self.masks = {key: png for key, png in self.masks.items() if key in chosen}

    def best(self) -> list[int]:
        """Numbers of the images with the highest score of the first way, best first."""
        return self._ranked()[::-1][:EXAMPLES]

    def worst(self) -> list[int]:
        """Numbers of the images with the lowest score of the first way, worst first; none that is among the best."""
        ranked = self._ranked()
        return ranked[: min(EXAMPLES, len(ranked) - EXAMPLES)] if len(ranked) > EXAMPLES else []

    def mask(self, number: int) -> np.ndarray:
        """(H, W) class ids of one of the best or worst images."""
        mask = cv2.imdecode(np.frombuffer(self.masks[number], np.uint8), cv2.IMREAD_UNCHANGED)
        assert mask is not None  # written by us
        return np.asarray(mask)

    def _ranked(self) -> list[int]:
        scores = np.array([row[0] for row in self.image_scores])
        return [int(number) for number in np.argsort(scores, kind="stable") if not np.isnan(scores[number])]

    def save(self, path: Path, key: dict) -> None:
        """Write the tally, whole or not at all. ``key``: what it was measured on and with, plain data."""
        masks: dict[str, Any] = {f"mask{number}": np.frombuffer(png, np.uint8) for number, png in self.masks.items()}
        header = {"format": _FORMAT, "key": key, "ignore_index": self.ignore_index, "seconds": self.seconds}
        with atomic_write(path) as stream:
            np.savez(
                stream,
                header=np.frombuffer(json.dumps(header).encode(), np.uint8),
                matrices=self.matrices,
                image_scores=np.array(self.image_scores).reshape(-1, len(self.matrices)),
                **masks,
            )

    @classmethod
    def load(cls, path: Path, key: dict) -> Tally:
        """The tally that ``save`` wrote. Raises CheckpointError when it is damaged or of another key."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays.pop("header").tobytes())
            if header["format"] != _FORMAT or header["key"] != json.loads(json.dumps(key)):
                raise ValueError("it was measured on something else")
            matrices, scores = arrays.pop("matrices"), arrays.pop("image_scores")
            tally = cls(len(matrices), matrices.shape[2], header["ignore_index"])
            if matrices.shape != tally.matrices.shape or scores.shape[1:] != (len(matrices),):
                raise ValueError("its arrays do not fit each other")
            tally.matrices, tally.image_scores, tally.seconds = matrices, list(scores), float(header["seconds"])
            tally.masks = {int(name.removeprefix("mask")): png.tobytes() for name, png in arrays.items()}
        except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"the state of an earlier run cannot be used ({error})",
                where=path,
                fix="Start anew with --fresh",
            ) from error
        return tally


def key_digest(key: dict) -> str:
    """Short name of a key: files of different keys never meet."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _present_iou(matrix: np.ndarray) -> float:
    """Mean IoU over the classes that occur in an image's label or mask; NaN when every pixel is ignored."""
    hit, union = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    present = union > 0
    return float((hit[present] / union[present]).mean()) if present.any() else float("nan")
