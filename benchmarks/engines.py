"""Every engine and precision against dygraph: the share of equal pixels, what it does to the mIoU and to each class.

On the reference images of tests/reference (the two published configs of ResNet50, with the weights that the original's
vectors were made with), and on CamVid's validation frames with the weights in pretrained/. Prints the table that stands
in docs/performance.md; tests/deploy/test_engine_table.py holds the first column true.

    python benchmarks/engines.py [--frames 101] [--camvid NAME] [--weights FILE]
                                 [--engines NAME ...] [--no_reference]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import paddleisa
from paddleisa.build import build_dataset
from paddleisa.deploy.runtimes.open import require_engine, runtimes
from paddleisa.errors import PaddleISAError
from paddleisa.evaluation.metrics import ConfusionMatrix, Scores
from paddleisa.zoo.download.locate import local_weights

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/reference"))
REFERENCE = {
    "isanet_resnet50_os8_cityscapes_769x769_80k": ((129, 193), (97, 97)),
    "isanet_resnet50_os8_voc12aug_512x512_40k": ((129, 193), (97, 97)),
}


def reference_share(engine: str, precision: str) -> float:
    """Share of equal pixels over the reference images, all configs together."""
    import paddle
    import reference

    equal = pixels = 0
    for name, sizes in REFERENCE.items():
        config = paddleisa.load_config(name, opts=["val_dataset.transforms=[{type: Normalize}]"])
        model = paddleisa.build_model(config)
        state = {key: reference.weight(key, value.shape) for key, value in model.state_dict().items()}
        model.set_state_dict({key: paddle.to_tensor(value) for key, value in state.items()})
        images = [_uint8(reference.image(h * 1000 + w, (1, 3, h, w))) for h, w in sizes]
        options = {"calibration": images} if precision == "int8" else {}
        expected = paddleisa.Predictor(model, config)
        found = paddleisa.Predictor(model, config, engine=engine, precision=precision, **options)
        for image in images:
            same = found(image) == expected(image)
            equal, pixels = equal + same.sum(), pixels + same.size
    return equal / pixels


def _uint8(x: np.ndarray) -> np.ndarray:
    """(1, 3, h, w) of about -1..1 -> (h, w, 3) of 0..255."""
    return np.clip((x[0].transpose(1, 2, 0) / 2 + 0.5) * 255, 0, 255).astype(np.uint8)


def camvid(name: str, weights: Path | None, combinations: list[tuple[str, str]], frames: int) -> dict:
    """(share of equal pixels, scores, seconds a frame) of each combination; ("paddle", "fp32") is dygraph."""
    config = paddleisa.load_config(name)
    dataset = build_dataset(config, "val")
    model = paddleisa.build_model(config)
    paddleisa.load_weights(model, weights or local_weights(name))
    count = min(frames, len(dataset))

    def masks(**options) -> tuple[list[np.ndarray], float]:
        predictor = paddleisa.Predictor(model, config, **options)
        predictor.logits(dataset[0])  # compiles
        start = time.perf_counter()
        found = [predictor.mask(predictor.logits(dataset[i])) for i in range(count)]
        return found, (time.perf_counter() - start) / count

    def scores(found: list[np.ndarray]) -> Scores:
        matrix = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)
        for i, mask in enumerate(found):
            matrix.add(mask, dataset[i]["label"])
        return matrix.scores()

    expected, seconds = masks()
    results: dict = {("paddle", "fp32"): (1.0, scores(expected), seconds)}
    for engine, precision in combinations:
        found, seconds = masks(engine=engine, precision=precision)
        equal = np.mean([(a == b).mean() for a, b in zip(found, expected, strict=True)])
        results[engine, precision] = (equal, scores(found), seconds)
    return results


def print_classes(results: dict, names: list[str]) -> None:
    """The IoU of each class under each combination."""
    print("| class | " + " | ".join(f"{engine} {precision}" for engine, precision in results) + " |")
    print("|---|" + "--:|" * len(results))
    for k, name in enumerate(names):
        print(f"| {name} | " + " | ".join(f"{100 * s.class_iou[k]:.2f}" for _, s, _ in results.values()) + " |")


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=101)
    parser.add_argument("--camvid", default="isanet_efficientnet_lite0_os16_camvid_448x320_600")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--no_reference", action="store_true")
    parser.add_argument("--engines", nargs="+", metavar="NAME", help="only these")
    args = parser.parse_args()
    combinations = []
    for engine, runtime in runtimes().items():
        if args.engines and engine not in args.engines:
            continue
        for precision in runtime.precisions:
            try:
                require_engine(engine, precision)
            except PaddleISAError as error:
                print(f"{engine} {precision}: {error}")
            else:
                combinations.append((engine, precision))
    combinations = [pair for pair in combinations if pair != ("paddle", "fp32")]
    on_camvid = camvid(args.camvid, args.weights, combinations, args.frames)
    base = on_camvid["paddle", "fp32"][1].miou
    print(f"{args.camvid}, {args.frames} frames: mIoU of dygraph {100 * base:.2f}")
    print(
        "| engine | precision | reference vectors, equal pixels | CamVid, equal pixels | CamVid, mIoU difference "
        "| s a frame |"
    )
    print("|---|---|---|---|---|--:|")
    for (engine, precision), (equal, found, seconds) in on_camvid.items():
        is_dygraph = (engine, precision) == ("paddle", "fp32")
        share = "" if args.no_reference or is_dygraph else f"{100 * reference_share(engine, precision):.3f} %"
        difference = 100 * (found.miou - base)
        print(f"| {engine} | {precision} | {share} | {100 * equal:.3f} % | {difference:+.3f} | {seconds:.2f} |")
    print_classes(on_camvid, build_dataset(paddleisa.load_config(args.camvid), "val").class_names)


if __name__ == "__main__":
    main()
