"""Facts about files kept between checks, so that a check that was stopped goes on where it was.

A text file with one JSON line per sample, appended as soon as the sample is known and keyed by the paths, sizes and
modification times of its files. A line that was cut off by a kill is skipped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path

from paddleisa.data.check.sample_stats import LABEL_IDS, TRAIN_IDS, Facts, ImageFacts, LabelFacts, Trouble
from paddleisa.utils.environment import home
from paddleisa.utils.files import write_error

VERSION = 1  # of what is computed; other versions' lines are computed anew
Row = tuple[str, str | None]


class FactsCache:
    """Facts by sample.

    Args:
        folder: where the cache's file lies; None takes ``check`` in ``PADDLEISA_HOME``.
        root: what the data set is called in the file's name: its folder.
    """

    def __init__(self, root: str | Path, folder: str | Path | None = None):
        digest = hashlib.blake2b(str(Path(root).absolute()).encode(), digest_size=8).hexdigest()
        self.path = (Path(folder) if folder is not None else home() / "check") / f"{digest}.jsonl"
        self._known = _read(self.path)
        self._stream = None

    def get(self, row: Row) -> Facts | None:
        """What is known of a sample whose files have not changed since."""
        return self._known.get(_key(row))

    def put(self, row: Row, facts: Facts) -> None:
        """Keep the facts of a sample, on disk at once. Files that are not there are looked at anew each time."""
        if any(part is not None and part.trouble is not None for part in (facts.image, facts.label)):
            return  # few, and repaired soon: for example by a mount, which no time stamp shows
        try:
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self.path.open("a", encoding="utf-8")
            self._stream.write(json.dumps([VERSION, _key(row), asdict(facts)], default=_encoded) + "\n")
            self._stream.flush()
        except OSError as error:
            raise write_error(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _key(row: Row) -> str:
    paths = [path for path in row if path is not None]
    if len(paths) == 2 and paths[1].endswith(TRAIN_IDS):
        paths.append(paths[1].removesuffix(TRAIN_IDS) + LABEL_IDS)
    parts = []
    for path in paths:
        try:
            stat = Path(path).stat()
            parts.append(f"{path}|{stat.st_size}|{stat.st_mtime_ns}")
        except OSError:
            parts.append(f"{path}|")
    return "\n".join(parts)


def _read(path: Path) -> dict[str, Facts]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    known = {}
    for line in lines:
        try:
            version, key, values = json.loads(line)
            if version == VERSION:
                known[key] = Facts(
                    _decoded(ImageFacts, values["image"]),
                    None if values["label"] is None else _decoded(LabelFacts, values["label"]),
                )
        except (ValueError, TypeError, KeyError):
            continue
    return known


def _encoded(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not kept")


def _decoded(cls: type, values: dict) -> object:
    """An object of ``cls`` from its JSON form: bytes were base64, integer keys text, tuples lists."""
    out = {}
    for item in fields(cls):
        value = values[item.name]
        if item.name in ("thumbnail", "edges"):
            value = base64.b64decode(value)
        elif item.name in ("counts", "palette"):
            value = {int(number): what for number, what in value.items()}
        elif item.name in ("size", "plain_size"):
            value = tuple(value)
        elif item.name == "trouble" and value is not None:
            value = Trouble(**value)
        out[item.name] = value
    return cls(**out)
