"""``log.jsonl``: one JSON object a line, for scripts. Its ``kind`` is hparams, train or eval."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from paddleisa.training.logging.appending import AppendFile, keep_lines

FILE_NAME = "log.jsonl"


class JsonLines:
    """Appends objects to ``log.jsonl``. Raises WriteError when it cannot."""

    def __init__(self, path: Path):
        self._file = AppendFile(path)

    def write(self, kind: str, values: dict[str, object]) -> None:
        """Append ``values`` with its kind and the seconds since 1970; numbers that are not finite become null.

        JSON has no NaN: a strict reader would refuse the whole line.
        """
        record = {"kind": kind, "time": round(time.time(), 3), **values}
        self._file.write(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def rewind(path: Path, iteration: int) -> bool:
    """Drop a torn or damaged tail and every record of a later iteration; true when hparams are among the rest."""
    damaged = has_hparams = False

    def wanted(line: str) -> bool:
        nonlocal damaged, has_hparams
        record = _parsed(line)
        damaged = damaged or record is None
        if damaged:
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
