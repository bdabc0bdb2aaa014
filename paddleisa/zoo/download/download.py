"""Fetching a file so that its final name never belongs to anything but the right file.

>>> fetch("https://host/model.pdparams", "downloads", check=read_weights)
PosixPath('downloads/model.pdparams')

What arrives is collected in ``.part`` (``records.py``), checked, synced to disk and renamed. A lock of
the operating system, gone with the process that holds it, lets one of many processes do the work; the others find the
file. A killed or broken download continues where it stopped, if the server can say that the file is still the same.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from paddleisa.errors import DownloadError, PaddleISAError, UsageError
from paddleisa.utils import files
from paddleisa.utils.files import fsync_folder, sha256_of, write_error
from paddleisa.zoo.download import server
from paddleisa.zoo.download.records import LockFile, Partial
from paddleisa.zoo.download.server import address, printable
from paddleisa.zoo.download.transfer import Bounds, Policy, Transient, new_client, transfer

MAX_SIZE = 2 << 30
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<?xml", b"<error")


@dataclass(frozen=True)
class _Request:
    """The arguments of :func:`fetch`, checked."""

    url: str
    target: Path
    sha256: str | None
    sha256_prefix: str | None
    size: int | None
    max_size: int
    check: Callable[[Path], object] | None
    policy: Policy
    quiet: bool
    known: LockFile

    def say(self, text: str) -> None:
        """Tell the user something on stderr, so that a command's output stays clean."""
        if not self.quiet:
            print(f"{self.target.name}: {text}", file=sys.stderr)


def fetch(
    url: str,
    folder: str | Path,
    *,
    name: str | None = None,
    sha256: str | None = None,
    sha256_prefix: str | None = None,
    size: int | None = None,
    max_size: int = MAX_SIZE,
    check: Callable[[Path], object] | None = None,
    offline: bool = False,
    policy: Policy | None = None,
    quiet: bool = False,
) -> Path:
    """The file at ``url`` as ``folder / name``, downloaded unless it is there.

    Args:
        url: an http or https address; requests go to its mirror, if one is set.
        folder: made if missing. Several processes may ask for the same file at once.
        name: file name; None takes the last part of the address.
        sha256: lower-case hex of the whole file, if known; else the hash of the first download holds (lock.json).
        sha256_prefix: its first digits, if only these are known.
        size: exact size in bytes, if known.
        max_size: bytes after which an answer of unknown length is given up.
        check: called with the complete file before it takes its final name; a PaddleISAError that it raises means
            that the file is not what it should be.
        offline: make no request (also ``PADDLEISA_OFFLINE=1``).
        policy: timeouts, attempts and waits.
        quiet: no progress bar and no messages on stderr.

    Raises:
        DownloadError: what went wrong, with the address; the final name is then free or holds what it held before.
        UsageError: an address or name that cannot be used.
    """
    if address(url) is None:
        raise UsageError(f"{printable(url)!r} is not an http or https address")
    name = name or unquote(urlsplit(url).path).rpartition("/")[2]
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", name):
        raise UsageError(f"{name!r} cannot be a file's name", where=url, fix="Give the file another name")
    target = Path(folder) / name
    known = LockFile()
    request = _Request(
        url, target, sha256, sha256_prefix, size, max_size, check, policy or Policy.from_environment(), quiet, known
    )
    if target.exists():
        return _accept_present(request)
    if offline or server.offline():
        raise DownloadError(
            f"is not in {folder} and may not be downloaded (offline)",
            where=url,
            fix=f"Put the file at {target}, or allow the download (no --offline, no PADDLEISA_OFFLINE)",
        )
    try:
        return _fetch_locked(request)
    except OSError as error:
        raise write_error(target, error) from error


def _fetch_locked(request: _Request) -> Path:
    partial = Partial(request.target.parent, request.target.name)
    files.before_operation("make", partial.path.parent)
    partial.path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(partial.lock))
    files.before_operation("lock", request.target)
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        request.say("another process is downloading it; waiting")
        lock.acquire()
    try:
        if request.target.exists():
            return _accept_present(request)
        resumed = partial.offset() > 0
        try:
            _complete(request, partial)
        except _WrongFile as error:
            if not resumed:
                raise
            request.say(f"{error.problem}; starting over, since it was put together from parts")
            _complete(request, partial)
        files.before_operation("sync", partial.path)
        with partial.path.open("rb+") as stream:
            os.fsync(stream.fileno())
        files.before_operation("rename", request.target)
        partial.path.replace(request.target)
        fsync_folder(request.target.parent)
        partial.discard()
        return request.target
    finally:
        lock.release()


class _WrongFile(DownloadError):
    """A complete file that is not the right one."""


def _complete(request: _Request, partial: Partial) -> None:
    """All bytes into ``partial``, checked and their hash recorded; what fails the checks is removed."""
    _bring(request, partial)
    try:
        found = _require_right(request, partial.path, request.url)
    except _WrongFile:
        partial.discard()
        raise
    if request.known.get(request.url) is None:
        request.known.add(request.url, found, partial.offset())
        if request.sha256 is None:
            request.say(
                f"first download, trusted as it is: sha256 {found} is now recorded in {request.known.path}, "
                "and a later download with another hash will be refused"
            )


def _bring(request: _Request, partial: Partial) -> None:
    """Attempt transfers until all bytes are here; DownloadError when patience ends."""
    direct, policy = server.direct(request.url), request.policy
    url = server.mirrored(direct)
    identified = request.sha256 or request.sha256_prefix or request.known.get(request.url)
    bounds = Bounds(request.size, request.max_size, bool(identified))
    failures, furthest, reason = 0, partial.offset(), ""
    with new_client(policy) as client:
        for _ in range(policy.total_attempts):
            if partial.is_complete(url):
                return None
            try:
                return transfer(
                    client, url, partial, bounds, policy, quiet=request.quiet, pages=server.has_pages(direct)
                )
            except Transient as error:
                if error.restart:
                    partial.discard()
                reason, here = error.reason, partial.offset()
                failures = 1 if here > furthest else failures + 1
                furthest = max(furthest, here)
                if failures >= policy.attempts:
                    break
                seconds = policy.wait(failures, error.wait)
                request.say(f"{reason}; trying again in {seconds:.1f} s with {here} bytes here")
                policy.sleep(seconds)
    raise DownloadError(
        f"could not be downloaded: {reason}",
        where=url,
        fix=f"Ask again later: {partial.offset()} bytes are kept in {partial.path.parent}",
    )


def _accept_present(request: _Request) -> Path:
    """A file that already has the final name, held against the same hashes and checks as a download.

    Its hash is not recorded: only what came from the address says what the address holds.
    """
    try:
        _require_right(request, request.target, request.target)
    except _WrongFile as error:
        raise DownloadError(
            error.problem,
            where=request.target,
            fix=". ".join(filter(None, ["Remove it to download it again", error.fix]))
            + ". To use it as it is, name it with --model_path",
        ) from error
    except OSError as error:
        raise DownloadError(f"cannot be read ({error.strerror})", where=request.target) from error
    if request.sha256 is None and request.sha256_prefix is None and request.known.get(request.url) is None:
        request.say("taken as it is: it was there already and never downloaded, and no hash of it is known")
    return request.target


def _require_right(request: _Request, path: Path, where: object) -> str:
    """The sha256 of ``path``; _WrongFile unless it is the right file by everything that is known of it."""
    size, found = path.stat().st_size, sha256_of(path)
    recorded = request.known.get(request.url)
    for expected, origin in (
        (request.sha256, "the catalogue says"),
        (request.sha256_prefix, "the publisher's hash begins with"),
    ):
        if expected and not found.startswith(expected):
            raise _WrongFile(f"it has sha256 {found}, but {origin} {expected}", where=where)
    if recorded and found != recorded.sha256:
        raise _WrongFile(
            f"it has sha256 {found}, but {request.known.path} says since {recorded.first_seen} {recorded.sha256}",
            where=where,
            fix=f"If the publisher has changed the file, forget the old one: paddleisa zoo forget {request.url}",
        )
    if request.size and size != request.size:
        raise _WrongFile(f"it has {size} bytes instead of {request.size}", where=where)
    if recorded is None:  # a recorded file has passed the rest
        _look_inside(request, path, where)
    return found


def _look_inside(request: _Request, path: Path, where: object) -> None:
    with path.open("rb") as stream:
        start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise _WrongFile("it is empty", where=where)
    if start.startswith(_PAGE_STARTS):
        raise _WrongFile("it is a web page instead of the file", where=where)
    if request.check is not None:
        try:
            request.check(path)
        except PaddleISAError as error:
            raise _WrongFile(f"it is not what it should be: {error.problem}", where=where, fix=error.fix) from error
