"""The user's lock file: the hash of every file that was ever downloaded, trusted at its first download.

``PADDLEISA_HOME/lock.json`` maps addresses to sha256, size in bytes and the day of the first download. It is what
stands in for hashes that no publisher gives: a second download, on this machine or on another with a copy of the
file, must be the same file.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from paddleisa.errors import ConfigError
from paddleisa.utils.environment import home
from paddleisa.utils.files import atomic_write, write_error


@dataclass(frozen=True)
class PinnedHash:
    """What is recorded of a file: sha256 (64 hex digits), size in bytes, ISO date of the first download."""

    sha256: str
    size: int
    first_seen: str


class LockFile:
    """Known hashes by address.

    Args:
        path: the JSON file; None means ``lock.json`` in ``PADDLEISA_HOME``. It need not exist.
    """

    def __init__(self, path: str | Path | None = None):
        self.path = Path(path) if path is not None else home() / "lock.json"

    def get(self, url: str) -> PinnedHash | None:
        """What is known of the file at ``url``, or None. Raises ConfigError when the lock file is damaged."""
        return self._read().get(url)

    def add(self, url: str, sha256: str, size: int) -> None:
        """Record a file at its first download. Another process may do the same at the same time."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                known = self._read()
                known.setdefault(url, PinnedHash(sha256, size, datetime.date.today().isoformat()))
                self._write(known)
        except OSError as error:
            raise write_error(self.path, error) from error

    def forget(self, url: str) -> bool:
        """Trust the next download of ``url`` anew. Returns whether anything was recorded of it."""
        try:
            with FileLock(f"{self.path}.lock"):
                known = self._read()
                if known.pop(url, None) is None:
                    return False
                self._write(known)
        except OSError as error:
            raise write_error(self.path, error) from error
        return True

    def _write(self, known: dict[str, PinnedHash]) -> None:
        files = {url: vars(entry) for url, entry in sorted(known.items())}
        with atomic_write(self.path, "w") as stream:
            json.dump({"version": 1, "files": files}, stream, indent=1)
            stream.write("\n")

    def _read(self) -> dict[str, PinnedHash]:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return {url: _known(entry) for url, entry in data["files"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"cannot be read as a lock file ({error})",
                where=self.path,
                fix="Restore it from a copy; without one, move it away: downloads are then trusted anew",
            ) from error


def _known(entry: dict) -> PinnedHash:
    known = PinnedHash(sha256=entry["sha256"], size=entry["size"], first_seen=entry["first_seen"])
    if len(known.sha256) != 64 or not set(known.sha256) <= set("0123456789abcdef") or type(known.size) is not int:
        raise ValueError(f"{entry!r} does not describe a file")
    return known
