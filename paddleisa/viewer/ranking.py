"""A data set's images in the order of their IoU, worst first, while they are still being measured."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np

from paddleisa.datasets.base import SegmentationData
from paddleisa.errors import PaddleISAError, UsageError
from paddleisa.evaluation.metrics import ConfusionMatrix
from paddleisa.predictor import Predictor
from paddleisa.viewer.session import png
from paddleisa.visual.overlay import overlay

_THUMBNAIL = 160  # pixels wide


class Ranking:
    """Measures every image once, in a thread of its own.

    Args:
        predictor: used by this thread alone.
        dataset: with labels.
        limit: measure this many images only.
    """

    def __init__(self, predictor: Predictor, dataset: SegmentationData, limit: int | None = None):
        self._predictor, self._dataset = predictor, dataset
        self._count = min(len(dataset), limit or len(dataset))
        self._scores: dict[int, float] = {}
        self._thumbnails: dict[int, bytes] = {}
        self._lock, self._problem = threading.Lock(), ""

    def run(self) -> None:
        """Measure all images; an error of ours ends it and is shown on the page."""
        try:
            for index in range(self._count):
                image, label = self.sample(index)
                mask = self._predictor.mask(self._predictor.logits(self._predictor.prepare({"img": image})))
                matrix = ConfusionMatrix(self._dataset.num_classes, self._dataset.ignore_index)
                matrix.add(mask, label)
                there = np.unique(label[label < self._dataset.num_classes])
                iou = matrix.scores(self._predictor.settings.protocol).class_iou[there]
                small = overlay(image, mask, self._dataset.palette)
                height = max(1, round(small.shape[0] * _THUMBNAIL / small.shape[1]))
                small = cv2.resize(small, (_THUMBNAIL, height), interpolation=cv2.INTER_AREA)
                with self._lock:
                    self._scores[index] = float(iou.mean()) if len(there) else float("nan")
                    self._thumbnails[index] = png(small)
        except PaddleISAError as error:
            self._problem = str(error)

    def state(self) -> dict[str, Any]:
        """How far it is, and what is known so far, worst first. Images without a labelled pixel come last, unscored."""
        with self._lock:
            scores = dict(self._scores)
        order = sorted(scores, key=lambda index: (np.isnan(scores[index]), scores[index]))
        return {
            "done": len(scores),
            "count": self._count,
            "problem": self._problem,
            "images": [
                {
                    "index": index,
                    "name": str(self._dataset.samples[index][0]).rpartition("/")[2],
                    "iou": None if np.isnan(scores[index]) else scores[index],
                }
                for index in order
            ],
        }

    def sample(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(image (H, W, 3) uint8 RGB, label (H, W)) as the data set reads them. Raises UsageError, DataError."""
        if not 0 <= index < self._count:
            raise UsageError(f"there is no image {index}", where="the page")
        sample = self._dataset.read(index)
        return sample["img"], sample["label"]

    def thumbnail(self, index: int) -> bytes:
        """A small overlay of a measured image, PNG; empty where it is not measured yet."""
        with self._lock:
            return self._thumbnails.get(index, b"")
