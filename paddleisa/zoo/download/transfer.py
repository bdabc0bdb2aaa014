"""One request for a file, or for the rest of it: its bytes into the partial file, within bounds of size and time."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from paddleisa.errors import DownloadError, UsageError
from paddleisa.utils import files
from paddleisa.utils.files import write_error
from paddleisa.zoo.download import server
from paddleisa.zoo.download.records import LockFile, Partial, Source
from paddleisa.zoo.download.server import Deadline, Headers, address, printable, read_headers

_REDIRECTS = 10
_PAGE_ADVICE = "A proxy, a login page or a moved file is the usual cause: open the address in a browser"


class Transient(Exception):
    """A failure that may be gone at the next attempt.

    Args:
        reason: what happened.
        wait: seconds that the server asked to wait, or None.
        restart: the bytes that are here cannot be continued.
    """

    def __init__(self, reason: str, *, wait: float | None = None, restart: bool = False):
        super().__init__(reason)
        self.reason, self.wait, self.restart = reason, wait, restart


@dataclass(frozen=True)
class Policy:
    """Patience. Times are in seconds.

    ``attempts`` are counted from the last one that brought new bytes, ``total_attempts`` from the first. The wait
    before attempt n+1 is random in [1/2, 1] of ``min(backoff * 2**(n-1), longest_wait)``, and at least what the server
    asks for, if that is not more than ``longest_wait``. ``headers`` bounds the time until the final answer's headers
    are complete, redirects included; a body slower than ``slowest`` bytes/s over ``stall`` seconds counts as broken.
    """

    attempts: int = 6
    total_attempts: int = 100
    backoff: float = 1.0
    longest_wait: float = 60.0
    connect_timeout: float = 15.0
    read_timeout: float = 30.0
    headers: float = 60.0
    stall: float = 60.0
    slowest: float = 1024.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @classmethod
    def from_environment(cls) -> Policy:
        """The defaults with the user's ``PADDLEISA_HEADERS_SECONDS`` and ``PADDLEISA_SLOWEST`` (bytes/s).

        Raises:
            UsageError: one of them is not a positive number.
        """
        given: dict[str, Any] = {}
        for key, variable in (("headers", "PADDLEISA_HEADERS_SECONDS"), ("slowest", "PADDLEISA_SLOWEST")):
            if text := os.environ.get(variable, "").strip():
                try:
                    given[key] = float(text)
                except ValueError:
                    given[key] = 0.0
                if not 0 < given[key] < 1e9:
                    raise UsageError(f"{text!r} is not a positive number", where=variable, fix="Write 60, for example")
        return cls(**given)

    def wait(self, failures: int, asked: float | None) -> float:
        """Seconds to wait after the ``failures``-th failure in a row."""
        backoff = min(self.backoff * 2 ** (failures - 1), self.longest_wait) * random.uniform(0.5, 1)
        return max(backoff, min(asked or 0.0, self.longest_wait))


@dataclass(frozen=True)
class Wanted:
    """A file to download, with what is known of it: the checked arguments of `download.fetch`."""

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

    @property
    def is_identified(self) -> bool:
        """Whether a hash is known, by which a cut would be noticed."""
        return bool(self.sha256 or self.sha256_prefix or self.known.get(self.url))

    def say(self, text: str) -> None:
        """Tell the user something on stderr, so that a command's output stays clean."""
        if not self.quiet:
            print(f"{self.target.name}: {text}", file=sys.stderr)


def new_client(policy: Policy) -> httpx.Client:
    """An HTTP client that follows the usual proxy and certificate variables and, by itself, no redirect."""
    from paddleisa import __version__

    timeout = httpx.Timeout(policy.read_timeout, connect=policy.connect_timeout)
    # Identity: a byte range of a compressed answer would not be a byte range of the file.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"paddleisa/{__version__}"}
    try:
        return httpx.Client(timeout=timeout, headers=headers, follow_redirects=False)
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        raise DownloadError(
            f"the proxy or certificate settings of the environment cannot be used ({error})",
            where="HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE",
            fix="Correct or unset them",
        ) from error


def transfer(client: httpx.Client, url: str, partial: Partial, wanted: Wanted, *, pages: bool) -> None:
    """Bring ``partial`` to completion, or raise Transient (try again) or DownloadError (do not).

    Args:
        client: as :func:`new_client` makes it.
        url: the address to ask, mirrors already applied.
        partial: where the bytes go.
        wanted: what is known of the file, and the exchange's time limits.
        pages: whether the host puts pages before its files, as Google Drive does.
    """
    policy, known = wanted.policy, partial.source(url)
    validator = known.validator if known is not None else None
    offset = partial.offset() if validator else 0  # bytes of a version that cannot be named are fetched again
    asked = {"Range": f"bytes={offset}-", "If-Range": validator} if offset and validator else {}
    with (
        Deadline(policy.headers, policy.stall, policy.slowest) as deadline,
        _failures(url, partial, deadline),
        answer(client, url, asked, deadline, pages) as (response, headers),
    ):
        source = accepted(response, headers, url, offset, known, wanted)
        if response.status_code == 200:
            offset = 0
            partial.begin(source)
        left, free = (source.total or offset) - offset, shutil.disk_usage(partial.path.parent).free
        if free < left:
            raise DownloadError(
                f"{left} bytes are still to come and {free} are free",
                where=partial.path.parent,
                fix="Free some space, or choose another disk with PADDLEISA_HOME",
            )
        deadline.answered()
        _receive(response, partial, offset, source, wanted, deadline)


@contextmanager
def _failures(url: str, partial: Partial, deadline: Deadline) -> Iterator[None]:
    """Whatever goes wrong in an exchange, as Transient or DownloadError."""
    try:
        yield
    except httpx.ConnectError as error:
        if isinstance(_root(error), socket.gaierror):
            raise DownloadError(
                "its host cannot be found: there is no such name, or this machine is offline",
                where=url,
                fix="Check the address and the connection. Without one: put the file there by hand, or name a mirror "
                "with PADDLEISA_MIRROR",
            ) from error
        reason = printable(str(error)).rstrip(".") or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            raise DownloadError(
                f"the server's certificate is not trusted ({reason})",
                where=url,
                fix="Set SSL_CERT_FILE to your CA's file",
            ) from error
        raise Transient(deadline.missed or reason) from error
    except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError) as error:
        raise Transient(deadline.missed or printable(str(error)).rstrip(".") or type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # Values that the HTTP library itself stumbles on raise ValueError, and UnicodeError, which is one.
        problem = printable(str(error))
        raise DownloadError(f"cannot be requested ({problem})", where=url, fix="Correct the address") from error
    except OSError as error:
        trouble = write_error(partial.path, error)
        kept = f"{partial.offset()} bytes are kept there and continued next time"
        raise DownloadError(trouble.problem, where=partial.path, fix=f"{trouble.fix}; {kept}") from error


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


@contextmanager
def answer(
    client: httpx.Client, url: str, asked: dict[str, str], deadline: Deadline, pages: bool = False
) -> Iterator[tuple[httpx.Response, Headers]]:
    """The final answer after redirects, each checked: only http and https, and never from https to http.

    With ``pages``, the page that Google Drive puts before a large file counts as a redirect to the file.
    """
    at = url
    for _ in range(_REDIRECTS):
        with client.stream("GET", at, headers=asked, extensions={"trace": deadline.trace}) as response:
            headers = read_headers(response)
            if headers.location is not None:
                to = address(headers.location, base=at)
            elif pages and headers.is_page and response.status_code == 200:
                to = server.mirrored(server.confirmed(_page(response), url))
            else:
                yield response, headers
                return
        if to is None:
            place = printable(headers.location or "")
            raise DownloadError(f"redirects to {place!r}, which is not an http or https address", where=url)
        if at.startswith("https:") and to.startswith("http:"):
            raise DownloadError(f"redirects from https to unprotected http, {to!r}", where=url)
        at = to
    raise DownloadError(f"redirects more than {_REDIRECTS} times", where=url)


def _page(response: httpx.Response) -> bytes:
    page = b""
    for chunk in response.iter_raw():
        page += chunk
        if len(page) > server.MAX_PAGE:
            break
    return page[: server.MAX_PAGE]


def accepted(
    response: httpx.Response, headers: Headers, url: str, offset: int, known: Source | None, wanted: Wanted
) -> Source:
    """The version that the answer belongs to, after every check that its status and headers allow."""
    status, said = response.status_code, f"{response.status_code} {printable(response.reason_phrase)}".strip()
    if status in (408, 425, 429) or status >= 500:
        raise Transient(f"the server answers {said}", wait=headers.retry_after)
    if status == 416:
        raise Transient("the server cannot continue from here", restart=True)
    if status not in (200, 206):
        gone = "Check the address in the catalogue, or set PADDLEISA_MIRROR" if status in (404, 410) else None
        raise DownloadError(f"the server answers {said}", where=url, fix=gone)
    if headers.is_page:
        raise DownloadError("the server sends a web page instead of the file", where=url, fix=_PAGE_ADVICE)
    if headers.encoding != "identity" and not httpx.URL(url).path.endswith((".gz", ".tgz")):
        raise DownloadError(
            f"the server sends the file in encoding {headers.encoding!r}, though asked not to", where=url
        )
    total = _total_of_part(headers, offset) if status == 206 else headers.length
    source = Source(url, headers.etag, headers.last_modified, total)
    if status == 206 and (known is None or not known.confirmed_by(source)):
        raise Transient("the file changed on the server since the first part of it arrived", restart=True)
    if not (total is not None or headers.is_chunked or wanted.size or wanted.is_identified):
        raise DownloadError("the server does not say how long the file is, so a cut would go unnoticed", where=url)
    if wanted.size and total is not None and total != wanted.size:
        raise DownloadError(f"the server's file has {total} bytes, {wanted.size} are expected", where=url)
    if total is not None and total > wanted.max_size:
        raise DownloadError(f"the server's file has {total} bytes, more than the limit of {wanted.max_size}", where=url)
    return source


def _total_of_part(headers: Headers, offset: int) -> int:
    """Size of the whole file by ``Content-Range``, which must begin at ``offset`` and fit ``Content-Length``."""
    first, last, total = headers.part or (-1, -1, -1)
    if not (offset and offset == first <= last < total and headers.length in (None, last - first + 1)):
        raise Transient("the server sends another part than it was asked for", restart=True)
    return total


def _receive(
    response: httpx.Response, partial: Partial, offset: int, source: Source, wanted: Wanted, deadline: Deadline
) -> None:
    """Append the body at ``offset``; Transient when it ends early, DownloadError when it does not end."""
    most = source.total or wanted.size or wanted.max_size
    bar = tqdm(
        total=source.total,
        initial=offset,
        desc=partial.path.name,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        leave=False,
        disable=True if wanted.quiet else None,
    )
    with bar, partial.path.open("r+b" if offset else "wb") as stream:
        stream.seek(offset)
        for chunk in response.iter_raw():
            if offset + len(chunk) > most:
                partial.discard()
                raise DownloadError(f"the server sends more than {most} bytes", where=source.url)
            files.before_operation("write", partial.path)
            stream.write(chunk)
            offset += len(chunk)
            deadline.received(len(chunk))
            bar.update(len(chunk))
    if offset < (source.total or wanted.size or 0):
        raise Transient(deadline.missed or "the server sent only a part")
