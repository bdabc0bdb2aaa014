"""``paddleisa predict``: write the masks of images."""

from __future__ import annotations

import argparse

from paddleisa.cli import common

SUMMARY = "write the masks of images, folders or lists of images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``predict``."""
    common.add_config_arguments(parser, without="the best model that ships with the package")
    common.add_model_arguments(parser)
    common.add_test_arguments(parser)
    parser.add_argument("--image_path", metavar="PATH", help="an image, a folder, or a list as training reads it")
    parser.add_argument("--save_dir", default="output/result", metavar="DIR", help="where results go (output/result)")
    parser.add_argument(
        "--format",
        choices=("cityscapes", "voc"),
        help="write one file per image as that benchmark's server wants it: labelIds with official names, palette PNGs",
    )
    parser.add_argument(
        "--num_workers", type=common.natural, default=1, metavar="N", help="threads that read ahead (default 1)"
    )


def run(args: argparse.Namespace) -> int:
    """Write three pictures of each image; exit code 2 when an image could not be used."""
    if args.config is None:
        args.config = _best_shipped(args)
    config = common.load(args)
    if args.dry_run:
        return common.print_resolved(config, "val")
    from paddleisa.datasets.image_files import find_images
    from paddleisa.errors import UsageError
    from paddleisa.evaluation.predict import FOLDERS, result_folders

    if args.image_path is None:
        raise UsageError("no image is given", where="--image_path", fix="Give an image, a folder or a list")
    images = find_images(args.image_path, result_folders(args.save_dir), **common.list_format(config))
    found, config = common.start_model(args, config)
    from paddleisa.evaluation.api import predict

    options = common.predictor_options(args, config)
    result = predict(found, images, args.save_dir, format=args.format, workers=args.num_workers, say=print, **options)
    written, failed = result.prediction.written, result.prediction.failed
    what = f"format {args.format}" if args.format else ", ".join(FOLDERS.values())
    print(f"{len(written)} of {len(written) + len(failed)} images predicted; see {args.save_dir}/ ({what})")
    common.write_json(args.json, result.to_dict())
    return 2 if failed else 0


def _best_shipped(args: argparse.Namespace) -> str:
    """The config of the best model that ships, named on the screen."""
    from paddleisa.errors import UsageError
    from paddleisa.zoo.catalogue.catalogue import load_catalogue
    from paddleisa.zoo.download.locate import best_shipped

    if args.model_path:
        raise UsageError("weights without the config of their network", where="--model_path", fix="Give --config")
    entry = best_shipped(load_catalogue())
    score = f"{entry.row.scores.single:.2f} mIoU on {entry.row.dataset}"
    print(f"model: {entry.name}, the best that ships ({score}); --config chooses another")
    return entry.config
