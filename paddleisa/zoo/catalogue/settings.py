"""What the user's environment says about downloads: mirror, offline, further catalogues."""

from __future__ import annotations

import os
import re
from pathlib import Path

from paddleisa.errors import UsageError
from paddleisa.utils.environment import home

_PAIR = re.compile(r"(https?://[^\s=]+)=(https?://\S+)")


def offline() -> bool:
    """Whether ``PADDLEISA_OFFLINE`` forbids every request (any value but empty, 0, false and no)."""
    return os.environ.get("PADDLEISA_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def mirrored(url: str) -> str:
    """``url`` as ``PADDLEISA_MIRROR`` rewrites it.

    The variable holds entries separated by blanks, tried in order; the first that fits is used. An entry is
    ``PREFIX=REPLACEMENT`` (``https://bj.bcebos.com/=https://mirror.lab/bos/``), or one address alone, under which every
    host has a folder (``https://mirror.lab/`` turns ``https://bj.bcebos.com/x`` into
    ``https://mirror.lab/bj.bcebos.com/x``). Hashes are kept under the original address, so that a mirror is held to
    what the publisher's server sent. Raises UsageError for an entry that is neither.
    """
    for entry in os.environ.get("PADDLEISA_MIRROR", "").split():
        pair = _PAIR.fullmatch(entry)
        if pair and url.startswith(pair[1]):
            return pair[2] + url[len(pair[1]) :]
        if pair:
            continue
        if not re.fullmatch(r"https?://[^\s=]+", entry):
            raise UsageError(
                f"{entry!r} is not a mirror",
                where="PADDLEISA_MIRROR",
                fix="Write https://mirror.example/ or https://publisher.example/=https://mirror.example/",
            )
        return entry.rstrip("/") + "/" + url.split("://", 1)[1]
    return url


def registered_catalogues() -> list[Path]:
    """Catalogue files that the user registered once for all commands.

    They are named in ``PADDLEISA_CATALOGUES`` (separated like ``PATH``) and, one a line, in ``catalogues.txt`` of
    ``PADDLEISA_HOME``; blank lines and lines that begin with ``#`` are skipped.
    """
    named = [part for part in os.environ.get("PADDLEISA_CATALOGUES", "").split(os.pathsep) if part.strip()]
    listing = home() / "catalogues.txt"
    if listing.is_file():
        lines = (line.strip() for line in listing.read_text(encoding="utf-8").splitlines())
        named += [line for line in lines if line and not line.startswith("#")]
    return [Path(name).expanduser() for name in named]
