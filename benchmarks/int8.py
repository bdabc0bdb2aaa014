"""What int8 costs: mIoU, equal pixels and time of a network by what of it stays in float32.

Quantises the model once with everything in int8, once as the package does it (``deploy/export/int8.py``), then with
each part of the network in float32 as well, and runs each over the validation images. Calibrated with training images
only. Equal pixels, and the error of the scores (root mean square, relative to the scores'), are against OpenVINO in
float32; FLOPs are those of convolutions; the time is the shortest of five passes.

    python benchmarks/int8.py [--config NAME] [--weights FILE] [--frames 101] [--images 20] [--only TEXT ...]
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import paddleisa
from paddleisa.build import build_dataset
from paddleisa.deploy.export.calibration import Calibration, training_images
from paddleisa.deploy.export.formats import write_checked
from paddleisa.deploy.export.int8 import kept_operations, quantise
from paddleisa.deploy.export.network import SCORES, upsampling_of
from paddleisa.deploy.export.openvino import OpenVinoRunner
from paddleisa.deploy.export.openvino_core import core
from paddleisa.evaluation.metrics import ConfusionMatrix
from paddleisa.inference.lazy_logits import LowResLogits
from paddleisa.zoo.download.locate import local_weights


class Frames:
    """Validation images, and what float32 makes of them.

    Args:
        config: of the model.
        model: with its weights.
        file: of its float32 scores.
        count: of images; there may be fewer.
    """

    def __init__(self, config, model, file: Path, count: int):
        self._data, self._how = build_dataset(config, "val"), upsampling_of(model)
        self._count, self._predictor = min(count, len(self._data)), paddleisa.Predictor(model, config)
        self._masks, self._scores = None, None
        self._masks, self._scores, self.first = self._run(OpenVinoRunner(file))

    def row(self, run: Callable) -> tuple[float, float, float, float]:
        """(mIoU, share of equal pixels, relative error of the scores, seconds) of a network."""
        masks, scores, _ = self._run(run)
        matrix = ConfusionMatrix(self._data.num_classes, self._data.ignore_index)
        for number, mask in enumerate(masks):
            matrix.add(mask, self._data[number]["label"])
        equal = np.mean([(a == b).mean() for a, b in zip(masks, self._masks, strict=True)])
        error = [np.square(a - b).mean() / np.square(b).mean() for a, b in zip(scores, self._scores, strict=True)]
        return 100 * matrix.scores().miou, float(equal), float(np.sqrt(np.mean(error))), _seconds(run, self.first)

    def _run(self, run: Callable) -> tuple[list, list, np.ndarray]:
        scores = []

        def network(x):
            scores.append(run(x.numpy()))
            return LowResLogits(scores[-1], self._how)

        predictor = self._predictor.with_network(network)
        masks = [predictor.mask(predictor.logits(self._data[number])) for number in range(self._count)]
        return masks, scores, self._data[0]["img"][None]


def _seconds(run: Callable, image: np.ndarray) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run(image)
        times.append(time.perf_counter() - start)
    return min(times)


def parts_of(file: Path, model) -> dict[str, list[str]]:
    """{part of the network: its operations in ``file``}. Convolutions are known by their weights up to a factor."""
    from paddle import nn

    layers = {name: layer for name, layer in model.named_sublayers() if isinstance(layer, nn.Conv2D)}
    filters = {name: _directions(layer.weight.numpy()) for name, layer in layers.items()}
    parts: dict[str, list[str]] = {}
    for op in core().read_model(file).get_ordered_ops():
        if op.get_type_name() == "Convolution":
            found = _directions(op.input(1).get_source_output().get_node().data)
            name = next(
                name for name, own in filters.items() if own.shape == found.shape and (own * found).sum(1).min() > 0.999
            )
            parts.setdefault(_part(name), []).append(op.get_friendly_name())
        elif op.get_type_name() == "MatMul":
            parts.setdefault("attention products", []).append(op.get_friendly_name())
    return parts


def _directions(weight: np.ndarray) -> np.ndarray:
    """(O, I * kh * kw): each filter, of length one."""
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    return np.abs(flat) / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)


def _part(name: str) -> str:
    """A layer's part: ``backbone.bb_2_0.conv0._conv`` -> ``backbone.bb_2``; the stem's layers together."""
    first, second = name.split(".")[:2]
    second = re.sub(r"(_\d+)_\d+$", r"\1", second) if first == "backbone" else second
    if "relation" in second:
        return "attention projections"
    return "stem" if first == "backbone" and second.startswith(("conv", "stem")) else f"{first}.{second}"


def int8_share(file: Path, shape: tuple[int, ...]) -> float:
    """Share of the convolutions' FLOPs in ``file`` that are int8, for an image of ``shape``."""

    model = core().read_model(file)
    model.reshape(list(shape))
    total = small = 0
    for op in model.get_ordered_ops():
        if op.get_type_name() == "Convolution":
            flops = int(np.prod(op.get_output_shape(0)[2:])) * int(np.prod(op.get_input_shape(1)))
            total += flops
            # Weights in 8 bits stand behind a factor, others are constants.
            small += flops * (op.input(1).get_source_output().get_node().get_type_name() != "Constant")
    return small / total


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="isanet_efficientnet_lite0_os16_camvid_448x320_600")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--frames", type=int, default=101)
    parser.add_argument("--images", type=int, default=20, help="calibration images")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="rows whose name holds one of these")
    args = parser.parse_args()
    config = paddleisa.load_config(args.config)
    model = paddleisa.build_model(config)
    paddleisa.load_weights(model, args.weights or local_weights(config.name))
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        table(config, model, Path(folder), args)


def table(config, model, folder: Path, args: argparse.Namespace) -> None:
    """Print a row for each variant as soon as it is measured."""
    file = write_checked(model, "openvino", folder, output_op=SCORES).files[0]
    frames = Frames(config, model, file, args.frames)
    calibration = Calibration(training_images(config, args.images), paddleisa.Predictor(model, config).prepare)
    print("| in float32 | mIoU | equal pixels | error of the scores | int8 FLOPs | ms |")
    print("|---|---|---|---|---|---|")

    def show(name: str, run: Callable, share: float) -> None:
        if args.only is None or any(text in name for text in args.only):
            miou, equal, error, seconds = frames.row(run)
            cells = (f"{miou:.3f}", f"{100 * equal:.3f} %", f"{100 * error:.2f} %", f"{100 * share:.1f} %")
            print(f"| {name} | {' | '.join(cells)} | {1000 * seconds:.1f} |", flush=True)

    show("everything", OpenVinoRunner(file), 0)
    try:
        show("everything, in bf16", OpenVinoRunner(file, "bf16"), 0)
    except paddleisa.errors.DeployError as error:
        print(f"bf16: {error}")
    parts = parts_of(file, model)
    variants: dict[str, Callable] = {"nothing": lambda graph: [], "the package's choice": kept_operations}
    for part, names in parts.items():
        variants[f"{part} alone"] = lambda graph, names=names: names
        variants[f"the package's choice and {part}"] = lambda graph, names=names: [*kept_operations(graph), *names]
    for number, (name, kept) in enumerate(variants.items()):
        if args.only is None or any(text in name for text in args.only):
            into = folder / str(number)
            into.mkdir()
            made = quantise(file, calibration, into, kept)[0]
            show(name, OpenVinoRunner(made, "int8"), int8_share(made, frames.first.shape))


if __name__ == "__main__":
    main()
