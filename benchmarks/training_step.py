"""One training step of ISANet-ResNet50, ours against PaddleSeg's as it is installed, on a CPU.

Each side runs in its own process, in turn, so that its thread settings are its own: ours sets them before paddle is
imported, PaddleSeg leaves Paddle's defaults (one thread). Prints the median step, the peak memory, and the ratios.
PaddleSeg is left out where it is not installed (see data_loading.py).

    python benchmarks/training_step.py [--size 385] [--batch 2] [--steps 3] [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

TUNED = ("OMP_NUM_THREADS", "FLAGS_paddle_num_threads", "MKL_DEBUG_CPU_TYPE")


def worker(side: str, size: int, batch: int, steps: int) -> dict[str, object]:
    """Run the steps in this process: seconds of each but the first, and peak memory in MB."""
    if side == "paddleisa":
        from paddleisa.models import ISANet, ResNet50_vd
        from paddleisa.utils.environment import load_paddle

        load_paddle()
    else:
        from paddleseg.models import ISANet, ResNet50_vd
    import paddle
    import paddle.nn.functional as F

    model = ISANet(num_classes=19, backbone=ResNet50_vd(output_stride=8))
    model.train()
    optimizer = paddle.optimizer.Momentum(0.01, 0.9, model.parameters(), weight_decay=1e-5)
    images, labels = paddle.rand([batch, 3, size, size]), paddle.randint(0, 19, [batch, size, size])
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        main, aux = model(images)
        loss = F.cross_entropy(main, labels, axis=1) + 0.4 * F.cross_entropy(aux, labels, axis=1)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:], "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def run(side: str, args: argparse.Namespace) -> dict[str, object] | None:
    """The worker in a process of its own; None where it cannot run."""
    env = {key: value for key, value in os.environ.items() if key not in TUNED}
    command = [sys.executable, __file__, "--worker", side, "--size", str(args.size), "--batch", str(args.batch)]
    done = subprocess.run([*command, "--steps", str(args.steps)], capture_output=True, text=True, env=env)
    if done.returncode:
        print(f"{side} did not run: {done.stderr.strip().splitlines()[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Both sides in turn, or one of them as the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", choices=("paddleisa", "PaddleSeg"), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=385)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(worker(args.worker, args.size, args.batch, args.steps)))
        return
    found: dict[str, list] = {"paddleisa": [], "PaddleSeg": []}
    for _ in range(args.rounds):
        for side, results in found.items():
            if result := run(side, args):
                results.append(result)
    medians = {}
    for side, results in found.items():
        if results:
            medians[side] = statistics.median(s for r in results for s in r["seconds"])
            peak = statistics.median(r["peak_mb"] for r in results)
            print(f"{side:10} {medians[side]:6.2f} s a step, peak {peak:.0f} MB")
    if len(medians) == 2:
        print(f"ratio {medians['PaddleSeg'] / medians['paddleisa']:.2f}")


if __name__ == "__main__":
    main()
