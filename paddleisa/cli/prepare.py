"""``paddleisa prepare``: data sets made, checked, generated and looked at."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.cli import common

if TYPE_CHECKING:
    from paddleisa.data.prepare.own.own import OwnData, Wishes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command for each action."""
    workers = {"default": None, "help": "processes or threads (default: one per core)"}
    action = common.subcommands(parser, num_workers=workers)
    cityscapes = action("cityscapes", "make *_labelTrainIds.png from the download, then check the data", _cityscapes)
    cityscapes.add_argument("root", type=Path, metavar="ROOT", help="folder of leftImg8bit and gtFine, or of the zips")
    cityscapes.add_argument(
        "--archives", nargs="+", type=Path, metavar="ZIP", help="zips to unpack (default: official names in ROOT)"
    )
    cityscapes.add_argument(
        "--source",
        choices=("auto", "labelIds", "polygons"),
        default="auto",
        help="what labels are made from; auto: labelIds where they are, else polygons (needs cityscapesscripts)",
    )
    summary = "unpack or download VOC2012 and SBD, convert SBD's labels, write aug.txt, then check the data"
    voc = action("voc", summary, _voc)
    voc.add_argument("root", type=Path, metavar="ROOT", help="the folder VOCdevkit, which holds or gets VOC2012")
    voc.add_argument("--sbd", type=Path, metavar="DIR|FILE", help="SBD's folder (benchmark_RELEASE) or benchmark.tgz")
    voc.add_argument("--archive", type=Path, metavar="FILE", help="VOCtrainval_11-May-2012.tar")
    voc.add_argument("--offline", action="store_true", help="download nothing")
    summary = "unpack and convert a public data set's official files, then check the data"
    public = action("dataset", summary, _dataset, "plugin")
    public.add_argument("kind", metavar="CLASS", help="CocoStuff, CocoStuff10k, PascalContext, ADE20K, LIP, ...")
    public.add_argument("root", type=Path, metavar="ROOT", help="its dataset_root, with the official archives in it")
    own = action(
        "own", "from a folder of your images and annotations to a config that fine-tunes a shipped model", _own
    )
    own.add_argument("--save_dir", type=Path, metavar="DIR", help="for labels, lists and the config (FOLDER/paddleisa)")
    group = own.add_argument_group("training and validation")
    group.add_argument("--val", type=float, default=0.2, metavar="X", help="share of the images for validation (0.2)")
    group.add_argument(
        "--group",
        metavar="PATTERN",
        help="regular expression; images whose names give the same first bracket stay on one side, such as the frames "
        "of one video: '^(.*)_'",
    )
    group.add_argument("--seed", type=common.natural, default=0, metavar="N", help="of the division (0)")
    group = own.add_argument_group("the config; what is not given is chosen from the data and this machine")
    group.add_argument("--start", metavar="NAME", help="model to start from (the best that comes with the package)")
    group.add_argument("--crop_size", type=common.positive, nargs=2, metavar=("W", "H"))
    group.add_argument("--batch_size", type=common.positive, metavar="N")
    group.add_argument("--iters", type=common.positive, metavar="N")
    group.add_argument("--learning_rate", type=float, metavar="X")
    labels = action("labels", "make labels of class ids from masks or outlines of any kind", _labels)
    labels.add_argument("--save_dir", type=Path, required=True, metavar="DIR", help="for the labels")
    for command in (own, labels):
        command.add_argument(
            "folder", type=Path, metavar="FOLDER", help="images with masks, labelme's or COCO's JSON files"
        )
        group = command.add_argument_group("what the annotations mean, where names do not tell")
        group.add_argument("--images", metavar="DIR", help="folder in FOLDER that holds the images")
        group.add_argument("--masks", metavar="DIR", help="folder in FOLDER that holds the masks")
        group.add_argument(
            "--classes", metavar="FILE", help="a line `name R G B` for each class, in the order of their numbers"
        )
        group.add_argument(
            "--ignore_background", action="store_true", help="class 0 is no class: its pixels do not count"
        )
        common.add_shared(group, "overwrite")
    summary = "find what is wrong with the data of a config, with the file and the fix"
    check = action("check", summary, _check, "config", "opts", "plugin")
    scenes = action("scenes", "write generated street scenes in a data set's layout, to rehearse with", _scenes)
    scenes.add_argument("root", type=Path, metavar="ROOT")
    scenes.add_argument(
        "--layout", required=True, help="cityscapes, voc, or a data set's class: CocoStuff, ADE20K, ..."
    )
    scenes.add_argument(
        "--num_images", type=int, nargs="+", default=[40], metavar="N", help="of train, and of val (a fourth)"
    )
    scenes.add_argument("--size", type=int, nargs=2, default=[512, 256], metavar=("W", "H"), help="pixels (512 256)")
    scenes.add_argument("--seed", type=int, default=0, metavar="S", help="of the pictures (0)")
    summary = "write a sheet of samples as the network gets them, image beside label"
    browse = action("browse", summary, _browse, "config", "opts", "plugin")
    browse.add_argument("--split", choices=("train", "val"), default="train")
    browse.add_argument("--count", type=int, default=8, metavar="N", help="samples (8)")
    browse.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice and the augmentation (0)")
    browse.add_argument("--save", type=Path, metavar="FILE", help="the PNG (output/browse/CONFIG_SPLIT.png)")
    for command in (cityscapes, voc, public, own, check):
        common.add_shared(command, "quick", "json")
        command.add_argument("--html", type=Path, metavar="FILE", help="write a report with pictures")
        command.add_argument(
            "--cache", type=Path, metavar="DIR", help="folder of what is known already (PADDLEISA_HOME/check)"
        )
        if command in (cityscapes, voc, public):
            common.add_shared(command, "overwrite")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 2 when a check found errors."""
    from paddleisa.utils.environment import core_count

    args.num_workers = core_count() if args.num_workers is None else args.num_workers
    return args.act(args)


def _cityscapes(args) -> int:
    from paddleisa.data.prepare.cityscapes import prepare_cityscapes

    done = prepare_cityscapes(args.root, args.archives, args.source, overwrite=args.overwrite, workers=args.num_workers)
    print(f"{done.made} labels made, {done.kept} were there and right")
    return _finish(args, _config("Cityscapes", args.root, _present_parts(args.root)))


def _voc(args) -> int:
    from paddleisa.data.prepare.voc import prepare_voc
    from paddleisa.datasets import PascalVOC

    done = prepare_voc(
        args.root,
        args.sbd,
        args.archive,
        overwrite=args.overwrite,
        offline=args.offline,
        workers=args.num_workers,
    )
    print(f"{done.made} labels made, {done.kept} were there and right")
    counts = PascalVOC.counts
    print(
        f"trainaug {done.trainaug} images (published {counts['trainaug']}), val {done.val} (published {counts['val']})"
    )
    return _finish(args, _config("PascalVOC", args.root, {"train": "trainaug", "val": "val"}))


def _dataset(args) -> int:
    from paddleisa.config.plugins import import_plugin
    from paddleisa.data.prepare.by_table import prepare_by_table

    for plugin in args.plugin:
        import_plugin(plugin, "--plugin")
    done = prepare_by_table(args.root, args.kind, overwrite=args.overwrite, workers=args.num_workers)
    print(f"{done.made} labels made, {done.kept} were there and right")
    return _finish(args, _config(args.kind, args.root, {mode: mode for mode in ("train", "val")}))


def _own(args) -> int:
    from paddleisa.config import read_config
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
    code = _finish(args, read_config(str(done.config)))
    print(_next_commands(done))
    return code


def _labels(args) -> int:
    from paddleisa.data.prepare.own.own import make_labels

    done = make_labels(args.folder, args.save_dir, _wishes(args))
    print(done.text())
    print(f"{len(done.rows)} labels: {args.save_dir}")
    return 0


def _next_commands(done: OwnData) -> str:
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


def _check(args) -> int:
    from paddleisa.config import read_config

    return _finish(args, read_config(args.config, opts=args.opts, plugins=args.plugin))


def _scenes(args) -> int:
    from paddleisa.data.prepare.scene_layouts import writer_of
    from paddleisa.data.prepare.scenes import prepare_scenes
    from paddleisa.errors import UsageError

    if len(args.num_images) > 2 or min(args.num_images) < 1 or min(args.size) < 32 or args.seed < 0:
        raise UsageError(
            "the numbers cannot be used",
            where="--num_images, --size, --seed",
            fix="Give one or two counts above 0, a size of at least 32 32, a seed of at least 0",
        )
    train = args.num_images[0]
    val = args.num_images[1] if len(args.num_images) > 1 else max(1, train // 4)
    marker = prepare_scenes(args.root, args.layout, (train, val), tuple(args.size), args.seed, workers=args.num_workers)
    print(f"{args.root}: {', '.join(f'{count} {mode}' for mode, count in marker.counts.items())}")
    print(f"Next: {writer_of(args.layout).next_command(args.root)}")
    return 0


def _browse(args) -> int:
    from paddleisa.config import build_part, check, read_config
    from paddleisa.data.check.page import browse
    from paddleisa.data.check.split import data_only
    from paddleisa.registry import DATASETS

    config = read_config(args.config, opts=args.opts, plugins=args.plugin)
    data = build_part(check(data_only(config)), f"{args.split}_dataset", DATASETS)
    file = args.save or Path("output/browse") / f"{config.name}_{args.split}.png"
    shown = browse(data, file, args.count, args.seed, augment=args.split == "train")
    print(f"{len(shown)} of {len(data)} samples; see {file}")
    return 0


def _config(kind: str, root: Path, modes: dict[str, str]):
    """A config of nothing but data sets."""
    from paddleisa.config import Config

    parts = {
        f"{which}_dataset": {"type": kind, "dataset_root": str(root), "mode": mode, "transforms": []}
        for which, mode in modes.items()
    }
    return Config.from_dict(parts, name=f"{kind} in {root}")


def _present_parts(root: Path) -> dict[str, str]:
    return {mode: mode for mode in ("train", "val") if (root / "gtFine" / mode).is_dir()}


def _finish(args, config) -> int:
    """Check, print, and write what was asked for."""
    from paddleisa.data.check.check import check_config
    from paddleisa.utils.files import atomic_write

    report = check_config(config, workers=args.num_workers, cache=args.cache, quick=args.quick)
    print(report.text())
    common.write_json(args.json, {"command": "prepare check", **report.to_dict()})
    if args.html:
        from paddleisa.data.check.page import page

        with atomic_write(args.html, "w") as stream:
            stream.write(page(report))
        print(f"see {args.html}")
    return 2 if report.errors else 0
