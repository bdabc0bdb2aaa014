"""``paddleisa reproduce``: measure published scores again."""

from __future__ import annotations

import argparse
import shlex

from paddleisa.cli import common
from paddleisa.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``reproduce``."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="models or families of the catalogue, or `all`; without one the four rows of PaddleSeg",
    )
    common.add_shared(parser, "opts", "plugin", "catalogue", "device", "num_workers", "json", "offline")
    parser.add_argument("--model_path", metavar="FILE", help="weights instead of the published ones; for one NAME")
    common.add_engine_arguments(parser)
    parser.add_argument(
        "--save_dir", default="output/reproduce", metavar="DIR", help="reports and state (default %(default)s)"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="a quick look at the first N images; not a reproduction, exit code 1"
    )
    parser.add_argument("--fresh", action="store_true", help="begin anew instead of going on where a run was stopped")


def run(args: argparse.Namespace) -> int:
    """0 if every score of every row is within 0.05 points on its whole data set, 1 if not; 128 + signal after one."""
    _check(args)
    from paddleisa.reproduce.preflight import choose
    from paddleisa.utils.environment import load_paddle, set_device
    from paddleisa.zoo.catalogue.catalogue import load_catalogue

    choose(args.names, load_catalogue(args.catalogue))  # a wrong name is told before paddle is imported
    load_paddle()
    device = set_device(args.device)
    from paddleisa.deploy.runtimes.open import require_engine
    from paddleisa.reproduce.report import text_table
    from paddleisa.reproduce.reproduce import Stopped, reproduce

    require_engine(args.engine, args.precision, device)
    try:
        report = reproduce(
            args.names,
            args.save_dir,
            opts=args.opts,
            plugins=args.plugin,
            model_path=args.model_path,
            catalogues=args.catalogue,
            offline=args.offline,
            command=shlex.join(["paddleisa", *args.words]),
            started=lambda jobs: print(
                f"{len(jobs)} models: " + ", ".join(f"{job.entry.name} ({len(job.dataset)} images)" for job in jobs)
            ),
            finished=lambda outcome, files: print(f"{text_table(outcome)}\n  {', '.join(map(str, files))}\n"),
            limit=args.limit,
            workers=args.num_workers,
            fresh=args.fresh,
            engine=args.engine,
            precision=args.precision,
        )
    except Stopped as stopped:
        print(f"\npaddleisa: {stopped}")
        return 128 + stopped.signal
    if len(report.outcomes) > 1:
        print(f"all of them: {args.save_dir}/{'report' if args.limit is None else 'quick_look'}.md")
    common.write_json(args.json, report.to_dict())
    return 0 if report.reproduced else 1


def _check(args: argparse.Namespace) -> None:
    from paddleisa.utils.environment import world_size

    if args.limit is not None and args.limit < 1:
        problem = f"there is no quick look at {args.limit} images"
        raise UsageError(problem, where="--limit", fix="Give a number from 1")
    if world_size() > 1:
        fix = "Start it without a launcher; several GPUs can share the rows: paddleisa reproduce NAME --device gpu:1"
        raise UsageError("reproduce runs in one process", fix=fix)
