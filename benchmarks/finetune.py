"""Does fine-tuning the shipped model pay? 20 CamVid frames in 3 classes, from its weights and from random ones.

    python benchmarks/finetune.py [--iters 40 200] [--frames N] [--data data/camvid] [--work output/finetune]

The 11 classes become ground (road, pavement), traffic (car, pedestrian, bicyclist) and the rest. 20 training frames,
spread over all drives; the score is on the 101 validation frames with the last weights. Of the iterations the first
number is for the shipped weights, the second for random ones; both runs have the config's crops, AdamW, cross entropy
and one thread. The seconds include building and loading.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from paddleisa.build import build_dataset, build_model
from paddleisa.config import load_config
from paddleisa.datasets.images import read_label, write_label
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.predictor import Predictor
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import train
from paddleisa.weights import load_weights
from paddleisa.zoo.download.locate import local_weights

CONFIG = "isanet_efficientnet_lite0_os16_camvid_448x320_600"
CLASSES = ["ground", "traffic", "rest"]
NEW_ID = {3: 0, 4: 0, 8: 1, 9: 1, 10: 1}  # CamVid's road, pavement; car, pedestrian, bicyclist; the others are 2
FRAMES = 20


def relabelled(data: Path, folder: Path, split: str, count: int | None) -> Path:
    """The list of ``count`` evenly spread frames of ``split``, whose labels are written to ``folder`` in 3 classes."""
    table = np.full(256, 2, np.uint8)
    table[list(NEW_ID)] = list(NEW_ID.values())
    table[255] = 255
    lines = (data / f"{split}.txt").read_text().splitlines()
    lines = lines if count is None else lines[:: len(lines) // count][:count]
    new = []
    for line in lines:
        image, label = line.split()
        target = folder / split / Path(label).name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_label(target, table[read_label(data / label)])
        new.append(f"{(data / image).resolve()} {target.resolve()}")
    path = folder / f"{split}.txt"
    path.write_text("\n".join(new) + "\n")
    return path


def changes(folder: Path, lists: dict[str, Path], weights: Path | None, iters: int) -> list[str]:
    """The config's values for 3 classes, other weights and another length."""
    changed = [f"iters={iters}", "lr_scheduler.warmup_iters=10", "ema=null", "loss.types=[{type: CrossEntropyLoss}]"]
    changed += [f"model.pretrained={weights or 'null'}", "model.backbone.pretrained=null"]
    if weights is None:  # random layers are neither frozen nor slowed
        changed += ["optimizer.freeze=null", "optimizer.custom_cfg=null"]
    for split, path in lists.items():
        part = f"{split}_dataset"
        changed += [f"{part}.dataset_root={folder}", f"{part}.{split}_path={path}", f"{part}.num_classes=3"]
        changed += [f"{part}.class_names=[{', '.join(CLASSES)}]", f"{part}.palette=null"]
    return changed


def main() -> None:
    """Train twice, evaluate twice, print two lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--iters", type=int, nargs=2, default=[40, 200], help="from shipped and from random weights; 0 leaves one out"
    )
    parser.add_argument("--frames", type=int, help="validation frames, evenly spread; default: all")
    parser.add_argument("--data", type=Path, default=Path("data/camvid"))
    parser.add_argument("--work", type=Path, default=Path("output/finetune"))
    args = parser.parse_args()
    lists = {
        "train": relabelled(args.data, args.work, "train", FRAMES),
        "val": relabelled(args.data, args.work, "val", args.frames),
    }
    shipped = local_weights(CONFIG)
    for name, weights, iters in (("shipped", shipped, args.iters[0]), ("random", None, args.iters[1])):
        if not iters:
            continue
        config = load_config(CONFIG, opts=changes(args.work, lists, weights, iters))
        folder = args.work / name
        start = time.perf_counter()
        train(config, TrainOptions(folder, save_interval=iters, reinit_classifier=weights is not None))
        seconds = time.perf_counter() - start
        model = build_model(config)
        load_weights(model, folder / f"iter_{iters}/model.pdparams")
        scores = evaluate(Predictor(model, config), build_dataset(config, "val")).scores
        classes = ", ".join(f"{c} {100 * iou:.2f}" for c, iou in zip(CLASSES, scores.class_iou, strict=True))
        print(f"{name} weights: {iters} iterations, {seconds:.0f} s: {100 * scores.miou:.2f} mIoU ({classes})")


if __name__ == "__main__":
    main()
