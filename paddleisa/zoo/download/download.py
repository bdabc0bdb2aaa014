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
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from paddleisa.errors import DownloadError, PaddleISAError, UsageError
from paddleisa.utils import files
from paddleisa.utils.files import fsync_folder, sha256_of, write_error
from paddleisa.zoo.download import server
from paddleisa.zoo.download.records import LockFile, Partial
from paddleisa.zoo.download.server import address, printable
from paddleisa.zoo.download.transfer import Policy, Transient, Wanted, new_client, transfer

MAX_SIZE = 2 << 30
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<?xml", b"<error")


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
    wanted = Wanted(
        url, target, sha256, sha256_prefix, size, max_size, check, policy or Policy.from_environment(), quiet, known
    )
    if target.exists():
        return _accept_present(wanted)
    if offline or server.offline():
        raise DownloadError(
            f"is not in {folder} and may not be downloaded (offline)",
            where=url,
            fix=f"Put the file at {target}, or allow the download (no --offline, no PADDLEISA_OFFLINE)",
        )
    try:
        return _fetch_locked(wanted)
    except OSError as error:
        raise write_error(target, error) from error


def _fetch_locked(wanted: Wanted) -> Path:
    partial = Partial(wanted.target.parent, wanted.target.name)
    files.before_operation("make", partial.path.parent)
    partial.path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(partial.lock))
    files.before_operation("lock", wanted.target)
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        wanted.say("another process is downloading it; waiting")
        lock.acquire()
    try:
        if wanted.target.exists():
            return _accept_present(wanted)
        resumed = partial.offset() > 0
        try:
            _complete(wanted, partial)
        except _WrongFile as error:
            if not resumed:
                raise
            wanted.say(f"{error.problem}; starting over, since it was put together from parts")
            _complete(wanted, partial)
        files.before_operation("sync", partial.path)
        with partial.path.open("rb+") as stream:
            os.fsync(stream.fileno())
        files.before_operation("rename", wanted.target)
        partial.path.replace(wanted.target)
        fsync_folder(wanted.target.parent)
        partial.discard()
        return wanted.target
    finally:
        lock.release()


class _WrongFile(DownloadError):
    """A complete file that is not the right one."""


def _complete(wanted: Wanted, partial: Partial) -> None:
    """All bytes into ``partial``, checked and their hash recorded; what fails the checks is removed."""
    _bring(wanted, partial)
    try:
        found = _require_right(wanted, partial.path, wanted.url)
    except _WrongFile:
        partial.discard()
        raise
    if wanted.known.get(wanted.url) is None:
        wanted.known.add(wanted.url, found, partial.offset())
        if wanted.sha256 is None:
            wanted.say(
                f"first download, trusted as it is: sha256 {found} is now recorded in {wanted.known.path}, "
                "and a later download with another hash will be refused"
            )


def _bring(wanted: Wanted, partial: Partial) -> None:
    """Attempt transfers until all bytes are here; DownloadError when patience ends."""
    direct, policy = server.direct(wanted.url), wanted.policy
    url = server.mirrored(direct)
    failures, furthest, reason = 0, partial.offset(), ""
    with new_client(policy) as client:
        for _ in range(policy.total_attempts):
            if partial.is_complete(url):
                return None
            try:
                return transfer(client, url, partial, wanted, pages=server.has_pages(direct))
            except Transient as error:
                if error.restart:
                    partial.discard()
                reason, here = error.reason, partial.offset()
                failures = 1 if here > furthest else failures + 1
                furthest = max(furthest, here)
                if failures >= policy.attempts:
                    break
                seconds = policy.wait(failures, error.wait)
                wanted.say(f"{reason}; trying again in {seconds:.1f} s with {here} bytes here")
                policy.sleep(seconds)
    raise DownloadError(
        f"could not be downloaded: {reason}",
        where=url,
        fix=f"Ask again later: {partial.offset()} bytes are kept in {partial.path.parent}",
    )


def _accept_present(wanted: Wanted) -> Path:
    """A file that already has the final name, held against the same hashes and checks as a download.

    Its hash is not recorded: only what came from the address says what the address holds.
    """
    try:
        _require_right(wanted, wanted.target, wanted.target)
    except _WrongFile as error:
        raise DownloadError(
            error.problem,
            where=wanted.target,
            fix=". ".join(filter(None, ["Remove it to download it again", error.fix]))
            + ". To use it as it is, name it with --model_path",
        ) from error
    except OSError as error:
        raise DownloadError(f"cannot be read ({error.strerror})", where=wanted.target) from error
    if not wanted.is_identified:
        wanted.say("taken as it is: it was there already and never downloaded, and no hash of it is known")
    return wanted.target


def _require_right(wanted: Wanted, path: Path, where: object) -> str:
    """The sha256 of ``path``; _WrongFile unless it is the right file by everything that is known of it."""
    size, found = path.stat().st_size, sha256_of(path)
    recorded = wanted.known.get(wanted.url)
    for expected, origin in (
        (wanted.sha256, "the catalogue says"),
        (wanted.sha256_prefix, "the publisher's hash begins with"),
    ):
        if expected and not found.startswith(expected):
            raise _WrongFile(f"it has sha256 {found}, but {origin} {expected}", where=where)
    if recorded and found != recorded.sha256:
        raise _WrongFile(
            f"it has sha256 {found}, but {wanted.known.path} says since {recorded.first_seen} {recorded.sha256}",
            where=where,
            fix=f"If the publisher has changed the file, forget the old one: paddleisa zoo forget {wanted.url}",
        )
    if wanted.size and size != wanted.size:
        raise _WrongFile(f"it has {size} bytes instead of {wanted.size}", where=where)
    if recorded is None:  # a recorded file has passed the rest
        _look_inside(wanted, path, where)
    return found


def _look_inside(wanted: Wanted, path: Path, where: object) -> None:
    with path.open("rb") as stream:
        start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise _WrongFile("it is empty", where=where)
    if start.startswith(_PAGE_STARTS):
        raise _WrongFile("it is a web page instead of the file", where=where)
    if wanted.check is not None:
        try:
            wanted.check(path)
        except PaddleISAError as error:
            raise _WrongFile(f"it is not what it should be: {error.problem}", where=where, fix=error.fix) from error
