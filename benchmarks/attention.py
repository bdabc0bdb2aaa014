"""Attention by two plain products against ``F.scaled_dot_product_attention``, on ISA's groups and dense.

Both are measured as ``paddleisa.models`` writes them, on the same query, key and value: forward, and forward with
backward. Times of the two are taken in turn in one process, so that what else the machine does hits both; the ratio is
the median over the rounds. Peak memory, above the inputs, is each one's in a process of its own. On a CPU
``scaled_dot_product_attention`` is composed of plain products too; on a GPU the types are half precision, and where
the flash kernel cannot run the table says why.

    python benchmarks/attention.py [--device cpu] [--dtype float32] [--rounds 9] [--cases "97x97 long,97x97 dense"]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

# name: (groups, positions of a group), for windows of 8 x 8 over the map padded to a multiple of them
CASES = {
    "97x97 long": (64, 13 * 13),
    "97x97 short": (13 * 13, 64),
    "129x257 long": (64, 17 * 33),
    "129x257 short": (17 * 33, 64),
    "33x33 dense": (1, 33 * 33),
    "65x65 dense": (1, 65 * 65),
    "97x97 dense": (1, 97 * 97),
}
CHANNELS, VALUE_CHANNELS = 256, 512
PASSES = ("forward", "training")
FORMS = ("plain", "fused")


def worker(case: str, way: str, form: str, device: str, dtype: str, rounds: int) -> dict[str, object]:
    """In this process: seconds of both forms in turn, or, for one ``form``, its peak memory in bytes."""
    from paddleisa.utils.environment import set_device

    set_device(device)
    import paddle
    import paddle.nn.functional as F

    from paddleisa.bench.measuring import Laps
    from paddleisa.models.fused_attention import can_fuse, fused_attention
    from paddleisa.utils.memory import PeakMemory

    def plain(query, key, value):  # models.attention.scaled_dot_product_attention
        similarity = paddle.matmul(query * query.shape[1] ** -0.5, key, transpose_x=True)
        return paddle.matmul(value, F.softmax(similarity, axis=-1), transpose_y=True)

    def tensors(groups: int, positions: int) -> list:
        made = [paddle.randn([groups, c, positions]).astype(dtype) for c in (CHANNELS, CHANNELS, VALUE_CHANNELS)]
        for tensor in made:
            tensor.stop_gradient = way == "forward"
        return made

    def run(name: str, inputs: list) -> None:
        result = functions[name](*inputs)
        if way == "training":
            result.backward(result.detach())
            for tensor in inputs:
                tensor.clear_gradient()

    functions = {"plain": plain, "fused": fused_attention}
    inputs = tensors(*CASES[case])
    # On a CPU the other form is only composed of plain products: there is no kernel to stand in the way of.
    reason = None if device == "cpu" or can_fuse(*inputs) else "the kernel cannot run, see the warning"
    if device == "cpu" and dtype not in ("float32", "float64"):
        reason = f"Paddle has no products of {dtype} on CPUs"
    if reason:
        return {"problem": reason}
    for name in FORMS:  # what the libraries allocate once
        run(name, tensors(2, 8))
    if form in FORMS:
        with PeakMemory() as peak:
            run(form, inputs)
        return {"bytes": peak.growth}
    for name in FORMS:
        run(name, inputs)
    laps = Laps()
    for _ in range(rounds):
        for name in FORMS:
            run(name, inputs)
            laps.lap(name)
    return {"seconds": laps.seconds}


def measured(case: str, way: str, form: str, args: argparse.Namespace) -> dict:
    """The worker's answer, from a process of its own; ``problem`` where there is none."""
    command = [sys.executable, __file__, "--worker", case, way, form, "--device", args.device]
    command += ["--dtype", args.dtype, "--rounds", str(args.rounds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"problem": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def compare(case: str, way: str, args: argparse.Namespace) -> str:
    """One line of the table."""
    times, *peaks = (measured(case, way, form, args) for form in ("both", *FORMS))
    for found in (times, *peaks):
        if "problem" in found:
            return f"{case:14} {way:8} left out: {found['problem']}"
    plain, fused = (times["seconds"][form] for form in FORMS)
    ratio = statistics.median(f / p for p, f in zip(plain, fused, strict=True))
    mib = [peak["bytes"] / 2**20 for peak in peaks]
    return (
        f"{case:14} {way:8} {1e3 * statistics.median(plain):9.1f} {1e3 * statistics.median(fused):9.1f} {ratio:6.2f} "
        f"{mib[0]:9.1f} {mib[1]:9.1f}"
    )


def main() -> None:
    """Every case and pass, or one of them as the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--device", default="cpu", help="cpu, gpu or gpu:N")
    parser.add_argument("--dtype", help="float32 on a CPU, bfloat16 on a GPU unless given")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", type=lambda names: names.split(","), default=list(CASES), help="by comma")
    args = parser.parse_args()
    args.dtype = args.dtype or ("float32" if args.device == "cpu" else "bfloat16")
    if unknown := set(args.cases) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    if args.worker:
        print(json.dumps(worker(*args.worker, args.device, args.dtype, args.rounds)))
        return
    print(f"{args.device}, {args.dtype}, {CHANNELS} channels, {VALUE_CHANNELS} of the value, {args.rounds} rounds")
    print(f"{'case':14} {'pass':8} {'plain ms':>9} {'fused ms':>9} {'ratio':>6} {'plain MiB':>9} {'fused MiB':>9}")
    for case in args.cases:
        for way in PASSES:
            print(compare(case, way, args), flush=True)


if __name__ == "__main__":
    main()
