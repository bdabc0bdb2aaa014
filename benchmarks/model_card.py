"""The figures of a model's card: scores by class, curves, confusion matrix, and its worst frames as masks.

    python benchmarks/model_card.py NAME --logs output/stage1/log.jsonl output/log.jsonl [--out pretrained/NAME]
                                    [--engine openvino]

Evaluates the shipped weights of the config NAME at a single scale, with flip, and with ms+flip, prints the card's
tables and writes ``curves.png``, ``confusion.png`` and ``worst.png`` (label, prediction and, in white, the wrong
pixels; no photographs, which are not ours to give). ``--logs`` are the runs in their order; their iterations are added.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import paddleisa
from paddleisa.build import build_dataset
from paddleisa.datasets.images import write_image
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.evaluation.metrics import ConfusionMatrix
from paddleisa.visual.overlay import colorize, contact_sheet, legend
from paddleisa.zoo.download.locate import local_weights

SETTINGS = {
    "single": {},
    "flip": {"flip_horizontal": True},
    "ms+flip": {"flip_horizontal": True, "scales": (0.75, 1.0, 1.25)},
}
WORST = 4
COLOURS = ("#2b6cb0", "#dd8a2e")


def curves(logs: list[Path], path: Path) -> None:
    """Training loss and validation mIoU over all runs' iterations; a line where a run ends."""
    figure = Figure(figsize=(7, 3), dpi=110, layout="constrained")
    loss_axis = figure.subplots()
    miou_axis, start = loss_axis.twinx(), 0
    for number, log in enumerate(logs):
        records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        for kind, value, factor, axis, style in (
            ("train", "loss", 1, loss_axis, "-"),
            ("eval", "miou", 100, miou_axis, "o-"),
        ):
            points = [(start + r["iteration"], factor * r[value]) for r in records if r["kind"] == kind]
            axis.plot(*zip(*points, strict=True), style, color=COLOURS[kind == "eval"], markersize=4, linewidth=1.2)
        start += max(r["iteration"] for r in records if "iteration" in r)
        if number + 1 < len(logs):
            loss_axis.axvline(start, color="#999999", linewidth=0.8, linestyle=":")
    loss_axis.set(xlabel="iteration", ylabel="training loss", ylim=(0, 3))
    miou_axis.set(ylabel="validation mIoU (%)", ylim=(0, 100))
    for axis, colour in ((loss_axis, COLOURS[0]), (miou_axis, COLOURS[1])):
        axis.yaxis.label.set_color(colour)
    figure.savefig(path)


def confusion_picture(matrix: np.ndarray, names: list[str], path: Path) -> None:
    """Rows: the true class, to 100 %; columns: what its pixels were predicted as."""
    share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(6, 5.2), dpi=110, layout="constrained")
    axis = figure.subplots()
    axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
    axis.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set(xlabel="predicted", ylabel="true")
    for (i, j), value in np.ndenumerate(share):
        if value >= 0.5:
            axis.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7, color="w" if value > 55 else "k")
    figure.savefig(path)


def worst_picture(frames: list[tuple[float, np.ndarray, np.ndarray]], dataset, path: Path) -> None:
    """Label, prediction and errors of the frames that have most wrong pixels, at half their size."""
    rows = []
    for _, label, mask in sorted(frames, key=lambda frame: -frame[0])[:WORST]:
        wrong = np.where((label != mask) & (label != dataset.ignore_index), 255, 0).astype(np.uint8)
        cells = [colorize(label, dataset.palette), colorize(mask, dataset.palette), np.dstack([wrong] * 3)]
        rows.append([cell[::2, ::2] for cell in cells])
    sheet = contact_sheet(rows)
    write_image(path, np.concatenate([sheet, legend(dataset.palette, dataset.class_names, width=sheet.shape[1])]))


def main() -> None:
    """Evaluate, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--logs", type=Path, nargs="+", default=[])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--engine", default="paddle", help="what computes the network")
    parser.add_argument("--out", type=Path, help="pretrained/NAME")
    args = parser.parse_args()
    out = args.out or Path("pretrained") / args.name
    config = paddleisa.load_config(args.name)
    model, dataset = paddleisa.build_model(config), build_dataset(config, "val")
    paddleisa.load_weights(model, args.weights or local_weights(args.name))
    frames: list[tuple[float, np.ndarray, np.ndarray]] = []

    def keep(sample: dict, mask: np.ndarray) -> None:
        one = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)
        one.add(mask, sample["label"])
        frames.append((1 - one.scores().accuracy, sample["label"], mask))

    if args.logs:
        curves(args.logs, out / "curves.png")
    results = {}
    for name, settings in SETTINGS.items():
        each = keep if name == "single" else None
        evaluation = evaluate(paddleisa.Predictor(model, config, engine=args.engine, **settings), dataset, each=each)
        results[name] = evaluation.scores
        print(f"{name}: {100 * results[name].miou:.2f} mIoU, accuracy {100 * results[name].accuracy:.2f}", flush=True)
        if name == "single":
            confusion_picture(evaluation.matrix.matrix, dataset.class_names, out / "confusion.png")
            worst_picture(frames, dataset, out / "worst.png")
    single, full = results["single"], results["ms+flip"]
    print("| class | IoU | precision | recall | IoU, ms+flip |\n|---|--:|--:|--:|--:|")
    columns = single.class_iou, single.class_precision, single.class_recall, full.class_iou
    for name, *values in zip(dataset.class_names, *columns, strict=True):
        print(f"| {name} | " + " | ".join(f"{100 * value:.2f}" for value in values) + " |")


if __name__ == "__main__":
    main()
