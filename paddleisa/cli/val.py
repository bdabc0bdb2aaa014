"""``paddleisa val``: evaluate a model on its data set."""

from __future__ import annotations

import argparse

from paddleisa.cli import common

SUMMARY = "evaluate a model on its data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``val``."""
    common.add_config_arguments(parser)
    common.add_model_arguments(parser)
    common.add_test_arguments(parser)
    parser.add_argument(
        "--num_workers", type=common.natural, default=1, metavar="N", help="threads that read ahead (default 1)"
    )
    parser.add_argument(
        "--limit", type=common.positive, metavar="N", help="look at the first N images only; not a score of the set"
    )
    parser.add_argument(
        "--official",
        nargs="?",
        const="",
        metavar="DIR",
        help="also write labelIds PNGs (output/official/CONFIG) and run the official Cityscapes evaluator on them",
    )


def run(args: argparse.Namespace) -> int:
    """Print the scores; with --json also write them."""
    config = common.load(args)
    if args.dry_run:
        return common.print_resolved(config, "val")
    config = common.start(args, config, "val")
    from paddleisa.build import build_dataset
    from paddleisa.data.check.check import quick_check
    from paddleisa.errors import DataError
    from paddleisa.evaluation.cityscapes_official import OfficialRun
    from paddleisa.evaluation.evaluate import evaluate
    from paddleisa.utils import environment
    from paddleisa.utils.files import sha256_of
    from paddleisa.utils.records import joined

    common.find_model_path(args, config)  # what is missing is told before the network is built, weights first
    quick_check(config, "val")
    dataset = build_dataset(config, "val")
    official = (
        None if args.official is None else OfficialRun(dataset, args.official or f"output/official/{config.name}")
    )
    predictor, weights = common.load_predictor(args, config)
    each = official.write if official else None
    result = evaluate(predictor, dataset, limit=args.limit, workers=args.num_workers, each=each)
    print(result.table(dataset.class_names))
    print(result.summary())
    for note in result.notes():
        print(f"[EVAL] {note}")
    scores = official.scores(result.images) if official and environment.rank() == 0 else None
    if scores:
        print(scores.text())
    common.write_json(
        args.json,
        joined(
            {
                "command": "val",
                "config": config.name,
                "config_digest": config.digest(),
                "weights": str(weights),
                "weights_sha256": sha256_of(weights),
                "test": predictor.settings.to_dict(),
                "engine": predictor.engine.name,
                "precision": predictor.engine.precision,
                "class_names": dataset.class_names,
            },
            result.to_dict(),
            {"official": scores.to_dict()} if scores else {},
            {"environment": environment.describe()},
        ),
    )
    if not result.scores.pixels:
        raise DataError(
            "no pixel of the labels is of any class: all are ignored, so there is no score",
            where=config.origin("val_dataset"),
            fix="Run `paddleisa prepare check --config CONFIG` to see what the labels hold",
        )
    return 0
