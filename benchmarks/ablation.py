"""What is the attention worth? Heads on one backbone and one budget: none, dense, interlaced with several windows.

    python benchmarks/ablation.py [--iters 200] [--seeds 0 1 2] [--heads fcn dense isa4 isa8 isa12]
                                  [--data data/camvid] [--work output/ablation]

Each head is trained on EfficientNet-Lite0 from ImageNet's weights with the first stage's recipe of the shipped model
(crops of 384x256, class weights, AdamW), whose rate falls to zero within ``--iters``; no average of the weights, which
would still hold the random head. A seed decides the head's initial weights, the order of the images and every draw of
the augmentation, and is the same for all heads. Scores are of the last weights on the 101 validation frames as 720x540.
Finished runs are kept in ``scores.json`` of the work folder, so that the script goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from paddleisa.build import build_dataset, build_model
from paddleisa.config import load_config
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.predictor import Predictor
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import train
from paddleisa.utils.files import atomic_write
from paddleisa.weights import load_weights

CONFIG = "isanet_efficientnet_lite0_os16_camvid_384x256_1200"
ISA = "{{type: ISAHead, isa_channels: 64, down_factor: [{0}, {0}]}}"
HEADS = {
    "fcn": "{type: FCNHead}",
    "dense": "{type: OCHead, key_channels: 64, value_channels: 64, output_norm: True, dropout: 0.1}",
    **{f"isa{window}": ISA.format(window) for window in (4, 8, 12)},
}


def run(head: str, seed: int, iters: int, data: Path, work: Path) -> dict[str, object]:
    """Train one head with one seed; its scores, its parameters and its seconds a step."""
    changes = [f"iters={iters}", f"seed={seed}", "ema=null", f"model.head={HEADS[head]}"]
    changes += ["model.isa_channels=null", "model.down_factor=null", "model.enable_auxiliary_loss=null"]
    changes += ["lr_scheduler.warmup_iters=20", "lr_scheduler.decay_steps=null"]
    for split in ("train", "val"):
        changes += [f"{split}_dataset.dataset_root={data}", f"{split}_dataset.{split}_path={data}/{split}.txt"]
    config = load_config(CONFIG, opts=changes)
    folder = work / f"{head}_{seed}"
    start = time.perf_counter()
    train(config, TrainOptions(folder, save_interval=iters, num_workers=0))
    seconds = (time.perf_counter() - start) / iters
    model = build_model(config)
    load_weights(model, folder / f"iter_{iters}/model.pdparams")
    scores = evaluate(Predictor(model, config, engine="openvino"), build_dataset(config, "val")).scores
    parameters = sum(p.size for p in model.head.parameters()) if hasattr(model, "head") else None
    classes = [round(100 * float(iou), 2) for iou in scores.class_iou]
    return {"miou": 100 * float(scores.miou), "classes": classes, "parameters": parameters, "step": seconds}


def main() -> None:
    """Train what is missing, then print a line for each head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iters", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--data", type=Path, default=Path("data/camvid"))
    parser.add_argument("--work", type=Path, default=Path("output/ablation"))
    args = parser.parse_args()
    path = args.work / "scores.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for seed in args.seeds:
        for head in args.heads:
            key = f"{head}, seed {seed}, {args.iters} iterations"
            if key not in results:
                results[key] = run(head, seed, args.iters, args.data, args.work)
                print(f"{key}: {results[key]['miou']:.2f} mIoU, {results[key]['step']:.2f} s a step", flush=True)
                with atomic_write(path) as file:
                    file.write(json.dumps(results, indent=1).encode())
    for head in args.heads:
        of_head = [results[f"{head}, seed {seed}, {args.iters} iterations"] for seed in args.seeds]
        mious = [one["miou"] for one in of_head]
        spread = statistics.stdev(mious) if len(mious) > 1 else float("nan")
        each = ", ".join(f"{miou:.2f}" for miou in mious)
        print(f"{head}: {statistics.mean(mious):.2f} +- {spread:.2f} mIoU ({each})")


if __name__ == "__main__":
    main()
