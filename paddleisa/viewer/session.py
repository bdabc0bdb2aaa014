"""What the page's requests ask for: predictors, the images that were seen, and a data set's images by their IoU."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from paddleisa.datasets.base import SegmentationData
from paddleisa.deploy.packages import installed
from paddleisa.errors import PaddleISAError, UsageError
from paddleisa.evaluation.metrics import ConfusionMatrix
from paddleisa.predictor import Predictor
from paddleisa.viewer.attention_map import AttentionMaps
from paddleisa.visual.html import encoded
from paddleisa.visual.overlay import colorize, overlay

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.build import Pretrained

KEPT = 8  # images whose masks and attention can be asked for again
_THUMBNAIL = 160  # pixels wide
ENGINES = {"paddle": None, "onnxruntime": "onnxruntime", "openvino": "openvino"}


@dataclass
class Seen:
    """An image with its result; ``maps`` is filled when attention is first asked for."""

    image: np.ndarray
    mask: np.ndarray
    confidence: np.ndarray
    predictor: Predictor
    model: str
    label: np.ndarray | None = None
    maps: AttentionMaps | None = field(default=None, repr=False)
    scale: tuple[float, float] = (1.0, 1.0)


class Session:
    """The state behind the page. One lock: a network runs for one request at a time.

    Args:
        models: what the page offers, by name; the first one is shown at the start. Each is built when it is asked for.
        protocol: of the masks; None takes each config's.
    """

    def __init__(self, models: dict[str, Pretrained], protocol: str | None = None):
        self._found, self._protocol = models, protocol
        self._networks: dict[str, nn.Layer] = {}
        self._predictors: dict[tuple, Predictor] = {}
        self._seen: OrderedDict[int, Seen] = OrderedDict()
        self._numbers, self._lock = itertools.count(1), threading.Lock()

    @property
    def models(self) -> list[str]:
        """Names of what is offered."""
        return list(self._found)

    @property
    def engines(self) -> list[str]:
        """Those that are installed."""
        return [name for name, package in ENGINES.items() if package is None or installed(package)]

    def predict(
        self,
        image: np.ndarray,
        model: str,
        engine: str,
        flip: bool,
        scales: tuple[float, ...],
        label: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """The mask of an image, as the page shows it.

        Raises:
            UsageError: a model or engine that is not offered. DataError, DeployError.
        """
        with self._lock:
            predictor = self._predictor(model, engine, flip, scales)
            mask, confidence = predictor(image, confidence=True)
            number = next(self._numbers)
            self._seen[number] = Seen(image, mask, confidence, predictor, model, label)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        names, palette = predictor.classes.names, predictor.classes.palette
        areas = np.bincount(mask.ravel(), minlength=len(names))[: len(names)]
        answer = {
            "number": number,
            "width": image.shape[1],
            "height": image.shape[0],
            "described": predictor.describe(),
            "mask": encoded(colorize(mask, palette)),
            "confidence": float(confidence.mean()),
            "classes": [
                {"id": int(k), "name": names[k], "colour": palette[k].tolist(), "share": float(areas[k] / mask.size)}
                for k in np.argsort(-areas)
                if areas[k]
            ],
        }
        if label is not None:
            answer["image"] = encoded(image)
            wrong = (label != mask) & (label < len(names))
            answer["errors"] = encoded(
                np.dstack([np.full((*mask.shape, 3), (230, 30, 30), np.uint8), wrong * np.uint8(255)])
            )
            answer["truth"] = encoded(colorize(np.where(label < len(names), label, 0), palette))
        return answer

    def pixel(self, number: int, x: int, y: int) -> dict[str, Any]:
        """What is known of a pixel of a shown image, attention included where the model has it.

        Raises:
            UsageError: the image is no longer kept.
        """
        with self._lock:
            if number not in self._seen:
                raise UsageError("this image is no longer kept", where="the page", fix="Show it again")
            seen = self._seen[number]
            height, width = seen.mask.shape
            x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            found = {
                "class": seen.predictor.classes.names[int(seen.mask[y, x])],
                "confidence": float(seen.confidence[y, x]),
            }
            try:
                found |= self._attention(seen, x, y)
            except UsageError as error:
                found["no_attention"] = str(error)
        return found

    def _attention(self, seen: Seen, x: int, y: int) -> dict[str, Any]:
        if seen.maps is None:
            import paddle

            sample = seen.predictor.prepare({"img": seen.image})
            seen.maps = AttentionMaps(self._network(seen.model), paddle.to_tensor(sample["img"]).unsqueeze(0))
            seen.scale = _scale_of(sample["trans_info"], sample["img"].shape[1:])
        sy, sx = seen.scale
        found = seen.maps.at((x + 0.5) * sx, (y + 0.5) * sy)
        shown = {"long": found.long_range, "short": found.short_range}
        return {
            **{name: _heat(weights, seen.maps, seen.scale, seen.image.shape[:2]) for name, weights in shown.items()},
            "position": list(found.position),
            "window": list(found.window),
            "on_padding": list(found.on_padding),
            "largest": [float(found.long_range.max()), float(found.short_range.max())],
        }

    def _predictor(self, model: str, engine: str, flip: bool, scales: tuple[float, ...]) -> Predictor:
        if model not in self._found or engine not in self.engines:
            raise UsageError(f"{model} with {engine} is not offered here", where="the page")
        key = (model, engine, flip, scales)
        if key not in self._predictors:
            self._predictors[key] = Predictor(
                self._network(model),
                self._found[model].config,
                engine=engine,
                flip_horizontal=flip,
                scales=scales,
                protocol=self._protocol,
            )
        return self._predictors[key]

    def _network(self, model: str) -> nn.Layer:
        if model not in self._networks:
            self._networks[model] = self._found[model].build()
        return self._networks[model]


class Ranking:
    """A data set's images, worst IoU first, while they are still being measured: once each, in a thread of its own.

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
                    self._thumbnails[index] = encoded(small)
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


def _scale_of(geometry: list[tuple[str, tuple[int, int]]], prepared: tuple[int, int]) -> tuple[float, float]:
    """(vertical, horizontal) pixels of the network's input for one of the image; padding lies at the right and below.

    Args:
        geometry: the transforms' ``trans_info``: kind and size before each step.
        prepared: (height, width) of the network's input.
    """
    sizes = [size for _, size in geometry] + [prepared]
    sy = sx = 1.0
    for (kind, before), after in zip(geometry, sizes[1:], strict=True):
        if kind == "resize":
            sy, sx = sy * after[0] / before[0], sx * after[1] / before[1]
    return sy, sx


def _heat(weights: np.ndarray, maps: AttentionMaps, scale: tuple[float, float], size: tuple[int, int]) -> bytes:
    """Weights as a picture of the image's size: opaque where they are large, each position its own square."""
    strength = np.sqrt(weights / max(weights.max(), 1e-12))
    alpha = (255 * strength).astype(np.uint8)
    colours = cv2.applyColorMap((255 * strength).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    cells = np.dstack([colours, alpha])
    height, width = (round(n) for n in maps.input_size)
    large = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
    large = large[: round(size[0] * scale[0]), : round(size[1] * scale[1])]
    return encoded(cv2.resize(large, (size[1], size[0]), interpolation=cv2.INTER_NEAREST))
