"""``paddleisa export``: a model as files for other runtimes."""

from __future__ import annotations

import argparse

from paddleisa.cli import common
from paddleisa.deploy.export import FORMATS
from paddleisa.deploy.export.serving import SERVERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``export``."""
    common.add_config_arguments(parser, without="that of --model_path, a training's folder or a published name")
    common.add_model_arguments(parser)
    parser.add_argument(
        "--save_dir", default="output/export", metavar="DIR", help="folder of the export (output/export)"
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=tuple(FORMATS),
        default=["paddle"],
        help="one or several; " + ", ".join(f"{format.name}: {format.about}" for format in FORMATS.values()),
    )
    parser.add_argument(
        "--input_shape",
        nargs=4,
        type=int,
        metavar=("N", "C", "H", "W"),
        help="the network's input, -1 for what is free at run time (-1 3 -1 -1)",
    )
    parser.add_argument(
        "--output_op",
        choices=("argmax", "softmax", "none"),
        help="what the files give: class ids (argmax, the default), probabilities or logits",
    )
    parser.add_argument(
        "--serving",
        nargs="+",
        choices=tuple(SERVERS),
        default=[],
        help="write a model repository too, for " + ", ".join(f"{name}: {about}" for name, about in SERVERS.items()),
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "int8"),
        default="fp32",
        help="of the files; int8 for " + ", ".join(format.name for format in FORMATS.values() if format.quantise),
    )
    common.add_calibration_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files, or nothing at all."""
    config = common.load(args)
    if args.dry_run:
        return common.print_resolved(config, "val")
    found, config = common.start_model(args, config)
    from paddleisa.evaluation.api import export

    exported = export(
        found,
        args.save_dir,
        formats=args.format,
        input_shape=args.input_shape,
        output_op=args.output_op,
        serving=args.serving,
        calibration=common.calibration(args, config),
        say=print,
    )
    for written in exported.written:
        for file in written.files:
            print(f"{args.save_dir}/{file.name} ({file.stat().st_size / 1e6:.1f} MB)")
        for difference in written.differences:
            print(f"  {difference}")
    for server, files in exported.serving.items():
        models = dict.fromkeys(file.parent.parent.name for file in files if file.parent.name == "1")
        print(f"{args.save_dir}/{server} is the model repository of {', '.join(models)} for {SERVERS[server]}")
    print(f"{args.save_dir}/{exported.description.name} says how to run them")
    common.write_json(
        args.json,
        {
            "command": "export",
            "config": config.name,
            "weights": str(found.weights),
            "save_dir": str(exported.folder),
            "serving": {
                server: [str(file.relative_to(exported.folder)) for file in files]
                for server, files in exported.serving.items()
            },
            "formats": {
                w.format: {
                    "files": [file.name for file in w.files],
                    "compared": [difference.to_dict() for difference in w.differences],
                }
                for w in exported.written
            },
        },
    )
    return 0
