"""``paddleisa view``: a local page to look at masks, worst images and attention."""

from __future__ import annotations

import argparse

from paddleisa.cli import common
from paddleisa.inference.protocols import protocol_help, protocol_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models and data the page offers."""
    common.add_config_arguments(parser, without="the models that ship with the package")
    common.add_model_arguments(parser)
    parser.add_argument("--dataset", action="store_true", help="show the config's val_dataset too, worst images first")
    parser.add_argument("--limit", type=common.positive, metavar="N", help="the first N images of it only")
    parser.add_argument("--protocol", choices=protocol_names(), help=f"of the masks: {protocol_help()}")
    parser.add_argument("--port", type=common.natural, default=8041, help="on 127.0.0.1; 0 takes a free one (8041)")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from paddleisa.errors import UsageError

    named = args.config or args.model_path
    if args.dataset and not named:
        raise UsageError("which config it belongs to is not known", where="--dataset", fix="Give --config")
    config = common.load(args) if named else None
    if args.dry_run and config is not None:
        return common.print_resolved(config, "val")
    from paddleisa.build import build_dataset, find_pretrained
    from paddleisa.predictor import Predictor
    from paddleisa.viewer.app import create_app, serve
    from paddleisa.viewer.session import Ranking, Session
    from paddleisa.zoo.catalogue.catalogue import load_catalogue
    from paddleisa.zoo.download.locate import shipped

    models, ranking = {}, None
    if config is not None:
        found, _ = common.start_model(args, config)
        models[config.name] = found
        if args.dataset:
            predictor = Predictor(found.build(), found.config, protocol=args.protocol)
            ranking = Ranking(predictor, build_dataset(found.config, "val"), args.limit)
    for entry in shipped(load_catalogue()):
        models.setdefault(entry.name, find_pretrained(entry.name))
    serve(create_app(Session(models, args.protocol), ranking), args.port, ranking)
    return 0
