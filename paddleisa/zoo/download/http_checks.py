"""The server's answer to a request for a file, or for the rest of it, held against what it must be."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from paddleisa.errors import DownloadError
from paddleisa.zoo.download.partial_file import Source

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
class Bounds:
    """What is known of the file before the request.

    ``size``: exact number of bytes, or None; ``most``: bytes that no answer may exceed; ``identified``: a hash is.
    """

    size: int | None
    most: int
    identified: bool


@contextmanager
def answer(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The final answer after redirects, each checked: only http and https, and never from https to http."""
    at = url
    for _ in range(_REDIRECTS):
        with client.stream("GET", at, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            to = urljoin(at, response.headers["location"])
        schemes = urlsplit(at).scheme, urlsplit(to).scheme
        if schemes[1] not in ("http", "https") or not urlsplit(to).hostname:
            raise DownloadError(f"redirects to {to!r}, which is not an http or https address", where=url)
        if schemes == ("https", "http"):
            raise DownloadError(f"redirects from https to unprotected http, {to!r}", where=url)
        at = to
    raise DownloadError(f"redirects more than {_REDIRECTS} times", where=url)


def accepted(response: httpx.Response, url: str, offset: int, known: Source | None, bounds: Bounds) -> Source:
    """The version that the answer belongs to, after every check that its status and headers allow."""
    status, headers = response.status_code, response.headers
    if status in (408, 425, 429) or status >= 500:
        raise Transient(f"the server answers {status} {response.reason_phrase}", wait=_retry_after(headers))
    if status == 416:
        raise Transient("the server cannot continue from here", restart=True)
    if status not in (200, 206):
        gone = "Check the address in the catalogue, or set PADDLEISA_MIRROR" if status in (404, 410) else None
        raise DownloadError(f"the server answers {status} {response.reason_phrase}", where=url, fix=gone)
    if headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml")):
        raise DownloadError("the server sends a web page instead of the file", where=url, fix=_PAGE_ADVICE)
    encoded = headers.get("content-encoding", "identity").lower()
    if encoded != "identity" and not urlsplit(url).path.endswith((".gz", ".tgz")):
        raise DownloadError(f"the server sends the file in encoding {encoded!r}, though asked not to", where=url)
    total = _total_of_part(headers, offset) if status == 206 else _number(headers.get("content-length"))
    source = Source(url, headers.get("etag"), headers.get("last-modified"), total)
    if status == 206 and (known is None or not known.confirmed_by(source)):
        raise Transient("the file changed on the server since the first part of it arrived", restart=True)
    framed = total is not None or "chunked" in headers.get("transfer-encoding", "").lower()
    if not (framed or bounds.size or bounds.identified):
        raise DownloadError("the server does not say how long the file is, so a cut would go unnoticed", where=url)
    if bounds.size and total is not None and total != bounds.size:
        raise DownloadError(f"the server's file has {total} bytes, {bounds.size} are expected", where=url)
    if total is not None and total > bounds.most:
        raise DownloadError(f"the server's file has {total} bytes, more than the limit of {bounds.most}", where=url)
    return source


def _total_of_part(headers: httpx.Headers, offset: int) -> int:
    """Size of the whole file by ``Content-Range``, which must begin at ``offset`` and fit ``Content-Length``."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("content-range", ""))
    first, last, total = map(int, match.groups()) if match else (-1, -1, -1)
    length = _number(headers.get("content-length"))
    fits = first <= last < total and length in (None, last - first + 1)
    if not (match and offset and first == offset and fits):
        raise Transient("the server sends another part than it was asked for", restart=True)
    return total


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds of ``Retry-After``, given as a number or as a date."""
    text = headers.get("retry-after", "").strip()
    if (seconds := _number(text)) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
