"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleisa.deploy.runtimes.open import engine_help, precisions
from paddleisa.errors import UsageError
from paddleisa.inference.protocols import DEFAULT, protocol_help, protocol_names
from paddleisa.inference.settings import inference_settings, unused_settings
from paddleisa.utils.options import natural, positive

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.build import Pretrained
    from paddleisa.config import CheckedConfig, Config


def writable(text: str) -> str:
    """Type of an option that names a file to write: better refused now than after an hour's evaluation."""
    path = Path(text)
    there = next((folder for folder in path.parents if folder.exists()), Path())
    if path.is_dir() or not there.is_dir() or not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return text


def _switch(about: str) -> dict[str, Any]:
    return {"action": "store_true", "help": about}


# The options that mean the same in several commands.
SHARED: dict[str, dict[str, Any]] = {
    "config": {"required": True, "metavar": "FILE|NAME", "help": "a YAML file, or a shipped config's name"},
    "opts": {
        "nargs": "+",
        "action": "extend",
        "default": [],
        "metavar": "KEY=VALUE",
        "help": "change config values, e.g. train_dataset.transforms.0.min_scale_factor=0.75",
    },
    "plugin": {
        "action": "append",
        "default": [],
        "metavar": "FILE",
        "help": "Python file that registers components of your own",
    },
    "dry_run": _switch("print the resolved config, with the origin of every value"),
    "device": {"help": "cpu, gpu or gpu:N; the GPU where there is one"},
    "device_id": {"type": natural, "metavar": "N", "help": "number of the GPU, as in --device gpu:N"},
    "json": {"type": writable, "metavar": "FILE", "help": "also write the results there"},
    "model_path": {
        "metavar": "FILE|FOLDER|NAME",
        "help": "weights, .pdparams or .safetensors; a training's folder, or a published model's name, which need no "
        "--config; without it weights named like the config, in pretrained/ and in the download cache",
    },
    "num_workers": {"type": natural, "default": 1, "metavar": "N", "help": "threads that read ahead (default 1)"},
    "catalogue": {"action": "append", "default": [], "metavar": "FILE", "help": "a further catalogue (YAML)"},
    "offline": _switch("use what is on this machine, request nothing"),
    "overwrite": _switch("make labels again that are there and different"),
    "quick": _switch("end with the quick check instead of the full one"),
}
Parser = argparse._ActionsContainer


def add_shared(parser: Parser, *names: str, **changed: dict[str, Any]) -> None:
    """Options of :data:`SHARED`; ``changed`` says what is different of one here."""
    for name in [*names, *changed]:
        parser.add_argument(f"--{name}", **{**SHARED[name], **changed.get(name, {})})


def subcommands(
    parser: argparse.ArgumentParser, *everywhere: str, metavar: str = "ACTION", **changed: dict[str, Any]
) -> Callable[..., argparse.ArgumentParser]:
    """``action(name, summary, act, *shared)``, which adds a sub-command: ``args.act`` is then ``act``.

    Args:
        parser: of the command.
        everywhere: options of :data:`SHARED` that all of them have; ``shared`` names those of one.
        metavar: what the help calls a sub-command.
        changed: further options that all have, and what is different of them here.
    """
    actions = parser.add_subparsers(dest="action", metavar=metavar, required=True)

    def action(name: str, summary: str, act: Callable, *shared: str) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.set_defaults(act=act)
        add_shared(command, *everywhere, *shared, **changed)
        return command

    return action


def add_config_arguments(parser: argparse.ArgumentParser, without: str | None = None) -> None:
    """--config, --opts, --plugin, --dry_run, --device, --json.

    Args:
        without: what the command takes where neither --config nor --model_path is given, for the help; None
            requires --config.
    """
    optional = {"required": False, "help": f"{SHARED['config']['help']} ({without})"} if without else {}
    add_shared(parser, config=optional)
    add_shared(parser, "opts", "plugin", "dry_run", "device", "device_id", "json")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """--model_path."""
    add_shared(parser, "model_path")


def add_test_arguments(parser: argparse.ArgumentParser) -> None:
    """PaddleSeg's test-time options, and --protocol."""
    group = parser.add_argument_group("test-time augmentation and sliding window")
    group.add_argument(
        "--aug_eval", "--aug_pred", action="store_true", help="use --scales and --flip_*; implied by giving them"
    )
    group.add_argument(
        "--scales", nargs="+", type=float, metavar="S", help="factors on the image's size, e.g. 0.75 1.0 1.25"
    )
    group.add_argument("--flip_horizontal", action="store_true", help="add the left-right mirrored image")
    group.add_argument("--flip_vertical", action="store_true", help="add the upside-down image")
    group.add_argument("--is_slide", action="store_true", help="slide a window; implied by --crop_size")
    group.add_argument("--crop_size", nargs=2, type=positive, metavar=("W", "H"), help="the window's size")
    group.add_argument("--stride", nargs=2, type=positive, metavar=("W", "H"), help="the window's step")
    group.add_argument(
        "--protocol",
        choices=protocol_names(),
        help=f"{protocol_help()}; without it, the config's, else {DEFAULT}",
    )
    engine = add_engine_arguments(parser)
    engine.add_argument(
        "--streams", type=positive, default=1, metavar="N", help="images computed at once, for many of them (1)"
    )
    add_calibration_arguments(engine)


def add_engine_arguments(parser: argparse.ArgumentParser) -> argparse._ActionsContainer:
    """--engine and --precision; gives their group in the help."""
    group = parser.add_argument_group("what computes the network")
    group.add_argument(
        "--engine",
        default="paddle",
        help=f"what computes the network (paddle). {engine_help()}; auto: the fastest here, measured once",
    )
    group.add_argument(
        "--precision", default="fp32", help=f"of the network's arithmetic: {', '.join(precisions())} (fp32)"
    )
    return group


def add_calibration_arguments(parser: argparse._ActionsContainer) -> None:
    """--calibration and --calibration_images."""
    parser.add_argument(
        "--calibration",
        metavar="PATH",
        help="for int8: a folder or a list of images like those to predict (the config's training images)",
    )
    parser.add_argument(
        "--calibration_images", type=positive, metavar="N", help="for int8: how many of them to use (20)"
    )


def calibration(args: argparse.Namespace, config: Config) -> Sequence[np.ndarray] | None:
    """The images that the options name, for ``--precision int8``.

    Raises:
        UsageError: they are given for another precision, or the config's training images are wanted and not there.
    """
    from paddleisa.deploy.export.calibration import IMAGES, listed_images, training_images

    if args.precision != "int8":
        if args.calibration or args.calibration_images:
            raise UsageError("only int8 is calibrated", where="--calibration", fix="Add --precision int8")
        return None
    count = args.calibration_images or IMAGES
    if not args.calibration:
        return training_images(config, count)
    return listed_images(args.calibration, count, **list_format(config))


def list_format(config: Config) -> dict[str, str]:
    """How the config's list files are read, for `datasets.image_files.find_images`: ``separator`` and ``root``."""
    dataset = config.get("val_dataset") or config.get("train_dataset") or {}
    given = {"separator": dataset.get("separator"), "root": dataset.get("dataset_root")}
    return {name: value for name, value in given.items() if isinstance(value, str) and value}


def start(args: argparse.Namespace, config: Config, purpose: str) -> CheckedConfig:
    """The checked config, with paddle imported, the device chosen, the job joined: all before anything slow."""
    from paddleisa.utils import environment

    environment.load_paddle()
    environment.set_device(args.device if args.device_id is None else _numbered(args.device, args.device_id))
    from paddleisa.config import check
    from paddleisa.utils import distributed

    config = check(config, purpose)
    if environment.rank() == 0:
        _print_warnings(config)
    distributed.start()
    return config


def _print_warnings(config: CheckedConfig) -> None:
    print(*(f"warning: {warning}\n" for warning in config.warnings), sep="", end="", file=sys.stderr)


def _numbered(device: str | None, number: int) -> str | None:
    """The device that PaddleSeg's --device_id means beside --device."""
    import paddle

    if device == "cpu" or (device is None and not paddle.device.cuda.device_count()):
        print("NOTE: --device_id does nothing on a CPU", file=sys.stderr)
        return device
    if device not in (None, "gpu", f"gpu:{number}"):
        raise UsageError(f"--device says {device}", where=f"--device_id {number}", fix="Give one of the two")
    return f"gpu:{number}"


def load(args: argparse.Namespace, flags: dict[str, object] | None = None) -> Config:
    """The config that the options name, with the values they change."""
    from paddleisa.config import read_config
    from paddleisa.zoo.resolve import config_of

    config = config_of(args.model_path) if args.config is None else args.config
    return read_config(config, opts=args.opts, plugins=args.plugin, flags=flags)


def print_resolved(config: Config, purpose: str) -> int:
    """The answer to --dry_run: everything checked, every default filled in, with origins."""
    from paddleisa.config import check
    from paddleisa.utils.environment import load_paddle

    load_paddle()
    config = check(config, purpose, defaults=True)
    _print_warnings(config)
    print(config.dump(), end="")
    return 0


def start_model(args: argparse.Namespace, config: Config) -> tuple[Pretrained, CheckedConfig]:
    """`start`, and the weights that --model_path means, or that are named like the config.

    Raises:
        WeightsError: none are there; of a --model_path before paddle is imported.
    """
    from paddleisa.build import Pretrained
    from paddleisa.zoo.resolve import weights_file

    weights = weights_file(args.model_path, config.name) if args.model_path else None
    config = start(args, config, "val")
    return Pretrained(config, weights or weights_file(None, config.name)), config


def predictor_options(args: argparse.Namespace, config: Config) -> dict[str, Any]:
    """What the options say of the `Predictor`; an engine that cannot be had is told before images are looked for."""
    import paddle

    from paddleisa.deploy.runtimes.open import require_engine

    require_engine(args.engine, args.precision, paddle.get_device())
    given = config.get("test_config"), vars(args)
    for line in unused_settings(*given):
        print(f"NOTE: {line}")
    return {
        "settings": inference_settings(*given),
        "engine": args.engine,
        "precision": args.precision,
        "streams": args.streams,
        "calibration": calibration(args, config),
    }


def write_json(path: str | None, result: object) -> None:
    """The answer to --json, of the first process of a job."""
    from paddleisa.utils.environment import rank

    if path and rank() == 0:
        from paddleisa.utils import files

        files.write_json(path, result)
