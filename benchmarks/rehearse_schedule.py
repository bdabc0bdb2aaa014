"""Rehearse the schedules of published rows and of the authors' recipes without the network's arithmetic.

Walks all iterations of four processes: which images, the augmentation's draws (the real transforms and data sets, on
generated images of 24x18 pixels in the data set's own layout), learning rate, checkpoints and evaluations. Prints what
fell where.

    python benchmarks/rehearse_schedule.py [NAME ...] [--iters N] [--every N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

import paddleisa
from paddleisa.build import build_dataset, build_optimizer
from paddleisa.config import CheckedConfig, check, shipped_configs
from paddleisa.data.prepare.by_table import prepare_by_table
from paddleisa.data.prepare.cityscapes import prepare_cityscapes
from paddleisa.data.prepare.scenes import prepare_scenes
from paddleisa.data.prepare.voc import prepare_voc
from paddleisa.registry import DATASETS
from paddleisa.training.batches import Plan

PUBLISHED = ["isanet_resnet50_os8_cityscapes_769x769_80k", "isanet_resnet50_os8_voc12aug_512x512_40k"]
RECIPES = sorted(name for name, path in shipped_configs().items() if path.parent.name == "openseg_isanet")
PROCESSES, SIZE, TINY = 4, (24, 18), 16
IGNORED = 255
LISTED = {"PascalContext59": 4996}  # in PaddleSeg's list; the class states no number, for lists differ


@dataclass
class Rehearsal:
    """What happened: numbers of the schedule, and of the samples that were drawn.

    Attributes:
        seen: how often each image of the whole data set was taken.
        rates: learning rate at some iterations.
        saved: iterations with a checkpoint and an evaluation.
        labels: values that the labels of the batches held.
        shapes: of images that left the transforms.
    """

    plan: Plan
    seen: np.ndarray
    rates: dict[int, float]
    saved: list[int]
    labels: set[int]
    shapes: set[tuple[int, ...]]
    seconds: float


def rehearsal_data(kind: str, root: str | Path, images: tuple[int, int] = (4, 1), size: tuple[int, int] = SIZE) -> str:
    """Generated (train, val) images in the layout of a data set's download, prepared for training; their root."""
    layout = {"Cityscapes": "cityscapes", "PascalVOC": "voc"}.get(kind, kind)
    prepare_scenes(root, layout, images, size, workers=0, progress=False)
    if kind == "Cityscapes":
        prepare_cityscapes(root, workers=0, progress=False)
    elif kind == "PascalVOC":
        prepare_voc(root, workers=0, progress=False)
    elif DATASETS.get(kind).raw_table is not None:
        prepare_by_table(root, kind, workers=0, progress=False)
    return str(root)


def reduced(name: str, root: str, side: int, **flags: object) -> CheckedConfig:
    """A config whose images have about ``side`` pixels on each side and lie in ``root``; all else as it is."""
    sizes = {"crop_size": [side, side], "target_size": [side, side], "short_size": side}
    config, opts = paddleisa.load_config(name), []
    for part in ("train_dataset", "val_dataset"):
        opts.append(f"{part}.dataset_root={root}")
        for number, step in enumerate(config[part]["transforms"]):
            keys = [key for key in sizes if step.get(key) is not None]
            opts += [f"{part}.transforms.{number}.{key}={sizes[key]}" for key in keys]
    return check(paddleisa.load_config(name, opts=opts, flags=flags), "train")


def rehearse(name: str, root: str, iters: int | None = None, progress: bool = True, every: int = 1) -> Rehearsal:
    """Walk one schedule, or its first ``iters`` iterations: the plan, rate and images are those of the whole.

    Of every iteration it is noted which images it takes; those of each ``every``-th are read and augmented.
    """
    config = reduced(name, root, TINY)
    data = build_dataset(config, "train")
    images = data.counts.get(config["train_dataset"]["mode"]) or LISTED[config["train_dataset"]["type"]]
    plan = Plan(config["iters"], images, config["batch_size"], PROCESSES)
    data.seed = plan.seed
    rate = build_optimizer(config)[1].scheduler(plan.iters)
    done = Rehearsal(plan, np.zeros(images, int), {}, [], set(), set(), 0.0)
    start, last = time.perf_counter(), iters or plan.iters
    batches = zip(*(plan.batches(rank) for rank in range(PROCESSES)), strict=True)
    steps = tqdm(enumerate(batches, 1), total=last, desc=name, unit="iteration", disable=not progress)
    for iteration, shares in steps:
        for index, position in (key for share in shares for key in share):
            done.seen[index] += 1
            if (iteration - 1) % every:
                continue
            sample = data[index % len(data), position]
            done.labels.update(np.unique(sample["label"]).tolist())
            done.shapes.add(sample["img"].shape)
        if (iteration - 1) % max(plan.iters // 8, 1) == 0 or iteration == plan.iters:
            done.rates[iteration] = rate()
        rate.step()
        if plan.saves(iteration):
            done.saved.append(iteration)
        if iteration == last:
            break
    done.seconds = time.perf_counter() - start
    return done


def main() -> None:
    """The schedules that are named, all unless any is, or their first --iters iterations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="configs; the published two and the authors' recipes unless given")
    parser.add_argument("--iters", type=int, help="only the first iterations, for a quick look")
    parser.add_argument("--every", type=int, default=1, help="read and augment the images of each N-th iteration only")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in args.names or [*PUBLISHED, *RECIPES]:
            kind = paddleisa.load_config(name)["train_dataset"]["type"]
            root = Path(folder, kind)
            data = str(root) if root.exists() else rehearsal_data(kind, root)
            _print(name, rehearse(name, data, args.iters, every=args.every), args.every)


def _print(name: str, done: Rehearsal, every: int) -> None:
    plan = done.plan
    print(f"\n{name}: {plan.iters} iterations, {done.seconds:.0f} s")
    print(
        f"  total batch {plan.total_batch}, {plan.steps_per_epoch} iterations an epoch, {plan.epoch(plan.iters)} epochs"
    )
    print(f"  each image was seen {done.seen.min()} to {done.seen.max()} times")
    print(f"  {len(done.saved)} checkpoints and evaluations, the last three at {done.saved[-3:]}")
    print("  learning rate: " + ", ".join(f"{i}: {r:.6f}" for i, r in done.rates.items()))
    which = "" if every == 1 else f", of each {every}th iteration"
    print(f"  images of {sorted(done.shapes)}, labels {sorted(done.labels)}{which}")


if __name__ == "__main__":
    main()
