"""One training step of ISANet on a CPU: ours, plain PyTorch, and PaddleSeg as it is installed.

Each side runs in its own process, in turn, so that its thread settings are its own: ours sets them before paddle is
imported, PyTorch takes all cores, PaddleSeg leaves Paddle's defaults (one thread). ``--threads N`` gives all sides the
same number; with one, CPU seconds compare sides on a machine that is busy with other work. ``--tree PATH`` adds another
checkout of paddleisa, the one before a change, say. Prints the median step, the peak memory, the tensors that are
trained, and the ratios. A side that is not installed is left out (PaddleSeg: see data_loading.py).

    python benchmarks/training_step.py [--depth 50] [--size 385] [--batch 2] [--steps 3] [--rounds 3] [--threads N]
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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TUNED = ("OMP_NUM_THREADS", "FLAGS_paddle_num_threads", "MKL_DEBUG_CPU_TYPE")
CLASSES, OUTPUT_STRIDE = 19, 8


def ours(depth: int, size: int, batch: int) -> tuple[Callable[[], None], int]:
    """A step of paddleisa with its own loss and optimizer, and the number of trained values."""
    with suppress(ImportError):  # older checkouts set the threads when they are imported
        from paddleisa.utils.environment import load_paddle

        load_paddle()
    from paddleisa import models
    from paddleisa.losses import CrossEntropyLoss, LossTerms
    from paddleisa.optimizers import SGD

    model = models.ISANet(CLASSES, getattr(models, f"ResNet{depth}_vd")(output_stride=OUTPUT_STRIDE))
    optimizer = SGD(momentum=0.9, weight_decay=1e-5).create(model, 0.01)
    terms = LossTerms([CrossEntropyLoss(), CrossEntropyLoss()], [1.0, 0.4])
    return _paddle_step(model, optimizer, lambda outputs, labels: sum(terms(outputs, labels)), size, batch)


def paddleseg(depth: int, size: int, batch: int) -> tuple[Callable[[], None], int]:
    """A step of PaddleSeg, which has ResNet18_vd too."""
    import paddle
    from paddleseg import models
    from paddleseg.models.losses import CrossEntropyLoss

    backbone = getattr(models, f"ResNet{depth}_vd")(output_stride=OUTPUT_STRIDE)
    model = models.ISANet(num_classes=CLASSES, backbone=backbone)
    optimizer = paddle.optimizer.Momentum(0.01, 0.9, model.parameters(), weight_decay=1e-5)
    loss = CrossEntropyLoss()
    return _paddle_step(model, optimizer, lambda o, y: loss(o[0], y) + 0.4 * loss(o[1], y), size, batch)


def _paddle_step(model, optimizer, loss, size, batch):
    import paddle

    model.train()
    images, labels = paddle.rand([batch, 3, size, size]), paddle.randint(0, CLASSES, [batch, size, size])

    def step() -> None:
        value = loss(model(images), labels)
        value.backward()
        optimizer.step()
        optimizer.clear_grad()
        float(value)

    return step, sum(p.size for p in model.parameters() if not p.stop_gradient)


def pytorch(depth: int, size: int, batch: int) -> tuple[Callable[[], None], int]:
    """A step of the same network in PyTorch's eager mode."""
    import torch
    import torch.nn.functional as F
    from torch_isanet import TorchISANet

    model = TorchISANet(depth, CLASSES, OUTPUT_STRIDE).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-5)
    images, labels = torch.rand(batch, 3, size, size), torch.randint(0, CLASSES, (batch, size, size))

    def step() -> None:
        main, aux = model(images)
        value = F.cross_entropy(main, labels) + 0.4 * F.cross_entropy(aux, labels)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        float(value)

    return step, sum(p.numel() for p in model.parameters())


SIDES = {"paddleisa": ours, "before": ours, "PyTorch": pytorch, "PaddleSeg": paddleseg}


def worker(args: argparse.Namespace) -> dict[str, object]:
    """Run the steps in this process: times of each but the first, peak memory in MB, number of trained values."""
    step, trained = SIDES[args.worker](args.depth, args.size, args.batch)
    seconds, cpu_seconds = [], []
    for _ in range(args.steps + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds[1:], "cpu_seconds": cpu_seconds[1:], "peak_mb": peak, "trained": trained}


def run(side: str, args: argparse.Namespace) -> dict[str, object] | None:
    """The worker in a process of its own; None where it cannot run."""
    env = {key: value for key, value in os.environ.items() if key not in TUNED}
    if args.threads:
        env |= {"OMP_NUM_THREADS": str(args.threads), "FLAGS_paddle_num_threads": str(args.threads)}
    if side == "before":
        env["PYTHONPATH"] = str(Path(args.tree).resolve())
    sizes = [str(word) for name in ("depth", "size", "batch", "steps") for word in (f"--{name}", getattr(args, name))]
    done = subprocess.run([sys.executable, __file__, "--worker", side, *sizes], capture_output=True, text=True, env=env)
    if done.returncode:
        print(f"{side} did not run: {done.stderr.strip().splitlines()[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """All sides in turn, or one of them as the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--depth", type=int, default=50, choices=(18, 50))
    parser.add_argument("--size", type=int, default=385)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of every side; by default each side's own")
    parser.add_argument("--tree", help="another checkout of paddleisa to compare with")
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(worker(args)))
        return
    found: dict[str, list] = {side: [] for side in SIDES if side != "before" or args.tree}
    for _ in range(args.rounds):
        for side, results in found.items():
            if result := run(side, args):
                results.append(result)
    medians = {}
    for side, results in found.items():
        if results:
            wall, cpu = (statistics.median(s for r in results for s in r[key]) for key in ("seconds", "cpu_seconds"))
            peak, trained = statistics.median(r["peak_mb"] for r in results), results[0]["trained"] / 1e6
            print(f"{side:10} {wall:6.2f} s a step, {cpu:6.2f} CPU s, peak {peak:.0f} MB, {trained:.2f} M trained")
            medians[side] = wall, cpu
    for side, (wall, cpu) in medians.items():
        if side != "paddleisa" and "paddleisa" in medians:
            own = medians["paddleisa"]
            print(f"{side} / paddleisa: {wall / own[0]:.2f}, CPU {cpu / own[1]:.2f}")


if __name__ == "__main__":
    main()
