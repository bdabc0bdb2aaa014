"""What a training step of the shipped model costs: crop, batch, output stride, frozen stages, cached features.

    python benchmarks/recipe_steps.py [--steps 3]

A step is forward, loss, backward and optimizer on random images with random labels, one thread, in one process; the
median after one that warms up. Cached features leave out the forward pass of the frozen stages, which is measured
within the same steps and subtracted. bf16 is not among them: Paddle's autocast has no effect on CPUs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from itertools import pairwise

os.environ.setdefault("OMP_NUM_THREADS", "1")

import paddle

from paddleisa.build import build_loss, build_model, build_optimizer
from paddleisa.config import load_config

CONFIG = "isanet_efficientnet_lite0_os16_camvid_448x320_600"
FROZEN = load_config(CONFIG)["optimizer"]["freeze"]  # stem and the blocks up to resolution 1/4
EIGHTH = [*FROZEN, "backbone._blocks.3.", "backbone._blocks.4."]
BASE = {"crop": (448, 320), "batch": 4, "output_stride": 16, "frozen": FROZEN}
CHANGES = [
    {},
    *({"crop": crop} for crop in ((256, 192), (320, 320), (384, 256))),
    *({"batch": batch} for batch in (2, 8)),
    {"output_stride": 8},
    *({"frozen": frozen} for frozen in ([], EIGHTH)),
]


def step_seconds(crop, batch, output_stride, frozen, steps: int) -> tuple[float, float]:
    """(seconds of a step, of which the forward pass of stem and first blocks takes)."""
    opts = [f"model.backbone.output_stride={output_stride}", "model.backbone.pretrained=null"]
    opts += [f"optimizer.freeze=[{', '.join(frozen)}]" if frozen else "optimizer.freeze=null"]
    config = load_config(CONFIG, opts=opts)
    model, loss, (optimizer, schedule) = build_model(config), build_loss(config), build_optimizer(config)
    update = optimizer.create(model, schedule.scheduler(1000))
    optimizer.train_mode(model)  # frozen batch norms keep their statistics
    marks, lower = [], []
    stem, last = model.backbone._conv_stem, model.backbone._blocks[2]
    stem.register_forward_pre_hook(lambda *_: marks.append(time.perf_counter()))
    last.register_forward_post_hook(lambda *_: lower.append(time.perf_counter() - marks.pop()))
    images = paddle.randn([batch, 3, crop[1], crop[0]])
    labels = paddle.randint(0, 11, [batch, crop[1], crop[0]])
    times = [time.perf_counter()]
    for _ in range(steps + 1):
        total = sum(loss(model(images), labels))
        total.backward()
        update.step()
        update.clear_grad()
        float(total)
        times.append(time.perf_counter())
    return statistics.median([b - a for a, b in pairwise(times)][1:]), statistics.median(lower[1:])


def main() -> None:
    """A line for each change from what the recipe has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    for change in CHANGES:
        seconds, lower = step_seconds(**{**BASE, **change}, steps=args.steps)
        what = ", ".join(f"{k} {len(v) if k == 'frozen' else v}" for k, v in change.items()) or "as the recipe has it"
        print(f"{what}: {seconds:.2f} s a step, {seconds - lower:.2f} with cached features", flush=True)


if __name__ == "__main__":
    main()
