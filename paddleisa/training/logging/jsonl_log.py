"""``log.jsonl``: one JSON object a line, for scripts. Its ``kind`` is hparams, train or eval."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.training.logging.sink import Averages, Sink
from paddleisa.utils.files import AppendFile, keep_lines
from paddleisa.utils.records import joined

if TYPE_CHECKING:
    from paddleisa.evaluation.evaluate import Evaluation

FILE_NAME = "log.jsonl"


class JsonlLog(Sink):
    """Appends objects to ``log.jsonl``; numbers that are not finite become null, for which JSON has no word.

    Args:
        path: the file.
        resume_at: iteration of the checkpoint that is continued from; None for a fresh run.
    """

    def __init__(self, path: Path, resume_at: int | None):
        self._has_hparams = resume_at is not None and rewind(path, resume_at)
        self._file = AppendFile(path)

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str]) -> None:
        """Append the settings once."""
        if not self._has_hparams:
            self._write("hparams", {"values": dict(values), "metrics": list(metrics)})
            self._has_hparams = True

    def train(self, iteration: int, means: Averages) -> None:
        """Append the averages."""
        self._write("train", {"iteration": iteration, **asdict(means)})

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: Sequence[str]) -> None:
        """Append the scores."""
        self._write("eval", joined({"iteration": iteration, "class_names": list(class_names)}, evaluation.to_dict()))

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: str, values: dict[str, object]) -> None:
        record = {"kind": kind, "time": round(time.time(), 3), **values}  # seconds since 1970
        self._file.write(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")


def rewind(path: Path, iteration: int) -> bool:
    """Drop a torn or damaged tail and every record of a later iteration; true when hparams are among the rest."""
    damaged = has_hparams = False

    def wanted(line: str) -> bool:
        nonlocal damaged, has_hparams
        record = None if damaged else _parsed(line)
        if record is None:
            damaged = True
            return False
        if record.get("kind") == "hparams":
            has_hparams = True
            return True
        return record.get("iteration", 0) <= iteration

    keep_lines(path, wanted)
    return has_hparams


def _parsed(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
