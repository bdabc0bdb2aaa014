"""``paddleisa zoo``: the published models, their files, and whether a file is one of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from paddleisa.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command for each action."""
    action = common.subcommands(parser, "catalogue", "json")
    action("list", "list the models of the catalogue", _list).add_argument(
        "--family", help="only the models of this family"
    )
    action("info", "show everything known of a model", _info).add_argument("name", metavar="NAME")
    download = action(
        "download", "fetch weights into PADDLEISA_HOME, checked before they are there", _download, "offline"
    )
    download.add_argument("names", nargs="+", metavar="NAME", help="models of the catalogue, or a family's name")
    log = action("log", "turn a published or local train.log into a VisualDL run", _log, "offline")
    log.add_argument("source", metavar="NAME|FILE")
    log.add_argument("--save_dir", type=Path, metavar="DIR", help="folder of the run (output/published/NAME)")
    verify = action("verify", "check a weights file: hash, safe read, tensors, forward pass", _verify, "offline")
    verify.add_argument("source", metavar="NAME|FILE")
    verify.add_argument("--model", metavar="NAME", help="the model that FILE should be (found by its tensors)")
    convert = action(
        "convert", "write weights in another format; also other projects' ISANets in .pth, read safely", _convert
    )
    convert.add_argument("source", metavar="IN", help=".pdparams, .safetensors, .pth, or NAME of a downloaded model")
    convert.add_argument(
        "target", metavar="OUT", nargs="?", help=".pdparams or .safetensors; of NAME: pretrained/NAME.safetensors"
    )
    convert.add_argument(
        "--from",
        dest="names",
        choices=("auto", "mmseg", "ssseg", "openseg", "base_oc"),
        default="auto",
        help="whose tensor names IN has (found out)",
    )
    convert.add_argument("--force", action="store_true", help="replace OUT if it is there")
    forget = action("forget", "trust the next download of a file anew: its publisher has changed it", _forget)
    forget.add_argument("source", metavar="NAME|URL")
    table = action("table", "print the Markdown tables, or bring those of FILE up to date", _table)
    table.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a Markdown file with table markers")
    table.add_argument("--check", action="store_true", help="change nothing; exit code 1 if FILE is out of date")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 1 where ``verify`` or ``table --check`` found a difference."""
    from paddleisa.zoo.catalogue.catalogue import load_catalogue

    result, code = args.act(args, load_catalogue(args.catalogue))
    common.write_json(args.json, result)
    return code


def _list(args, catalogue) -> tuple[object, int]:
    from paddleisa.errors import UsageError, one_of

    families = {entry.family for entry in catalogue}
    if args.family and args.family not in families:
        raise UsageError(f"there is no family {args.family!r}", where="--family", fix=one_of(args.family, families))
    chosen = [entry for entry in catalogue if args.family in (None, entry.family)]
    header = ("model", "family", "data", "classes", "batch", "mIoU", "flip", "ms+flip", "weights")
    lines = [header]
    for entry in chosen:
        row, scores = entry.row, entry.row.scores
        multi = next(iter(scores.ms_flip_by_protocol.values()), scores.ms_flip)
        values = ["" if value is None else f"{value:.2f}" for value in (scores.single, scores.flip, multi)]
        here = "here" if _where_weights_are(entry) else ""
        lines.append((entry.name, entry.family, row.dataset, str(row.num_classes), str(row.total_batch), *values, here))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return [_facts(entry) for entry in chosen], 0


def _info(args, catalogue) -> tuple[object, int]:
    facts = _facts(catalogue.get(args.name))
    for line in _lines(facts):
        print(line)
    return facts, 0


def _download(args, catalogue) -> tuple[object, int]:
    from paddleisa.zoo.download.locate import download_weights

    families = {entry.family for entry in catalogue}
    entries = [
        entry
        for name in args.names
        for entry in ([e for e in catalogue if e.family == name] if name in families else [catalogue.get(name)])
    ]
    done = []
    for entry in entries:
        path = download_weights(entry, offline=args.offline)
        print(path)
        done.append({"model": entry.name, "file": str(path)})
    return done, 0


def _log(args, catalogue) -> tuple[object, int]:
    from paddleisa.zoo.download.locate import download_log
    from paddleisa.zoo.train_log import read_train_log, write_run

    file = _local_file(args.source, catalogue)
    name = file.stem if file else args.source
    path = file or download_log(catalogue.get(name), offline=args.offline)
    points = read_train_log(path)
    run_file = write_run(points, args.save_dir or Path("output") / "published" / name)
    print(f"{len(points)} points of {path} written to {run_file}")
    print(f"see them with: visualdl --logdir {run_file.parent} --language en --disable-telemetry")
    return {"log": str(path), "run": str(run_file), "points": [vars(point) for point in points]}, 0


def _verify(args, catalogue) -> tuple[object, int]:
    from paddleisa.reproduce.verify import verify

    source = _local_file(args.source, catalogue) or catalogue.get(args.source).name
    report = verify(source, args.model, catalogues=args.catalogue, offline=args.offline)
    print(report)
    return report.to_dict(), 0 if report.ok else 1


def _convert(args, catalogue) -> tuple[object, int]:
    from paddleisa.errors import UsageError
    from paddleisa.zoo.convert import convert
    from paddleisa.zoo.download.locate import download_weights

    source, target = _local_file(args.source, catalogue), args.target
    if source is None:
        source = download_weights(catalogue.get(args.source), offline=True)
        target = target or Path("pretrained") / f"{args.source}.safetensors"
    if target is None:
        raise UsageError("say where to write the weights", where="OUT", fix=f"For example {source.stem}.safetensors")
    done = convert(source, target, names=args.names, force=args.force)
    print(done)
    return done.to_dict(), 0


def _forget(args, catalogue) -> tuple[object, int]:
    from paddleisa.zoo.download.records import LockFile

    lock = LockFile()
    url = args.source if "://" in args.source else catalogue.get(args.source).row.weights.source
    known = lock.forget(url)
    print(f"{url}: {'forgotten' if known else 'nothing was recorded'} in {lock.path}")
    return {"url": url, "forgotten": known}, 0


def _table(args, catalogue) -> tuple[object, int]:
    from paddleisa.zoo.catalogue.readme_table import markdown_table, update_tables

    if args.file is None:
        tables = {
            f: markdown_table(e for e in catalogue if e.family == f) for f in sorted({e.family for e in catalogue})
        }
        print("\n".join(f"{family}\n\n{table}" for family, table in tables.items()))
        return tables, 0
    differs = update_tables(args.file, catalogue, check=args.check)
    if args.check and differs:
        print(f"{args.file} is out of date. Run: paddleisa zoo table {args.file}")
    else:
        print(f"{args.file} {'brought up to date' if differs else 'is up to date'}")
    return {"file": str(args.file), "differs": differs}, int(args.check and differs)


def _local_file(source: str, catalogue) -> Path | None:
    """``source`` as a file, None when it names a model; a name wins, since ``./NAME`` can still say the file."""
    from paddleisa.errors import UsageError

    if source in catalogue:
        return None
    if Path(source).is_file():
        return Path(source)
    if "/" in source or Path(source).suffix in (".pdparams", ".safetensors", ".pth", ".log", ".txt"):
        raise UsageError("there is no such file", where=source, fix="Check the path, or give a name of `zoo list`")
    return None


def _where_weights_are(entry) -> Path | None:
    from paddleisa.zoo.download.locate import cached_weights, local_weights

    cached = cached_weights(entry)
    return local_weights(entry.name) or (cached if cached.is_file() else None)


def _facts(entry) -> dict[str, object]:
    """All that is known of an entry, as plain data."""
    from paddleisa.zoo.download.records import LockFile

    known, here = LockFile().get(entry.row.weights.source), _where_weights_are(entry)
    return {
        "name": entry.name,
        "family": entry.family,
        **entry.row.model_dump(mode="json", exclude_none=True),
        "scores_origin": entry.scores_origin,
        "catalogue": entry.where,
        "first_download": vars(known) if known else None,
        "file": str(here) if here else None,
    }


def _lines(value: dict, indent: str = "") -> list[str]:
    """A nested dict as indented ``key: value`` lines; None reads as "not known"."""
    said = []
    for key, item in value.items():
        if isinstance(item, dict):
            said += [f"{indent}{key}:", *_lines(item, indent + "  ")]
        else:
            said.append(f"{indent}{key}: {'not known' if item is None else item}")
    return said
