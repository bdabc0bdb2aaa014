"""``paddleisa bench``: what attention, models, reading and training cost on this machine."""

from __future__ import annotations

import argparse
import re

from paddleisa.bench import data, isa, model, train
from paddleisa.bench.report import Report
from paddleisa.cli import common
from paddleisa.utils.options import add_options, from_options, natural, positive

CITYSCAPES = "isanet_resnet50_os8_cityscapes_769x769_80k"
SCENES = "isanet_resnet18_os8_scenes_128x128_200"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command for each bench; its ``Settings`` declare most of the options."""
    bench = common.subcommands(parser, "json", metavar="BENCH")

    attention = bench("isa", "interlaced against dense self-attention, by size of the feature map", _isa)
    attention.add_argument(
        "--sizes", nargs="+", type=_size, metavar="HxW", help="feature maps (32x32 to 256x256, 97x97 and 257x129 too)"
    )
    networks = bench("model", "latency, frames per second, memory of each engine and precision", _model)
    networks.add_argument("--engine", nargs="+", metavar="ENGINE", help="engines (all)")
    networks.add_argument("--precision", nargs="+", metavar="P", help="precisions (all that each engine has)")
    reading = bench("data", "reading and augmentation by number of threads, and each transform's share", _data)
    reading.add_argument(
        "--num_workers", type=natural, metavar="N", help="measure 0 to N threads that read ahead (the cores)"
    )
    reading.add_argument(
        "--split", choices=("train", "val"), nargs="+", default=["train", "val"], help="data sets (both)"
    )
    steps = bench("train", "a training step: forward, backward, optimizer, memory", _train)
    steps.add_argument(
        "--precision", nargs="+", choices=("fp32", "fp16", "bf16"), default=["fp32"], help="arithmetic (fp32)"
    )
    steps.add_argument("--batch_size", type=positive, metavar="N", help="images of a step (the config's)")
    for command, settings, config in (
        (attention, isa.Settings, None),
        (networks, model.Settings, CITYSCAPES),
        (reading, data.Settings, SCENES),
        (steps, train.Settings, SCENES),
    ):
        add_options(command, settings)
        if config:
            optional = {"required": False, "default": config, "help": f"a YAML file, or a name ({config})"}
            common.add_shared(command, "opts", "plugin", config=optional)
        if command is not reading:
            common.add_shared(command, "device")
        command.add_argument("--plot", type=_picture, metavar="FILE", help="also draw it, a .png or .svg file")


def run(args: argparse.Namespace) -> int:
    """Print the report; 2 when nothing could be measured."""
    from paddleisa.bench import plots
    from paddleisa.utils.environment import load_paddle

    load_paddle()
    if args.plot:
        plots.require_matplotlib()  # before the work, not after it
    report = args.act(args)
    print(report.text())
    common.write_json(args.json, report.to_dict())
    if args.plot:
        plots.save(plots.DRAW[args.action](report), args.plot)
        print(f"\nsee {args.plot}")
    return 2 if report.empty else 0


def _isa(args: argparse.Namespace) -> Report:
    from paddleisa.utils.environment import set_device

    settings = from_options(isa.Settings, args, device=set_device(args.device))
    return isa.bench_isa(list(dict.fromkeys(args.sizes or isa.SIZES)), settings)


def _model(args: argparse.Namespace) -> Report:
    from paddleisa.build import build_model
    from paddleisa.config import check
    from paddleisa.utils.environment import set_device
    from paddleisa.weights import load_weights

    pairs = model.combinations(args.engine, args.precision)
    device = set_device(args.device)
    config = common.load(args)
    check(config, "val")
    if args.model_path:  # weights that do not fit are the user's mistake, not a reason in every row
        load_weights(build_model(config), args.model_path)
    args.input_size = args.input_size or model.default_size(config)
    return model.bench_model(pairs, from_options(model.Settings, args, **_config_of(args), device=device))


def _data(args: argparse.Namespace) -> Report:
    from paddleisa.build import build_dataset
    from paddleisa.utils.environment import core_count

    config, splits = common.load(args), list(dict.fromkeys(args.split))
    for split in splits:
        build_dataset(config, split)  # what is missing is told before anything is measured
    workers = core_count() if args.num_workers is None else args.num_workers
    return data.bench_data(splits, workers, from_options(data.Settings, args, **_config_of(args)))


def _train(args: argparse.Namespace) -> Report:
    from paddleisa.build import build_dataset
    from paddleisa.config import check
    from paddleisa.utils.environment import set_device

    if args.batch_size:
        args.opts = [*args.opts, f"batch_size={args.batch_size}"]
    device = set_device(args.device)
    config = common.load(args)
    check(config, "resume")
    if args.real_data:
        build_dataset(config, "train")
    args.input_size = args.input_size or train.crop_size(config)
    settings = from_options(train.Settings, args, **_config_of(args), device=device)
    return train.bench_train(list(dict.fromkeys(args.precision)), settings)


def _config_of(args: argparse.Namespace) -> dict[str, object]:
    return {"config": args.config, "opts": args.opts, "plugins": args.plugin}


def _size(text: str) -> tuple[int, int]:
    """``97x129`` -> (97, 129), height and width."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is no height x width; write for example 97x97")
    return int(match[1]), int(match[2])


def _picture(text: str) -> str:
    if not text.lower().endswith((".png", ".svg")):
        raise argparse.ArgumentTypeError(f"{text} ends neither in .png nor in .svg")
    return common.writable(text)
