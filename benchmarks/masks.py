"""From the network's scores to the mask of a Cityscapes frame: our bands against whole maps in Paddle.

Logits (19, 129, 257) become a mask of 2049x1025, once by their argmax and once by the argmax of the summed softmax of
six views, as ms+flip under the protocol of 2021 does. Prints median seconds, and how many floats of maps exist at once.

    python benchmarks/masks.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from paddleisa.inference.lazy_logits import BAND, LazyLogits, mask_of
from paddleisa.utils.environment import load_paddle
from paddleisa.utils.interpolation import Upsampling

CLASSES, SMALL, LARGE, VIEWS = 19, (129, 257), (1025, 2049), 6
HOW = Upsampling(align_mode=1)


def whole_maps(scores: list[np.ndarray], softmax: bool) -> np.ndarray:
    """The mask by Paddle's own operations."""
    import paddle
    import paddle.nn.functional as F

    total = None
    for values in scores:
        x = F.interpolate(paddle.to_tensor(values[None]), list(LARGE), mode="bilinear", **vars(HOW))
        x = F.softmax(x, axis=1) if softmax else x
        total = x if total is None else total.add_(x)
    return total.argmax(axis=1).numpy()[0]


def in_bands(scores: list[np.ndarray], softmax: bool) -> np.ndarray:
    """The mask as paddleisa makes it."""
    return mask_of([LazyLogits.of(values, LARGE, HOW) for values in scores], softmax)


def main() -> None:
    """A line for each way and side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    load_paddle()
    rng = np.random.default_rng(0)
    scores = [rng.standard_normal((CLASSES, *SMALL), np.float32) * 3 for _ in range(VIEWS)]
    for title, views, softmax in (("single scale", 1, False), ("six views, softmax", VIEWS, True)):
        seconds: dict = {whole_maps: [], in_bands: []}
        masks = {}
        for _ in range(args.repeats):
            for side, times in seconds.items():
                start = time.perf_counter()
                masks[side] = side(scores[:views], softmax)
                times.append(time.perf_counter() - start)
        whole, bands = (statistics.median(times) for times in seconds.values())
        equal = (masks[whole_maps] == masks[in_bands]).mean()
        print(f"{title}: whole maps {whole:.2f} s, bands {bands:.2f} s, ratio {whole / bands:.1f}, equal {equal:.6f}")
    full = CLASSES * LARGE[0] * LARGE[1]
    print(f"floats at once: whole maps {full / 1e6:.0f} million a view, bands {CLASSES * BAND * LARGE[1] / 1e6:.1f}")


if __name__ == "__main__":
    main()
