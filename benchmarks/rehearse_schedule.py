"""Rehearse a published schedule without the network's arithmetic.

Walks all 80,000 (Cityscapes) and 40,000 (VOC) iterations of four processes: which images, the augmentation's draws (the
real transforms, on images of 16x16 pixels), learning rate, checkpoints and evaluations. Prints what fell where.

    python benchmarks/rehearse_schedule.py [--iters N]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Annotated

import numpy as np
from tqdm import tqdm

import paddleisa
from paddleisa.build import build_optimizer
from paddleisa.config import build_part, check
from paddleisa.registry import TRANSFORMS
from paddleisa.training.batches import Plan
from paddleisa.transforms import Compose

SCHEDULES = {
    "isanet_resnet50_os8_cityscapes_769x769_80k": 2975,
    "isanet_resnet50_os8_voc12aug_512x512_40k": 10582,
}
PROCESSES, TINY = 4, [16, 16]


def rehearse(name: str, images: int, iters: int | None) -> None:
    """Walk one schedule and print its events."""
    config = check(paddleisa.load_config(name, flags={"iters": iters} if iters else None), "train")
    crop = next(t for t in config["train_dataset"]["transforms"] if t["type"] == "RandomPaddingCrop")["crop_size"]
    number = [t["type"] for t in config["train_dataset"]["transforms"]].index("RandomPaddingCrop")
    small = config.with_values(opts=[f"train_dataset.transforms.{number}.crop_size={TINY}"])
    augment = Compose(build_part(small, "train_dataset.transforms", list[Annotated[object, TRANSFORMS]]))
    plan = Plan(config["iters"], images, config["batch_size"], PROCESSES)
    rate = build_optimizer(config)[1].scheduler(plan.iters)
    seen, sizes, rates, saved = np.zeros(images, int), Counter(), {}, []
    blank = {"img": np.zeros((20, 24, 3), np.uint8), "label": np.zeros((20, 24), np.uint8)}
    start = time.perf_counter()
    batches = zip(*(plan.batches(rank) for rank in range(PROCESSES)), strict=True)
    for iteration, shares in enumerate(tqdm(batches, total=plan.iters, desc=name, unit="iteration"), 1):
        for index, position in (key for share in shares for key in share):
            seen[index] += 1
            rng = np.random.default_rng([plan.seed, 1, position])
            sample = augment({k: v.copy() for k, v in blank.items()} | {"rng": rng, "gt_fields": ["label"]})
            sizes[sample["trans_info"][0][1] if sample["trans_info"] else None] += 1
        if (iteration - 1) % (plan.iters // 8) == 0 or iteration == plan.iters:
            rates[iteration] = rate()
        rate.step()
        if plan.saves(iteration):
            saved.append(iteration)
    print(f"\n{name}: {plan.iters} iterations, {time.perf_counter() - start:.0f} s")
    print(
        f"  crop {crop}, total batch {plan.total_batch}, {plan.steps_per_epoch} iterations an epoch, "
        f"{plan.epoch(plan.iters)} epochs"
    )
    print(f"  each image was seen {seen.min()} to {seen.max()} times")
    print(f"  {len(saved)} checkpoints and evaluations, the last three at {saved[-3:]}")
    print("  learning rate: " + ", ".join(f"{i}: {r:.6f}" for i, r in rates.items()))


def main() -> None:
    """Both schedules, or their first --iters iterations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iters", type=int, help="shorter schedules, for a quick look")
    args = parser.parse_args()
    for name, images in SCHEDULES.items():
        rehearse(name, images, args.iters)


if __name__ == "__main__":
    main()
