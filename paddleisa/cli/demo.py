"""``paddleisa demo``: train, evaluate in the ways of the published table, draw and report, on generated street scenes.

Needs no data, weights or network.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleisa.cli import common
from paddleisa.training.options import TrainOptions
from paddleisa.utils.files import atomic_write

if TYPE_CHECKING:
    from paddleisa.datasets.base import SegmentationData
    from paddleisa.evaluation.evaluate import Evaluation
    from paddleisa.predictor import Predictor
    from paddleisa.training.batches import Batch
    from paddleisa.training.train_state import TrainState

CONFIG = "isanet_resnet18_os8_scenes_128x128_200"
# A shorter schedule and fewer scenes to score than the config's: three minutes of one processor core in all.
ITERS, SCENES = 90, 8
FIRST_LOOK = 12  # iteration before which the first picture is drawn
SCALES = (0.75, 1.0, 1.25)
# The columns of the published table.
WAYS: dict[str, dict[str, Any]] = {
    "single scale": {},
    "flip": {"flip_horizontal": True},
    **{
        f"ms+flip, {protocol}": {"scales": SCALES, "flip_horizontal": True, "protocol": protocol}
        for protocol in ("paddleseg-2021", "paddleseg-2023")
    },
}
PICTURES = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``demo``."""
    parser.add_argument("--save_dir", default="output/demo", metavar="DIR", help="where everything goes (output/demo)")
    parser.add_argument("--iters", type=int, metavar="N", help="shorter or longer training")
    common.add_shared(parser, "device", "json")


def run(args: argparse.Namespace) -> int:
    """Train a small ISANet, score it in the ways of the published table, write pictures and a report."""
    from paddleisa.utils.environment import load_paddle, set_device

    load_paddle()
    set_device(args.device)
    result = demo(args.save_dir, args.iters)
    common.write_json(args.json, result)
    return 128 + result["signal"] if result["signal"] else 0


def demo(save_dir: str | Path, iters: int | None = None) -> dict[str, Any]:
    """Run everything; a second run goes on where the first was stopped.

    Returns:
        Scores by way of testing, the files written, seconds, and the signal that stopped it or None.
    """
    from paddleisa.build import build_dataset, build_model
    from paddleisa.config import load_config
    from paddleisa.evaluation.evaluate import evaluate
    from paddleisa.predictor import Predictor
    from paddleisa.training.trainer import train
    from paddleisa.weights import load_weights
    from paddleisa.zoo.catalogue.catalogue import load_catalogue
    from paddleisa.zoo.download.locate import best_shipped

    save_dir, start = Path(save_dir), time.perf_counter()
    config = load_config(CONFIG, flags={"iters": iters or ITERS}, opts=[f"val_dataset.num_images={SCENES}"])
    print("1/4 train: a small ISANet on generated street scenes")
    options = TrainOptions(
        save_dir=save_dir / "train",
        save_interval=45,
        do_eval=True,
        use_vdl=True,
        num_workers=1,
        resume="auto",
        keep_checkpoint_max=1,
    )
    dataset = build_dataset(config, "val")

    def look(state: TrainState, _: Batch) -> None:
        if state.iteration == min(FIRST_LOOK, config["iters"]):
            early = _draw(Predictor(state.model, config), dataset, save_dir / "first_look.png")
            print(f"a first look, after {state.iteration - 1} iterations: {early}")

    result = train(config, options, look)
    if result.signal:
        return {"signal": result.signal}
    model = build_model(config)
    load_weights(model, save_dir / "train/best_model/model.pdparams")
    print("2/4 evaluate, in the ways of the published table")
    results = {}
    for way, settings in WAYS.items():
        results[way] = evaluate(Predictor(model, config, **settings), dataset)
        print(f"{way}: {results[way].summary()}")
    print("3/4 draw")
    picture = _draw(Predictor(model, config), dataset, save_dir / "scenes.png")
    report = _report(results, dataset, config["iters"], save_dir / "report.md")
    print(report.read_text(encoding="utf-8"))
    shipped = best_shipped(load_catalogue())
    print(f"4/4 {shipped.name}, the best that ships, on the same scenes: it knows {shipped.row.dataset}, not drawings")
    other = _draw(Predictor.from_pretrained(shipped.name), dataset, save_dir / "shipped_model.png")
    print(f"pictures: {picture}, {other}   report: {report}")
    print(f"training curves: visualdl --logdir {save_dir / 'train/visualdl'}")
    return {
        "signal": None,
        "config": config.name,
        "iters": config["iters"],
        "seconds": time.perf_counter() - start,
        "scores": {way: evaluation.to_dict() for way, evaluation in results.items()},
        "files": [str(picture), str(other), str(report), str(save_dir / "train")],
    }


def _draw(predictor: Predictor, dataset: SegmentationData, path: Path) -> Path:
    """Image, truth and prediction of the first scenes, side by side, and below what the prediction's colours mean."""
    import numpy as np

    from paddleisa.datasets.images import write_image
    from paddleisa.visual.overlay import contact_sheet, legend, overlay

    rows, classes = [], predictor.classes
    for i in range(PICTURES):
        sample = dataset.read(i)
        image = sample["img"]
        truth = overlay(image, sample["label"], dataset.palette)
        rows.append([image, truth, overlay(image, predictor(image), classes.palette)])
    sheet = contact_sheet(rows)
    write_image(path, np.concatenate([sheet, legend(classes.palette, classes.names, width=sheet.shape[1])]))
    return path


def _report(results: dict[str, Evaluation], dataset: SegmentationData, iters: int, path: Path) -> Path:
    lines = [
        "# paddleisa demo",
        "",
        f"A ResNet18 ISANet, trained for {iters} iterations from random weights on generated street scenes,",
        f"scored on {len(dataset)} scenes it has not seen. Not a result on real data.",
        "",
        "| test | mIoU | accuracy | s/image |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {way} | {100 * r.scores.miou:.2f} | {100 * r.scores.accuracy:.2f} | {r.seconds / r.images:.2f} |"
        for way, r in results.items()
    ]
    single = results["single scale"].scores
    lines += ["", "| class | IoU |", "|---|---|"]
    rows = zip(dataset.class_names, single.class_iou, single.class_absent, strict=True)
    lines += [f"| {name} | {'absent' if absent else f'{100 * iou:.2f}'} |" for name, iou, absent in rows]
    with atomic_write(path, "w") as stream:
        stream.write("\n".join(lines) + "\n")
    return path
