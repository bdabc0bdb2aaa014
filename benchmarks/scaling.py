"""How ISA, dense attention and a training grow beyond what was measured: fits, and arithmetic on stated assumptions.

Time and memory of both blocks at the sizes of a `paddleisa bench isa --json FILE` are fitted, by least squares on
relative errors, to what their operations say: c0 + c1 N + c2 N G for N positions in groups of G (dense: G = N; ISA:
N / P in the long range, P in the short). Of memory c2 is known: the weights before and after softmax, 8 bytes a pair.
Then they are carried on to images of 512 to 8192 pixels a side at output stride 8.

A schedule's training time on n cards is its iterations times the seconds of a step on one card, plus what of the
gradients' exchange the backward pass does not hide: a ring all-reduce sends 2 (n - 1) / n times the bytes of the
parameters through the slowest link. Nothing here was run on a card.

    python benchmarks/scaling.py isa.json --plot docs/scaling.png
    python benchmarks/scaling.py isa.json --step 0.5 --parameters 38e6
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

SIDES = (512, 769, 1024, 2048, 4096, 8192)
STRIDE, PLACES = 8, 64  # of the backbone; positions of a window
PAIR = 8 / 2**20  # MiB of a pair of positions
WHOLE_PIXELS = 4 * 1025 * 2049  # larger images are computed in windows, see paddleisa/inference/settings.py
SCHEDULES = {"Cityscapes, 80,000 iterations": 80_000, "VOC, 40,000 iterations": 40_000}
CARDS = {1: 0.0, 4: 25e9, 8: 25e9, 64: 3e9}  # bytes a second of the slowest link: PCIe 4.0 x16 inside, 25 GbE between


def terms(kind: str, positions: np.ndarray) -> np.ndarray:
    """(sizes, 3): 1, N and N G."""
    group = positions if kind == "dense" else positions / PLACES + PLACES
    return np.stack([np.ones_like(positions), positions, positions * group], axis=1)


def fitted(kind: str, unit: str, positions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients that are not negative, of least squares on relative errors."""
    left, result = terms(kind, positions) / values[:, None], np.zeros(3)
    chosen = [0, 1, 2]
    if unit == "mib":
        chosen, result[2] = [0, 1], PAIR
    target = 1 - left[:, 2] * result[2]
    while True:
        found = np.linalg.lstsq(left[:, chosen], target, rcond=None)[0]
        if (found >= 0).all():
            result[chosen] = found
            return result
        del chosen[int(np.argmin(found))]


def training_days(iterations: int, step: float, parameters: float, cards: int, hidden: float) -> float:
    """Days of a schedule, the batch on each card as it is on one."""
    exchange = 2 * (cards - 1) / cards * 4 * parameters / CARDS[cards] if cards > 1 else 0.0
    return iterations * (step + max(0.0, exchange - hidden * step)) / 86400


def main() -> None:
    """The fits, a table of sizes, and one of trainings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="of `paddleisa bench isa --json`, three sizes or more")
    parser.add_argument("--step", type=float, help="measured seconds of a training step on one card")
    parser.add_argument("--parameters", type=float, default=38e6, help="whose gradients are exchanged")
    parser.add_argument("--hidden", type=float, default=0.5, help="share of a step that exchange can hide behind")
    parser.add_argument("--plot", type=Path, help="a picture of the fits")
    args = parser.parse_args()
    rows = json.loads(args.report.read_text())["tables"][1]["rows"]
    wanted = (np.array([-(-side // STRIDE) for side in SIDES]) ** 2).astype(float)
    curves = {}
    for unit in ("ms", "mib"):
        for kind in ("isa", "dense"):
            used = [row for row in rows if row[f"{kind}_{unit}"]]
            positions, values = (np.array([row[key] for row in used], float) for key in ("positions", f"{kind}_{unit}"))
            found = fitted(kind, unit, positions, values)
            errors = np.abs(terms(kind, positions) @ found / values - 1)
            curves[kind, unit] = positions, values, terms(kind, wanted) @ found
            print(
                f"{kind:5} {unit:3}: {found[0]:.3g} + {found[1]:.3g} N + {found[2]:.3g} N G, off by {errors.max():.0%}"
            )
    print(f"{'side':>5} {'ISA s':>9} {'dense s':>9} {'ratio':>6} {'ISA GiB':>8} {'dense GiB':>10} {'ratio':>6}  image")
    for index, side in enumerate(SIDES):
        isa, dense, small, large = (
            curves[key][2][index] for key in (("isa", "ms"), ("dense", "ms"), ("isa", "mib"), ("dense", "mib"))
        )
        whole = "whole" if side * side <= WHOLE_PIXELS else "in windows of 2049x1025"
        print(
            f"{side:5} {isa / 1e3:9.2f} {dense / 1e3:9.2f} {dense / isa:6.1f} {small / 1024:8.2f} {large / 1024:10.1f} "
            f"{large / small:6.1f}  {whole}"
        )
    if args.step:
        print("training days by cards: " + ", ".join(map(str, CARDS)))
        for name, iterations in SCHEDULES.items():
            days = [training_days(iterations, args.step, args.parameters, cards, args.hidden) for cards in CARDS]
            print(f"{name}: " + ", ".join(f"{each:.2f}" for each in days))
    if args.plot:
        draw(args.plot, curves)


def draw(file: Path, curves: dict) -> None:
    """Two panels, time and memory: dots measured, lines fitted."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullLocator

    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for panel, unit, label, scale in zip(panels, ("ms", "mib"), ("seconds", "GiB"), (1e3, 1024), strict=True):
        for kind, colour in (("isa", "tab:blue"), ("dense", "tab:red")):
            positions, values, beyond = curves[kind, unit]
            name = {"isa": "interlaced", "dense": "dense"}[kind]
            panel.loglog(np.sqrt(positions) * STRIDE, values / scale, "o", color=colour, label=f"{name}, measured")
            panel.loglog(SIDES, beyond / scale, "-", color=colour, label=f"{name}, fitted")
        panel.axvline(WHOLE_PIXELS**0.5, color="gray", linestyle=":", label="windows begin")
        panel.set_xticks([256, *SIDES], labels=[256, *SIDES], rotation=45)
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set(xlabel="pixels a side (output stride 8)", ylabel=f"{label}, forward")
    panels[0].legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
