"""`paddleisa predict` of CamVid frames from a cold start: what an image costs, and what starting costs.

Runs the command as a user does, first with an empty cache of converted models, then again, on many frames and on one.
The difference of the last two, divided by the frames between them, is the time of a frame; the rest is the start.

    python benchmarks/cold_start.py [--frames 100] [--engines paddle openvino] [--list data/camvid/val.txt]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = "isanet_efficientnet_lite0_os16_camvid_448x320_600"


def predict(engine: str, images: list[str], folder: Path) -> float:
    """Seconds of the whole command."""
    listed = folder / f"{len(images)}.txt"
    listed.write_text("\n".join(images))
    command = [sys.executable, "-m", "paddleisa", "predict", "--config", CONFIG, "--engine", engine]
    command += ["--image_path", str(listed), "--save_dir", str(folder / "out")]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PADDLEISA_HOME": str(folder / "home")})
    return time.perf_counter() - start


def main() -> None:
    """A line for each engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--engines", nargs="+", default=["paddle", "paddle_inference", "onnxruntime", "openvino"])
    parser.add_argument("--list", type=Path, default=Path("data/camvid/val.txt"), help="first column: images")
    args = parser.parse_args()
    lines = args.list.read_text().splitlines()
    images = [str((args.list.parent / line.split()[0]).resolve()) for line in lines if line.strip()][: args.frames]
    print(f"{CONFIG}, {len(images)} frames")
    print(f"{'engine':18} {'first use':>10} {'total':>8} {'one frame':>10} {'a frame':>8} {'start':>7}   seconds")
    for engine in args.engines:
        with tempfile.TemporaryDirectory() as folder:
            first = predict(engine, images[:1], Path(folder))
            one = predict(engine, images[:1], Path(folder))
            total = predict(engine, images, Path(folder))
        each = (total - one) / (len(images) - 1)
        print(f"{engine:18} {first:10.2f} {total:8.2f} {one:10.2f} {each:8.3f} {one - each:7.2f}")


if __name__ == "__main__":
    main()
