"""``paddleisa val``: evaluate a model on its data set."""

from __future__ import annotations

import argparse

from paddleisa.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``val``."""
    common.add_config_arguments(parser, without="that of --model_path, a training's folder or a published name")
    common.add_model_arguments(parser)
    common.add_test_arguments(parser)
    parser.add_argument(
        "--num_workers", type=common.natural, default=1, metavar="N", help="threads that read ahead (default 1)"
    )
    parser.add_argument(
        "--limit", type=common.positive, metavar="N", help="look at the first N images only; not a score of the set"
    )
    parser.add_argument("--auc_roc", action="store_true", help="also measure the area under the ROC curve")
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
    found, config = common.start_model(args, config)
    from paddleisa.evaluation.api import evaluate

    result = evaluate(
        found,
        limit=args.limit,
        workers=args.num_workers,
        official=f"output/official/{config.name}" if args.official == "" else args.official,
        auc_roc=args.auc_roc or None,
        say=print,
        **common.predictor_options(args, config),
    )
    print(result.evaluation.table(result.class_names))
    print(result.evaluation.summary())
    for note in result.evaluation.notes():
        print(f"[EVAL] {note}")
    if result.official:
        print(result.official.text())
    common.write_json(args.json, result.to_dict())
    return 0
