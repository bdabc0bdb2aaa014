"""``paddleisa prepare``: data sets made, checked, generated and looked at."""

from __future__ import annotations

import argparse
from pathlib import Path

from paddleisa.cli import prepare_own

SUMMARY = "make your own or public data ready, check a config's data, generate data, look at what the network sees"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command for each action."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_argument(
            "--num_workers", type=int, metavar="N", help="processes or threads (default: one per core)"
        )
        return command

    cityscapes = action("cityscapes", "make *_labelTrainIds.png from the download, then check the data")
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
    voc = action("voc", "unpack or download VOC2012 and SBD, convert SBD's labels, write aug.txt, then check the data")
    voc.add_argument("root", type=Path, metavar="ROOT", help="the folder VOCdevkit, which holds or gets VOC2012")
    voc.add_argument("--sbd", type=Path, metavar="DIR|FILE", help="SBD's folder (benchmark_RELEASE) or benchmark.tgz")
    voc.add_argument("--archive", type=Path, metavar="FILE", help="VOCtrainval_11-May-2012.tar")
    voc.add_argument("--offline", action="store_true", help="download nothing")
    public = action("dataset", "unpack and convert a public data set's official files, then check the data")
    public.add_argument("kind", metavar="CLASS", help="CocoStuff, CocoStuff10k, PascalContext, ADE20K, LIP, ...")
    public.add_argument("root", type=Path, metavar="ROOT", help="its dataset_root, with the official archives in it")
    public.add_argument("--plugin", action="append", default=[], metavar="FILE", help="Python file with own data sets")
    for command in (cityscapes, voc, public):
        command.add_argument("--overwrite", action="store_true", help="make labels again that are there and different")
        command.add_argument("--quick", action="store_true", help="end with the quick check instead of the full one")
        _add_report(command)
    own = action("own", "from a folder of your images and annotations to a config that fine-tunes a shipped model")
    prepare_own.add_own(own)
    own.add_argument("--quick", action="store_true", help="end with the quick check instead of the full one")
    _add_report(own)
    prepare_own.add_labels(action("labels", "make labels of class ids from masks or outlines of any kind"))
    check = action("check", "find what is wrong with the data of a config, with the file and the fix")
    _add_config(check)
    check.add_argument("--quick", action="store_true", help="names and a few files only: seconds")
    _add_report(check)
    scenes = action("scenes", "write generated street scenes in a data set's layout, to rehearse with")
    scenes.add_argument("root", type=Path, metavar="ROOT")
    scenes.add_argument(
        "--layout", required=True, help="cityscapes, voc, or a data set's class: CocoStuff, ADE20K, ..."
    )
    scenes.add_argument(
        "--num_images", type=int, nargs="+", default=[40], metavar="N", help="of train, and of val (a fourth)"
    )
    scenes.add_argument("--size", type=int, nargs=2, default=[512, 256], metavar=("W", "H"), help="pixels (512 256)")
    scenes.add_argument("--seed", type=int, default=0, metavar="S", help="of the pictures (0)")
    browse = action("browse", "write a sheet of samples as the network gets them, image beside label")
    _add_config(browse)
    browse.add_argument("--split", choices=("train", "val"), default="train")
    browse.add_argument("--count", type=int, default=8, metavar="N", help="samples (8)")
    browse.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice and the augmentation (0)")
    browse.add_argument("--save", type=Path, metavar="FILE", help="the PNG (output/browse/CONFIG_SPLIT.png)")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 2 when a check found errors."""
    from paddleisa.utils.environment import core_count

    args.num_workers = core_count() if args.num_workers is None else max(0, args.num_workers)
    actions = {"cityscapes": _cityscapes, "voc": _voc, "check": _check, "scenes": _scenes, "browse": _browse}
    actions |= {"dataset": _dataset, "own": _own, "labels": prepare_own.run_labels}
    return actions[args.action](args)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE|NAME", help="a YAML file, or a shipped config's name")
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change config values")
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help="Python file with own components")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with pictures")
    parser.add_argument("--json", metavar="FILE", help="write everything that was found")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="folder of what is known already (PADDLEISA_HOME/check)"
    )


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

    done = prepare_own.run_own(args)
    code = _finish(args, read_config(str(done.config)))
    print(prepare_own.next_commands(done))
    return code


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
    from paddleisa.data.check.browse import browse
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
    from paddleisa.cli.common import write_json
    from paddleisa.data.check.check import check_config
    from paddleisa.utils.files import atomic_write

    report = check_config(config, workers=args.num_workers, cache=args.cache, quick=args.quick)
    print(report.text())
    write_json(args.json, {"command": "prepare check", **report.to_dict()})
    if args.html:
        from paddleisa.data.check.page import page

        with atomic_write(args.html, "w") as stream:
            stream.write(page(report))
        print(f"see {args.html}")
    return 2 if report.errors else 0
