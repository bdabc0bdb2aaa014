"""``paddleisa demo``: train, evaluate and look, on generated street scenes, without data, weights or network."""

from __future__ import annotations

import argparse

SUMMARY = "the main job in a few minutes, on generated street scenes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``demo``."""
    parser.add_argument("--save_dir", default="output/demo", metavar="DIR", help="where everything goes (output/demo)")
    parser.add_argument("--iters", type=int, metavar="N", help="shorter or longer training")
    parser.add_argument("--device", help="cpu, gpu or gpu:N; the GPU where there is one")
    parser.add_argument("--json", metavar="FILE", help="also write the results there")


def run(args: argparse.Namespace) -> int:
    """Train a small ISANet, score it in the ways of the published table, write pictures and a report."""
    from paddleisa.cli.common import write_json
    from paddleisa.utils.environment import load_paddle, set_device

    load_paddle()
    set_device(args.device)
    from paddleisa.cli.demo_run import demo

    result = demo(args.save_dir, args.iters)
    write_json(args.json, result)
    return 128 + result["signal"] if result["signal"] else 0
