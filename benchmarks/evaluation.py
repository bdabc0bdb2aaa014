"""From the image file to the score: our evaluation in every engine against dygraph as Paddle installs it.

Two cases: ``frame``, a Cityscapes frame of 2048x1024 pixels at a single scale, and ``voc``, an image of 500x375 pixels
with three scales and flip. ISANet-ResNet50 with random weights, on files that are generated. Each side runs in its own
process, in turn, and `val`'s own loop: decoding, transforms, network, mask and confusion matrix. "defaults" is our
dygraph with the environment that Paddle comes with (one thread), "paddle" with the one that paddleisa sets. Prints
seconds an image, the network's part alone, the peak memory of the process, and how many times faster than "defaults".

    python benchmarks/evaluation.py frame [--sides defaults paddle openvino] [--images 2] [--rounds 2]
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

from paddleisa.bench.measuring import run_in_child

TUNED = ("OMP_NUM_THREADS", "FLAGS_paddle_num_threads", "MKL_DEBUG_CPU_TYPE")
CASES = {
    "frame": ("isanet_resnet50_os8_cityscapes_769x769_80k", (1024, 2048), {}),
    "voc": (
        "isanet_resnet50_os8_voc12aug_512x512_40k",
        (375, 500),
        {"scales": (0.75, 1.0, 1.25), "flip_horizontal": True, "protocol": "published"},
    ),
}
# name: engine, precision
SIDES = {
    "defaults": ("paddle", "fp32"),
    "paddle": ("paddle", "fp32"),
    "paddle_inference": ("paddle_inference", "fp32"),
    "onnxruntime": ("onnxruntime", "fp32"),
    "openvino": ("openvino", "fp32"),
    "openvino-bf16": ("openvino", "bf16"),
    "openvino-int8": ("openvino", "int8"),
}


def write_images(folder: Path, size: tuple[int, int], count: int) -> None:
    """Smooth random images and labels, which compress about as photographs do."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    for number in range(count):
        small = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), np.uint8)
        image = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
        image = cv2.add(image, rng.integers(0, 12, image.shape, np.uint8))
        label = cv2.resize(rng.integers(0, 19, (size[0] // 64, size[1] // 64), np.uint8), size[::-1], interpolation=0)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        cv2.imwrite(str(folder / f"{number}_label.png"), label)
    (folder / "val.txt").write_text("".join(f"{n}.png {n}_label.png\n" for n in range(count)))


def measure(side: str, case: str, folder: str, images: int) -> dict[str, float]:
    """Evaluate the images of a folder in this process."""
    if side == "defaults":
        import paddle  # first, so that paddleisa leaves the environment alone
    import paddleisa
    from paddleisa.utils.environment import load_paddle

    load_paddle()
    import paddle

    from paddleisa.build import build_val_transforms
    from paddleisa.datasets import Dataset
    from paddleisa.evaluation.evaluate import evaluate

    config_name, size, settings = CASES[case]
    engine, precision = SIDES[side]
    config = paddleisa.load_config(config_name)
    paddle.seed(0)
    model = paddleisa.build_model(config)
    extra = {}
    if precision == "int8":
        import cv2

        from paddleisa.deploy.export.calibration import Calibration
        from paddleisa.transforms.compose import prepared_by

        pictures = [cv2.imread(str(file)) for file in sorted(Path(folder).glob("?.png"))]
        # Not tried: random weights are sure of nothing, and the time does not depend on what comes out.
        extra["calibration"] = Calibration(pictures, prepared_by(build_val_transforms(config)), tried=False)
    opened = time.perf_counter()
    predictor = paddleisa.Predictor(model, config, engine=engine, precision=precision, **settings, **extra)
    del model
    opened = time.perf_counter() - opened
    data = Dataset(build_val_transforms(config), folder, 21, "val", val_path=f"{folder}/val.txt")
    if side != "defaults":
        evaluate(
            predictor, data, limit=1, progress=False
        )  # the first image is slower; its share is small in "defaults"
    result = evaluate(predictor, data, limit=images, progress=False)
    seconds = [] if side != "defaults" else [math.nan]  # a minute or two, and nothing is compared with it
    x = paddle.to_tensor(data[0]["img"]).unsqueeze(0)
    with paddle.no_grad():
        for _ in range(3 if side != "defaults" else 0):
            start = time.perf_counter()
            predictor.engine.network(x)
            seconds.append(time.perf_counter() - start)
    return {
        "image": result.seconds / images,
        "network": statistics.median(seconds),
        "opened": opened,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run(side: str, case: str, folder: str, images: int) -> dict[str, float] | None:
    """The measurement in a process of its own, with Paddle's environment as it comes; None where it cannot run."""
    environ = {key: value for key, value in os.environ.items() if key not in TUNED}
    outcome = run_in_child(measure, environ, side=side, case=case, folder=folder, images=images)
    if outcome.problem:
        print(f"{side} did not run: {outcome.problem}")
    return outcome.value


def main() -> None:
    """All sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), CASES[args.case][1], args.images)
        for side in args.sides:
            if side not in ("defaults", "paddle"):
                run(side, args.case, folder, 1)  # converts the model, if need be
        found: dict[str, list[dict]] = {side: [] for side in args.sides}
        for _ in range(args.rounds):
            for side, results in found.items():
                # The slow side is not made slower by repeating it.
                if result := run(side, args.case, folder, 1 if side == "defaults" else args.images):
                    results.append(result)
                    print(f"{side}: " + ", ".join(f"{key} {value:.2f}" for key, value in result.items()), flush=True)
    print(f"{args.case}: median of {args.rounds} runs")
    print(f"{'side':18} {'s/image':>8} {'network':>8} {'open s':>7} {'peak MB':>8} {'faster':>7}")
    base = None
    for side, results in found.items():
        if not results:
            continue
        image, network, opened, peak = (
            statistics.median(r[key] for r in results) for key in ("image", "network", "opened", "peak_mb")
        )
        base = base or image
        print(f"{side:18} {image:8.2f} {network:8.2f} {opened:7.1f} {peak:8.0f} {base / image:7.2f}")


if __name__ == "__main__":
    main()
