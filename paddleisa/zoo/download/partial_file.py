"""A file on its way: the bytes that have arrived, and what they may be continued with.

They lie in ``.part`` beside the target, under the target's own name (a check may go by the suffix), with a sidecar
``NAME.json`` that holds the address and the server's validators. Data is removed before a sidecar is replaced and
written only after it, so a process killed at any moment leaves data that fits its sidecar, or none.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from paddleisa.utils import files
from paddleisa.utils.files import atomic_write


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
