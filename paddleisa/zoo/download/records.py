"""What a download leaves on disk: the bytes on their way, and the hash of every file that ever arrived.

The bytes lie in ``.part`` beside the target, under the target's own name (a check may go by the suffix), with a sidecar
``NAME.json`` that holds the address and the server's validators. Data is removed before a sidecar is replaced and
written only after it, so a process killed at any moment leaves data that fits its sidecar, or none.

``PADDLEISA_HOME/lock.json`` maps addresses to sha256, size in bytes and the day of the first download. It is what
stands in for hashes that no publisher gives: a second download, on this machine or on another with a copy of the
file, must be the same file.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from paddleisa.errors import ConfigError
from paddleisa.utils import files
from paddleisa.utils.environment import home
from paddleisa.utils.files import atomic_write, write_error


@dataclass(frozen=True)
class Source:
    """The version of a remote file: address, entity tag, date of last change, size in bytes (None: not said)."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None

    @property
    def validator(self) -> str | None:
        """The value for ``If-Range``: a strong entity tag, else the date, else None (then nothing can be resumed)."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def confirmed_by(self, other: Source) -> bool:
        """Whether ``other``, the answer to a request for the rest, repeats the validator and the size of this one."""
        tag = self.etag and not self.etag.startswith("W/")
        same = self.etag == other.etag if tag else self.last_modified == other.last_modified
        return bool(self.validator) and same and self.total in (None, other.total)


class Partial:
    """The partial file of ``folder / name``. Only the holder of the download's lock may use it."""

    def __init__(self, folder: Path, name: str):
        self.path = folder / ".part" / name
        self.lock = folder / ".part" / f"{name}.lock"
        self._sidecar = folder / ".part" / f"{name}.json"

    def offset(self) -> int:
        """Bytes that have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def source(self, url: str) -> Source | None:
        """What the bytes came from, or None when that is unknown or another address."""
        try:
            source = Source(**json.loads(self._sidecar.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return source if source.url == url else None

    def is_complete(self, url: str) -> bool:
        """Whether every byte is here: only the final checks and the rename are left."""
        source = self.source(url)
        return source is not None and source.total is not None and source.total == self.offset()

    def begin(self, source: Source) -> None:
        """Forget what is here and get ready for the first byte of ``source``."""
        files.before_operation("remove", self.path)
        self.path.unlink(missing_ok=True)
        with atomic_write(self._sidecar, "w") as stream:
            json.dump(asdict(source), stream)

    def discard(self) -> None:
        """Remove the bytes, then the sidecar."""
        files.before_operation("remove", self.path)
        self.path.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)


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
