"""What is known of files kept between checks, so that a check that was stopped goes on where it was.

A text file with one JSON line per sample, appended as soon as the sample is known and keyed by the paths, sizes and
modification times of its files. A line that was cut off by a kill is skipped.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from paddleisa.data.check.file_stats import SampleStats
from paddleisa.utils.environment import home
from paddleisa.utils.files import write_error

VERSION = 2  # of what is computed; other versions' lines are computed anew
_STATS = TypeAdapter(SampleStats)


class StatsCache:
    """What is known of samples.

    Args:
        root: what the data set is called in the file's name: its folder.
        folder: where the cache's file lies; None takes ``check`` in ``PADDLEISA_HOME``.
    """

    def __init__(self, root: str | Path, folder: str | Path | None = None):
        digest = hashlib.blake2b(str(Path(root).absolute()).encode(), digest_size=8).hexdigest()
        self.path = (Path(folder) if folder is not None else home() / "check") / f"{digest}.jsonl"
        self._known = _read(self.path)
        self._stream: TextIO | None = None

    def get(self, *files: str | None) -> SampleStats | None:
        """What is known of a sample none of whose files has changed since."""
        return self._known.get(_key(files))

    def put(self, stats: SampleStats, *files: str | None) -> None:
        """Keep a sample, on disk at once. What is wrong is looked at anew each time: a mount shows in no time stamp."""
        if any(part is not None and part.trouble is not None for part in (stats.image, stats.label)):
            return
        try:
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self.path.open("a", encoding="utf-8")
            self._stream.write(json.dumps([VERSION, _key(files), _STATS.dump_python(stats, mode="json")]) + "\n")
            self._stream.flush()
        except OSError as error:
            raise write_error(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _key(files: tuple[str | None, ...]) -> str:
    parts = []
    for path in files:
        if path is not None:
            try:
                stat = Path(path).stat()
                parts.append(f"{path}|{stat.st_size}|{stat.st_mtime_ns}")
            except OSError:
                parts.append(f"{path}|")
    return "\n".join(parts)


def _read(path: Path) -> dict[str, SampleStats]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    known = {}
    for line in lines:
        try:
            version, key, values = json.loads(line)
            if version == VERSION:
                known[key] = _STATS.validate_python(values)
        except (ValueError, TypeError, ValidationError):
            continue
    return known
