"""``paddleisa bench``: what attention, models, reading and training cost on this machine."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from paddleisa.cli import common

if TYPE_CHECKING:
    from paddleisa.config import Config

SUMMARY = "measure attention, models, reading and training on this machine"
CITYSCAPES = "isanet_resnet50_os8_cityscapes_769x769_80k"
SCENES = "isanet_resnet18_os8_scenes_128x128_200"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command for each bench."""
    actions = parser.add_subparsers(dest="action", metavar="BENCH", required=True)

    def action(name: str, summary: str, config: str | None = None, device: bool = True) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if config:
            _add_config(command, config)
        if device:
            command.add_argument("--device", help="cpu, gpu or gpu:N; the GPU where there is one")
        command.add_argument("--json", type=common.writable, metavar="FILE", help="also write what is printed there")
        command.add_argument("--plot", type=_picture, metavar="FILE", help="also draw it, a .png or .svg file")
        return command

    _add_isa(action("isa", "interlaced against dense self-attention, by size of the feature map"))
    _add_model(action("model", "latency, frames per second, memory of each engine and precision", CITYSCAPES))
    _add_data(
        action("data", "reading and augmentation by number of threads, and each transform's share", SCENES, False)
    )
    _add_train(action("train", "a training step: forward, backward, optimizer, memory", SCENES))


def _add_isa(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes", nargs="+", type=_size, metavar="HxW", help="feature maps (32x32 to 256x256, 97x97 and 257x129 too)"
    )
    for name, default, words in (
        ("--batch", 1, "maps in a batch"),
        ("--in_channels", 512, "channels of the map"),
        ("--channels", 256, "channels of query and key"),
    ):
        parser.add_argument(name, type=common.positive, default=default, metavar="N", help=f"{words} ({default})")
    parser.add_argument(
        "--window", nargs=2, type=common.positive, default=(8, 8), metavar=("H", "W"), help="window of ISA (8 8)"
    )
    _add_runs(parser, "--repeats", 5, "measured runs after one that warms up; the median counts")
    parser.add_argument(
        "--memory_limit",
        type=_gibibytes,
        metavar="GIB",
        help="on a CPU, what needs more is out of memory (default: what is free)",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model_path", metavar="FILE", help="weights; without it, random ones")
    parser.add_argument("--engine", nargs="+", metavar="ENGINE", help="engines (all)")
    parser.add_argument("--precision", nargs="+", metavar="P", help="precisions (all that each engine has)")
    _add_input_size(parser, "the network's input (the size that the config pads to, else 1024 512)")
    _add_runs(parser, "--iters", 20, "measured runs")
    _add_warmup(parser, 2)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--num_workers", type=common.natural, metavar="N", help="measure 0 to N threads that read ahead (the cores)"
    )
    parser.add_argument(
        "--split", choices=("train", "val"), nargs="+", default=["train", "val"], help="data sets (both)"
    )
    _add_runs(parser, "--frames", 64, "samples in a round")
    _add_runs(parser, "--repeats", 3, "rounds; the median counts")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision", nargs="+", choices=("fp32", "fp16", "bf16"), default=["fp32"], help="arithmetic (fp32)"
    )
    parser.add_argument("--amp_level", choices=("O1", "O2"), default="O1", help="of fp16 and bf16 (O1)")
    parser.add_argument("--batch_size", type=common.positive, metavar="N", help="images of a step (the config's)")
    _add_input_size(parser, "size of the random images (the config's crop)")
    parser.add_argument("--real_data", action="store_true", help="read the config's images instead of random ones")
    _add_runs(parser, "--iters", 5, "measured steps")
    _add_warmup(parser, 1)


def run(args: argparse.Namespace) -> int:
    """Print the report; 2 when nothing could be measured."""
    from paddleisa.utils.environment import load_paddle

    load_paddle()
    if args.plot:
        from paddleisa.bench.plotting import require_matplotlib

        require_matplotlib()  # before the work, not after it
    report, draw = {"isa": _isa, "model": _model, "data": _data, "train": _train}[args.action](args)
    print(report.text())
    common.write_json(args.json, report.to_dict())
    if args.plot:
        from paddleisa.bench.plotting import save

        save(draw(report), args.plot)
        print(f"\nsee {args.plot}")
    return 2 if report.empty else 0


def _isa(args: argparse.Namespace) -> tuple:
    from paddleisa.bench.isa import SIZES, Settings, bench_isa
    from paddleisa.bench.plot_isa import draw
    from paddleisa.utils.environment import set_device

    settings = Settings(
        batch=args.batch,
        in_channels=args.in_channels,
        channels=args.channels,
        window=tuple(args.window),
        repeats=args.repeats,
        memory_limit=args.memory_limit,
        device=set_device(args.device),
    )
    return bench_isa(list(dict.fromkeys(args.sizes or SIZES)), settings), draw


def _model(args: argparse.Namespace) -> tuple:
    from paddleisa.bench.model import Settings, bench_model, combinations, default_size
    from paddleisa.bench.plot_bars import draw_model
    from paddleisa.config import check
    from paddleisa.utils.environment import set_device

    pairs = combinations(args.engine, args.precision)
    device = set_device(args.device)
    config = common.load(args)
    check(config, "val")
    if args.model_path:
        _require_weights(args.model_path, config)
    settings = Settings(
        **_config_of(args),
        model_path=args.model_path,
        input_size=tuple(args.input_size or default_size(config)),
        iters=args.iters,
        warmup=args.warmup,
        device=device,
    )
    return bench_model(pairs, settings), draw_model


def _data(args: argparse.Namespace) -> tuple:
    from paddleisa.bench.data import Settings, bench_data
    from paddleisa.bench.plot_bars import draw_data
    from paddleisa.build import build_dataset
    from paddleisa.utils.environment import core_count

    config, splits = common.load(args), list(dict.fromkeys(args.split))
    for split in splits:
        build_dataset(config, split)  # what is missing is told before anything is measured
    workers = core_count() if args.num_workers is None else args.num_workers
    settings = Settings(**_config_of(args), frames=args.frames, repeats=args.repeats)
    return bench_data(splits, workers, settings), draw_data


def _train(args: argparse.Namespace) -> tuple:
    from paddleisa.bench.plot_bars import draw_train
    from paddleisa.bench.train import Settings, bench_train, crop_size
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
    settings = Settings(
        **_config_of(args),
        input_size=tuple(args.input_size or crop_size(config)),
        real_data=args.real_data,
        amp_level=args.amp_level,
        iters=args.iters,
        warmup=args.warmup,
        device=device,
    )
    return bench_train(list(dict.fromkeys(args.precision)), settings), draw_train


def _require_weights(path: str, config: Config) -> None:
    """Weights that do not fit are the user's mistake, not a reason in every row."""
    from paddleisa.build import build_model
    from paddleisa.weights import load_weights

    load_weights(build_model(config), path)


def _config_of(args: argparse.Namespace) -> dict[str, Any]:
    return {"config": args.config, "opts": args.opts, "plugins": args.plugin}


def _add_config(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--config", default=default, metavar="FILE|NAME", help=f"a YAML file, or a name ({default})")
    parser.add_argument(
        "--opts", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change config values"
    )
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help="Python file with own components")


def _add_input_size(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("--input_size", nargs=2, type=common.positive, metavar=("W", "H"), help=words)


def _add_runs(parser: argparse.ArgumentParser, name: str, default: int, words: str) -> None:
    parser.add_argument(name, type=common.positive, default=default, metavar="N", help=f"{words} ({default})")


def _add_warmup(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument("--warmup", type=common.natural, default=default, metavar="N", help=f"before them ({default})")


def _size(text: str) -> tuple[int, int]:
    """``97x129`` -> (97, 129), height and width."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is no height x width; write for example 97x97")
    return int(match[1]), int(match[2])


def _gibibytes(text: str) -> float:
    number = float(text)
    if not 0 < number < 2**20:
        raise argparse.ArgumentTypeError(f"{text} is not a number of GiB above 0")
    return number


def _picture(text: str) -> str:
    if not text.lower().endswith((".png", ".svg")):
        raise argparse.ArgumentTypeError(f"{text} ends neither in .png nor in .svg")
    return common.writable(text)
