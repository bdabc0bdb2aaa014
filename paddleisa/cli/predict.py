"""``paddleisa predict``: write the masks of images."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from paddleisa.cli import common

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from paddleisa.build import Pretrained
    from paddleisa.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``predict``."""
    common.add_config_arguments(parser, without="the best model that ships with the package")
    common.add_model_arguments(parser)
    common.add_test_arguments(parser)
    parser.add_argument(
        "--image_path",
        nargs="+",
        metavar="PATH",
        help="images, folders, patterns such as 'photos/*.jpg', lists as training reads them, videos, 0 for a camera",
    )
    parser.add_argument("--save_dir", default="output/result", metavar="DIR", help="where results go (output/result)")
    parser.add_argument(
        "--format",
        choices=("cityscapes", "voc"),
        help="write one file per image as that benchmark's server wants it: labelIds with official names, palette PNGs",
    )
    parser.add_argument(
        "--confidence",
        action="store_true",
        help="also write the probability of each pixel's class, as a PNG of 16 bits (65535 is 1)",
    )
    parser.add_argument("--limit", type=common.positive, metavar="N", help="the first N images or frames only")
    parser.add_argument(
        "--custom_color",
        nargs="+",
        type=int,
        metavar="N",
        help="colours instead of the config's: R G B of each class in turn",
    )
    parser.add_argument(
        "--num_workers", type=common.natural, default=1, metavar="N", help="threads that read ahead (default 1)"
    )


def run(args: argparse.Namespace) -> int:
    """Write three pictures of each image; exit code 2 when an image could not be used."""
    if args.config is None and args.model_path is None:
        args.config = _best_shipped()
    config = common.load(args)
    if args.dry_run:
        return common.print_resolved(config, "val")
    from paddleisa.datasets.image_files import find_images
    from paddleisa.errors import UsageError
    from paddleisa.evaluation.predict import FOLDERS, result_folders
    from paddleisa.evaluation.video import is_video

    if args.image_path is None:
        raise UsageError("no image is given", where="--image_path", fix="Give an image, a folder or a list")
    images = [
        image
        for path in args.image_path
        if not is_video(path)
        for image in find_images(path, result_folders(args.save_dir), **common.list_format(config))
    ]
    found, file, options, said = _start(args, config)
    from paddleisa.evaluation.api import predict

    def say(line: object) -> None:
        said.append(str(line))
        print(line)

    result = predict(
        found,
        images,
        args.save_dir,
        videos=[path for path in args.image_path if is_video(path)],
        limit=args.limit,
        format=args.format,
        palette=_colours(args.custom_color),
        confidence=args.confidence,
        workers=args.num_workers,
        say=say,
        **options,
    )
    if file is not None and "predictor" not in options and not result.videos:
        from paddleisa.evaluation.warm import keep

        keep(file, result.predictor, said)
    written, failed = result.prediction.written, result.prediction.failed
    if not images:
        common.write_json(args.json, result.to_dict())
        return 0
    what = f"format {args.format}" if args.format else ", ".join(FOLDERS.values())
    print(f"{len(written)} of {len(written) + len(failed)} images predicted; see {args.save_dir}/ ({what})")
    common.write_json(args.json, result.to_dict())
    return 2 if failed else 0


def _start(args: argparse.Namespace, config: Config) -> tuple[Pretrained, Path | None, dict[str, Any], list[str]]:
    """The model, where what is found out of it is kept, what `predict` needs to compute it, and what has been said.

    Where an earlier run has left it, that is a predictor that needs no paddle.
    """
    from paddleisa.build import Pretrained
    from paddleisa.errors import WeightsError
    from paddleisa.evaluation.warm import start_file, warm_predictor
    from paddleisa.zoo.resolve import weights_file

    file = None
    with suppress(WeightsError):  # told where it always is, after what is wrong with the config
        weights = weights_file(args.model_path, config.name)
        file = start_file(config, weights, vars(args))
    if file is not None and (warm := warm_predictor(file, config, vars(args))):
        predictor, said = warm
        print(*said, sep="\n")
        return Pretrained(config, weights), file, {"predictor": predictor}, said
    found, checked = common.start_model(args, config)
    return found, file, common.predictor_options(args, checked), []


def _best_shipped() -> str:
    """The config of the best model that ships, named on the screen."""
    from paddleisa.zoo.catalogue.catalogue import load_catalogue
    from paddleisa.zoo.download.locate import best_shipped

    entry = best_shipped(load_catalogue())
    score = f"{entry.row.scores.single:.2f} mIoU on {entry.row.dataset}"
    print(f"model: {entry.name}, the best that ships ({score}); --config chooses another")
    return entry.config


def _colours(numbers: list[int] | None) -> np.ndarray | None:
    """(K, 3) uint8 of --custom_color."""
    import numpy as np

    from paddleisa.errors import UsageError

    if numbers is None:
        return None
    if len(numbers) % 3 or not all(0 <= number <= 255 for number in numbers):
        raise UsageError(
            "colours are R G B of each class in turn, 0 to 255", where="--custom_color", fix="Write 0 0 0 255 0 0 ..."
        )
    return np.array(numbers, np.uint8).reshape(-1, 3)
