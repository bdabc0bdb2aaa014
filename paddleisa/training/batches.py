"""Training batches: which images, read and stacked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.errors import DataError
from paddleisa.utils.concurrency import prefetched

if TYPE_CHECKING:
    from paddleisa.datasets.base import SegmentationData
    from paddleisa.training.iteration_plan import Plan


@dataclass(frozen=True)
class Batch:
    """One process's share of an iteration: images (B, 3, H, W) float32, labels (B, H, W) uint8, and their files."""

    images: np.ndarray
    labels: np.ndarray
    files: list[str]


def training_batches(dataset: SegmentationData, plan: Plan, rank: int, start: int, workers: int) -> Iterator[Batch]:
    """The batches of the iterations after ``start``.

    Raises:
        DataError: an image without a label, or images of one batch that the transforms leave at different sizes.
    """

    def load(keys: list[tuple[int, int]]) -> Batch:
        samples = [dataset[key] for key in keys]
        files = [str(sample["image_path"]) for sample in samples]
        for sample, file in zip(samples, files, strict=True):
            if "label" not in sample:
                raise DataError("there is no label to train on", where=file)
        if len({sample["img"].shape for sample in samples}) > 1:
            sizes = ", ".join(f"{s['img'].shape[2]}x{s['img'].shape[1]}" for s in samples)
            raise DataError(
                f"the images of a batch have different sizes: {sizes}",
                where="train_dataset.transforms",
                fix="End the geometric transforms with RandomPaddingCrop or Resize, or set batch_size: 1",
            )
        return Batch(np.stack([s["img"] for s in samples]), np.stack([s["label"] for s in samples]), files)

    return prefetched(load, plan.batches(rank, start), workers)
