"""Frames per second of reading and augmenting Cityscapes-sized frames, against PaddleSeg's transforms.

Generates frames of 2048x1024 (street scenes enlarged, with sensor noise, so that a PNG is about as large as a real
one), then runs the training transforms of the Cityscapes rows in one process and one thread, ours and PaddleSeg's in
turn, and prints the medians and their ratio. PaddleSeg is left out where it is not installed
(``pip install --no-deps paddleseg==2.8.0``, which wants scikit-learn, prettytable and more).

    python benchmarks/data_loading.py [--frames N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import paddleisa
from paddleisa.build import build_dataset
from paddleisa.datasets import Scenes
from paddleisa.datasets.images import write_image, write_label

CONFIG = "isanet_resnet50_os8_cityscapes_769x769_80k"


def generate(root: Path, frames: int) -> list[tuple[str, str]]:
    """Frames and labels under official names; returns their paths."""
    scenes, rng, paths = (
        Scenes([], mode="train", num_images=frames, height=256, width=512),
        np.random.default_rng(0),
        [],
    )
    for i in range(frames):
        sample = scenes.read(i)
        image = cv2.resize(sample["img"], (2048, 1024), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        image += np.round(rng.normal(0, 1.2, image.shape)).astype(np.int16)
        label = cv2.resize(sample["label"], (2048, 1024), interpolation=cv2.INTER_NEAREST)
        stem = f"demo/demo_{i:06d}_000019"
        files = (
            root / f"leftImg8bit/train/{stem}_leftImg8bit.png",
            root / f"gtFine/train/{stem}_gtFine_labelTrainIds.png",
        )
        write_image(files[0], np.clip(image, 0, 255).astype(np.uint8))
        write_label(files[1], label)
        paths.append((str(files[0]), str(files[1])))
    return paths


def ours(root: Path):
    """index -> sample, by this package."""
    data = build_dataset(paddleisa.load_config(CONFIG, opts=[f"train_dataset.dataset_root={root}"]), "train")
    return lambda i: data[i % len(data), i]


def original(paths: list[tuple[str, str]]):
    """index -> sample, by PaddleSeg's Compose with the same transforms; None where it is not installed."""
    try:
        import paddleseg.transforms as T  # noqa: N812
    except ImportError as error:
        print(f"PaddleSeg is not here ({error}): no comparison")
        return None
    compose = T.Compose(
        [
            T.ResizeStepScaling(0.5, 2.0, 0.25),
            T.RandomPaddingCrop([769, 769]),
            T.RandomHorizontalFlip(),
            T.RandomDistort(brightness_range=0.4, contrast_range=0.4, saturation_range=0.4),
            T.Normalize(),
        ]
    )

    def load(i: int) -> dict:
        image, label = paths[i % len(paths)]
        return compose({"img": image, "label": label, "gt_fields": ["label"], "trans_info": []})

    return load


def rate(load, count: int) -> float:
    """Samples per second of this process's CPU time: one thread works, and other processes do not count."""
    start = time.process_time()
    for i in range(count):
        load(i)
    return count / (time.process_time() - start)


def main() -> None:
    """Generate, run in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    cv2.setNumThreads(1)  # per process, as the workers of a training run
    with tempfile.TemporaryDirectory() as folder:
        paths = generate(Path(folder), args.frames)
        size = statistics.mean(Path(image).stat().st_size for image, _ in paths) / 1e6
        print(f"{args.frames} frames of 2048x1024, PNG of {size:.1f} MB on average")
        loaders = {"paddleisa": ours(Path(folder)), "PaddleSeg": original(paths)}
        loaders = {name: load for name, load in loaders.items() if load}
        rates = {name: [] for name in loaders}
        for load in loaders.values():
            load(0)
        for _ in range(args.rounds):
            for name, load in loaders.items():
                rates[name].append(rate(load, args.frames))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        for name, values in rates.items():
            print(f"{name:10} {medians[name]:6.1f} frames/s  (rounds: {', '.join(f'{v:.1f}' for v in values)})")
        if len(medians) == 2:
            print(f"ratio {medians['paddleisa'] / medians['PaddleSeg']:.2f}")


if __name__ == "__main__":
    main()
