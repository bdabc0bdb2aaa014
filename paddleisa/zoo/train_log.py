"""PaddleSeg's ``train.log`` as curves, and as a VisualDL run that lies beside one's own.

Both spellings are read, that of 2020 (``epoch=1, iter=100/80000, loss=1.2``, ``#Images=500 mIoU=0.79``) and that since
January 2021 (``epoch: 1, iter: 100/80000, loss: 1.2``, ``#Images: 500 mIoU: 0.79``).
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paddleisa.errors import DataError

# PaddleSeg's VisualDL tags for the keys of its log lines.
_TRAIN_TAGS = {"loss": "Train/loss", "lr": "Train/lr", "batch_cost": "Train/batch_cost"}
_TRAIN_TAGS["reader_cost"] = "Train/reader_cost"
_EVAL_TAGS = {"mIoU": "Evaluate/mIoU", "Acc": "Evaluate/Acc"}

_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d).*?\[(TRAIN|EVAL)\]\s+(.*)$")
_PAIR = re.compile(r"([A-Za-z_#]+)\s*[:=]\s*([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf))\b", re.IGNORECASE)
_STEP = re.compile(r"iter\s*[:=]\s*(\d+)\s*/\s*(\d+)")

RUN_FILE = "vdlrecords.published.log"


@dataclass(frozen=True)
class Point:
    """One number of a log: VisualDL tag, iteration, value, milliseconds since 1970 (the log's clock, read as UTC)."""

    tag: str
    step: int
    value: float
    time: int


def read_train_log(path: str | Path) -> list[Point]:
    """The points of a log in the order of their steps within each tag.

    Where a log goes back to an earlier iteration (a resumed training), what came after that iteration the first time
    is dropped. An evaluation belongs to the iteration that was logged last before it. Values that are not finite are
    dropped: VisualDL cannot draw them. Raises DataError when the file has no line of training.
    """
    points: list[Point] = []
    step, train_lines = 0, 0
    for kind, when, text in _lines(Path(path)):
        values = dict(_PAIR.findall(text))
        if kind == "TRAIN" and (match := _STEP.search(text)):
            train_lines += 1
            if int(match[1]) <= step:
                points = [point for point in points if point.step < int(match[1])]
            step = int(match[1])
            points += _points(_TRAIN_TAGS, values, step, when)
        elif kind == "EVAL" and "mIoU" in values and re.match(r"#?Images", text):
            points += _points(_EVAL_TAGS, values, step, when)
    if not train_lines:
        raise DataError(
            "has no line of PaddleSeg's training log",
            where=path,
            fix="Its lines look like: ... [TRAIN] epoch: 1, iter: ...",
        )
    return points


def write_run(points: list[Point], folder: str | Path) -> Path:
    """Write the points as a VisualDL run into ``folder`` and return its file; an earlier one of ours is replaced.

    Raises DataError when the folder holds another run: VisualDL shows only the newest file of a folder.
    """
    folder = Path(folder)
    other = [path.name for path in folder.glob("*vdlrecords*") if path.name != RUN_FILE]
    if other:
        raise DataError(f"holds another run ({other[0]})", where=folder, fix="Give --save_dir a folder of its own")
    from visualdl import LogWriter

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN_FILE).unlink(missing_ok=True)
        with LogWriter(logdir=str(folder), file_name=RUN_FILE) as writer:
            for point in points:
                writer.add_scalar(tag=point.tag, value=point.value, step=point.step, walltime=point.time)
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror or error})", where=folder) from error
    return folder / RUN_FILE


def _lines(path: Path) -> Iterator[tuple[str, int, str]]:
    """(TRAIN or EVAL, milliseconds, rest of the line) of the log's lines that have numbers."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if match := _LINE.match(line.rstrip()):
                    yield match[2], _milliseconds(match[1], path), match[3]
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=path) from error


def _milliseconds(text: str, path: Path) -> int:
    try:
        moment = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError as error:
        raise DataError(f"{text!r} is not a date", where=path) from error
    return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def _points(tags: dict[str, str], values: dict[str, str], step: int, when: int) -> list[Point]:
    found = ((tag, float(values[key])) for key, tag in tags.items() if key in values)
    return [Point(tag, step, value, when) for tag, value in found if math.isfinite(value)]
