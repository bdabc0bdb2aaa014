"""Training batches: which images at which iteration, read and stacked.

The plan is pure arithmetic, so that it can be tested and rehearsed without a network. Iterations count from 1, as in
PaddleSeg's log. Everything in it is a function of the iteration and the seed: a resumed run needs no other state to
see the same images, in the same order, with the same augmentation and dropout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.errors import ConfigError, DataError
from paddleisa.utils.concurrency import prefetched

if TYPE_CHECKING:
    from paddleisa.datasets.base import SegmentationData

_SHUFFLE, _STEP = 2, 3  # streams of random numbers; the data set uses 0 and 1


@dataclass(frozen=True)
class Plan:
    """The schedule of one training.
    Raises:
        ConfigError: an epoch is smaller than one total batch, which the original would wait for without end.
    """

    iters: int  # iterations in all
    dataset_size: int  # number of training images
    batch_size: int  # images of one process in one iteration
    world_size: int = 1  # number of processes
    seed: int = 42  # of shuffling, augmentation and dropout
    repeats: int = 1  # times that the images count as one epoch
    save_interval: int = 1000  # iterations between checkpoints (and evaluations)

    def __post_init__(self):
        if self.steps_per_epoch == 0:
            raise ConfigError(
                f"an epoch has {self.dataset_size * self.repeats} images, fewer than the total batch of "
                f"{self.total_batch}",
                where="batch_size",
                fix="Make batch_size smaller, or repeats larger",
            )

    @property
    def total_batch(self) -> int:
        """Images of all processes in one iteration."""
        return self.batch_size * self.world_size

    @property
    def steps_per_epoch(self) -> int:
        """Iterations of an epoch; images that do not fill a total batch are left out, as in the original."""
        return self.dataset_size * self.repeats // self.total_batch

    def epoch(self, iteration: int) -> int:
        """Epoch (from 1) that an iteration belongs to."""
        return (iteration - 1) // self.steps_per_epoch + 1

    def saves(self, iteration: int) -> bool:
        """Whether a checkpoint, and with --do_eval an evaluation, follows this iteration."""
        return iteration % self.save_interval == 0 or iteration == self.iters

    def kept(self, iteration: int, count: int) -> set[int]:
        """Iterations whose checkpoints are kept after ``iteration``: its own, and the last ``count`` that were due.

        Args:
            iteration: the last one done.
            count: 0 keeps all that were due.
        """
        due = [*range(self.save_interval, iteration + 1, self.save_interval)]
        if iteration == self.iters and iteration not in due:
            due.append(iteration)
        return {*due[-count:], iteration}  # due[-0:] is all of them

    def order(self, epoch: int) -> np.ndarray:
        """Image numbers of an epoch in their shuffled order; every process computes the same."""
        rng = np.random.default_rng([self.seed, _SHUFFLE, epoch])
        return np.concatenate([rng.permutation(self.dataset_size) for _ in range(self.repeats)])

    def batches(self, rank: int, start: int = 0) -> Iterator[list[tuple[int, int]]]:
        """For each iteration after ``start``: (image number, position in the run) of this process's images."""
        epoch, order = 0, np.empty(0, np.int64)
        for iteration in range(start + 1, self.iters + 1):
            if self.epoch(iteration) != epoch:
                epoch = self.epoch(iteration)
                order = self.order(epoch)
            first = (iteration - 1) % self.steps_per_epoch * self.total_batch + rank * self.batch_size
            position = (iteration - 1) * self.total_batch + rank * self.batch_size
            yield [(int(order[first + i]), position + i) for i in range(self.batch_size)]

    def step_seed(self, iteration: int, rank: int) -> int:
        """Seed of the network's own randomness (dropout) in one iteration of one process."""
        return int(np.random.SeedSequence([self.seed, _STEP, iteration, rank]).generate_state(1)[0]) & 0x7FFFFFFF


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
