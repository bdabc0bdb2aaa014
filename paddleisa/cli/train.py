"""``paddleisa train``: drive a config's schedule."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from paddleisa.cli import common
from paddleisa.training.options import TrainOptions
from paddleisa.utils.options import add_options, from_options

if TYPE_CHECKING:
    from paddleisa.training.trainer import TrainResult

OF_CONFIG = ("iters", "batch_size", "learning_rate", "seed", "precision", "amp_level", "repeats")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train``; those of ``OF_CONFIG`` change the config, the rest say where and how often results go."""
    common.add_config_arguments(parser)
    group = parser.add_argument_group("values of the config")
    group.add_argument("--iters", type=common.positive, metavar="N", help="iterations in all")
    group.add_argument("--batch_size", type=common.positive, metavar="N", help="images of one process in one iteration")
    group.add_argument("--learning_rate", type=float, metavar="X", help="rate at the start of the schedule")
    group.add_argument(
        "--seed", type=common.natural, metavar="N", help="of weights, shuffling, augmentation, dropout (default 42)"
    )
    group.add_argument("--precision", choices=("fp32", "fp16", "bf16"), help="arithmetic (default fp32)")
    group.add_argument("--amp_level", choices=("O1", "O2"), help="O1 casts operations, O2 the weights too (default O1)")
    group.add_argument("--repeats", type=common.positive, metavar="N", help="times that the images count as one epoch")
    group.add_argument("--use_ema", action="store_true", help="evaluate and keep an average of the weights (key: ema)")
    group.add_argument(
        "--early_stop_intervals",
        type=common.positive,
        metavar="N",
        help="with --do_eval: stop after N evaluations without a better mIoU (key: early_stop)",
    )
    group.add_argument(
        "--to_static_training", action="store_true", help="accepted as in PaddleSeg; training stays dynamic"
    )
    group = parser.add_argument_group("the run")
    add_options(group, TrainOptions)


def run(args: argparse.Namespace) -> int:
    """0 at the end of the schedule; 128 + the signal's number after a stop."""
    config = common.load(args, _flags(args))
    if args.use_ema and config.get("ema") is None:
        config = config.with_values({"ema": {}})
    if args.dry_run:
        return _dry_run(config)
    config = common.start(args, config, "train" if args.resume_model is None else "resume")
    from paddleisa.training.trainer import train
    from paddleisa.utils.environment import rank

    options = from_options(TrainOptions, args, use_vdl=args.use_vdl or args.vdl_server)
    result = train(config, options)
    if rank() == 0:
        common.write_json(
            args.json,
            {
                "command": "train",
                "config": config.name,
                "config_digest": config.digest(),
                "save_dir": str(args.save_dir),
                **vars(result),
            },
        )
        print("\n".join(_ending(args, result)))
    return 128 + result.signal if result.signal else 0


def _flags(args: argparse.Namespace) -> dict[str, object]:
    """Values of the config that options set, by their keys."""
    flags = {key: getattr(args, key) for key in OF_CONFIG if getattr(args, key) is not None}
    if args.early_stop_intervals is not None:
        flags["early_stop"] = args.early_stop_intervals
    if args.to_static_training:
        flags["to_static_training"] = True
    return flags


def _ending(args: argparse.Namespace, result: TrainResult) -> list[str]:
    """Where the model is, how it scored, how that was measured, and what people do next."""
    folder = args.save_dir
    if result.best_miou is None:
        checkpoint = folder / f"iter_{result.iteration}"
        averaged = checkpoint / "ema.pdparams"
        model = averaged if averaged.is_file() else checkpoint / "model.pdparams"
        lines = [
            f"The model of iteration {result.iteration}: {model}",
            "It was not scored: --do_eval does, and val below",
        ]
    else:
        model = folder / "best_model" / "model.pdparams"
        lines = [f"The best model, of iteration {result.best_iteration}: {model}"]
        lines.append(f"mIoU {result.best_miou:.4f}, measured with {result.measured_with}")
        lines.append(f"Images, truth and its predictions: {model.with_name('predictions.png')}")
    shared = shlex.join(["--model_path", str(model)])  # its folder holds the config with every option
    commands = ("val", "predict --image_path FILE_OR_FOLDER", "export --save_dir FOLDER")
    return [*lines, "Next:", *(f"  paddleisa {command} {shared}" for command in commands)]


def _dry_run(config: object) -> int:
    from paddleisa.utils.environment import load_paddle

    load_paddle()
    from paddleisa.config import check
    from paddleisa.training.reporting import batch_report
    from paddleisa.utils.environment import world_size

    checked = check(config, "train", defaults=True)
    for line in batch_report(checked, checked.settings.batch_size * world_size()):
        print(f"# {line}")
    print(checked.dump(), end="")
    return 0
