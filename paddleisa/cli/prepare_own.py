"""``paddleisa prepare own`` and ``prepare labels``: options, and what is printed."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.cli import common

if TYPE_CHECKING:
    from paddleisa.data.prepare.own.own import OwnData, Wishes


def add_own(parser: argparse.ArgumentParser) -> None:
    """The options of ``prepare own``."""
    _add_wishes(parser)
    parser.add_argument(
        "--save_dir", type=Path, metavar="DIR", help="for labels, lists and the config (FOLDER/paddleisa)"
    )
    group = parser.add_argument_group("training and validation")
    group.add_argument("--val", type=float, default=0.2, metavar="X", help="share of the images for validation (0.2)")
    group.add_argument(
        "--group",
        metavar="PATTERN",
        help="regular expression; images whose names give the same first bracket stay on one side, such as the frames "
        "of one video: '^(.*)_'",
    )
    group.add_argument("--seed", type=common.natural, default=0, metavar="N", help="of the division (0)")
    group = parser.add_argument_group("the config; what is not given is chosen from the data and this machine")
    group.add_argument("--start", metavar="NAME", help="model to start from (the best that comes with the package)")
    group.add_argument("--crop_size", type=common.positive, nargs=2, metavar=("W", "H"))
    group.add_argument("--batch_size", type=common.positive, metavar="N")
    group.add_argument("--iters", type=common.positive, metavar="N")
    group.add_argument("--learning_rate", type=float, metavar="X")


def add_labels(parser: argparse.ArgumentParser) -> None:
    """The options of ``prepare labels``."""
    _add_wishes(parser)
    parser.add_argument("--save_dir", type=Path, required=True, metavar="DIR", help="for the labels")


def _add_wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="images with masks, labelme's or COCO's JSON files")
    group = parser.add_argument_group("what the annotations mean, where names do not tell")
    group.add_argument("--images", metavar="DIR", help="folder in FOLDER that holds the images")
    group.add_argument("--masks", metavar="DIR", help="folder in FOLDER that holds the masks")
    group.add_argument(
        "--classes", metavar="FILE", help="a line `name R G B` for each class, in the order of their numbers"
    )
    group.add_argument("--ignore_background", action="store_true", help="class 0 is no class: its pixels do not count")
    group.add_argument("--overwrite", action="store_true", help="make labels again that are there and different")


def run_own(args: argparse.Namespace) -> OwnData:
    """Do what ``prepare own`` says, print what was found, and give it."""
    from paddleisa.data.prepare.own.own import prepare_own
    from paddleisa.data.prepare.own.recipe import Numbers

    crop = tuple(args.crop_size) if args.crop_size else None
    done = prepare_own(
        args.folder,
        args.save_dir,
        _wishes(args),
        val_share=args.val,
        group=args.group,
        seed=args.seed,
        start=args.start,
        numbers=Numbers(crop, args.batch_size, args.iters, args.learning_rate),
    )
    print(done.text())
    counts = done.counts
    print(f"{counts['train']} images for training, {counts['val']} for validation; config: {done.config}")
    return done


def run_labels(args: argparse.Namespace) -> int:
    """Do what ``prepare labels`` says."""
    from paddleisa.data.prepare.own.own import make_labels

    done = make_labels(args.folder, args.save_dir, _wishes(args))
    print(done.text())
    print(f"{len(done.rows)} labels: {args.save_dir}")
    return 0


def next_commands(done: OwnData) -> str:
    """What to run now: look, train, score, predict."""
    config, out = shlex.quote(str(done.config)), shlex.quote(f"output/{Path(str(done.config)).stem}")
    image = shlex.quote(str(done.rows[0][0].parent))
    return "\n".join(
        [
            "Next:",
            f"  paddleisa prepare browse --config {config}",
            f"  paddleisa train --config {config} --reinit_classifier --do_eval --save_interval 100 --save_dir {out}",
            f"  paddleisa val --model_path {out}",
            f"  paddleisa predict --model_path {out} --image_path {image}",
        ]
    )


def _wishes(args: argparse.Namespace) -> Wishes:
    from paddleisa.data.prepare.own.own import Wishes

    return Wishes(args.images, args.masks, args.classes, args.ignore_background, args.overwrite)
