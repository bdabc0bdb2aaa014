"""A server: where to ask it, what it says, and how long it may take. It is not trusted.

Header values are somebody else's text: of any length, in any alphabet, and not always what their name promises. Here
they become numbers within bounds, addresses that can be requested, and validators that can be sent back, or None.
People copy the address of a page from their browser: :func:`direct` turns it into the address of the file; Google Drive
then puts a page of its own before a large file, which :func:`confirmed` reads.

httpx's timeouts count from byte to byte, so a server that sends one now and then holds a download for ever: in its
headers, in endless 1xx answers, in chunk extensions or trailers. With `Deadline`, a thread beside the exchange keeps
two limits and, when one is missed, shuts the connections down, which ends whatever waits on them.
"""

from __future__ import annotations

import contextlib
import email.utils
import html
import os
import re
import socket
import threading
import time
import types
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx

from paddleisa.errors import DownloadError, UsageError

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


_DIGITS = 15  # a petabyte has 16: no file here is that long, and int() of 5,000 digits is an error of Python's own
_NUMBER = rf"(\d{{1,{_DIGITS}}})"
_PART = re.compile(rf"bytes {_NUMBER}-{_NUMBER}/{_NUMBER}", re.ASCII)
_VALIDATOR = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,1000}")


@dataclass(frozen=True)
class Headers:
    """What a response says of itself; None and False where it says nothing that can be used."""

    length: int | None  # bytes of this response's body
    part: tuple[int, int, int] | None  # of status 206: first byte, last byte, size of the whole file
    etag: str | None  # this and the next are validators, as they may be sent back in `If-Range`
    last_modified: str | None
    retry_after: float | None  # seconds, at least 0
    location: str | None  # where a redirect leads, as sent
    is_page: bool  # the body is called HTML
    encoding: str  # of the body, lower case; `identity` for none
    is_chunked: bool  # the body's end is marked


def read_headers(response: httpx.Response) -> Headers:
    """The headers of ``response`` that a download depends on. Never raises: what makes no sense is not there."""
    get = response.headers.get
    span = _PART.fullmatch(get("content-range", ""))
    kind = get("content-type", "").strip().lower()
    return Headers(
        length=_number(get("content-length")),
        part=(int(span[1]), int(span[2]), int(span[3])) if span else None,
        etag=_validator(get("etag")),
        last_modified=_validator(get("last-modified")),
        retry_after=_seconds(get("retry-after", "").strip()),
        location=get("location") if response.has_redirect_location else None,
        is_page=kind.startswith(("text/html", "application/xhtml")),
        encoding=printable(get("content-encoding", "identity").strip().lower()) or "identity",
        is_chunked="chunked" in get("transfer-encoding", "").lower(),
    )


def address(text: str, base: str | None = None) -> str | None:
    """``text`` as an absolute http or https address that can be requested, None if it is none.

    Args:
        text: an address, or with ``base`` one relative to it.
        base: the address that sent it.
    """
    try:
        url = httpx.URL(base).join(text) if base else httpx.URL(text)
        labels = url.raw_host.decode("ascii").rstrip(".").split(".")
        port = urlsplit(str(url)).port
    except (ValueError, httpx.InvalidURL):  # a UnicodeError is a ValueError
        return None
    known = url.scheme in ("http", "https") and (port is None or port > 0)
    is_ipv6 = ":" in labels[0]
    return str(url) if known and (is_ipv6 or all(0 < len(label) < 64 for label in labels)) else None


def printable(text: str, most: int = 120) -> str:
    """Somebody else's ``text`` for a message: visible ASCII, escapes for the rest, at most ``most`` characters."""
    shown = text.encode("unicode_escape").decode("ascii")
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(_NUMBER, text, re.ASCII) else None


def _validator(text: str | None) -> str | None:
    return text if text and _VALIDATOR.fullmatch(text) else None


def _seconds(text: str) -> float | None:
    """Seconds of ``Retry-After``, which is a number or a date."""
    if (seconds := _number(text)) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


MAX_PAGE = 1 << 20  # bytes of a page that are read
_DRIVE, _DRIVE_BYTES = "drive.google.com", "https://drive.usercontent.google.com/download"
_ID = re.compile(r"[A-Za-z0-9_-]{10,100}")


def direct(url: str) -> str:
    """The address of the bytes behind ``url``, which may be the address of a page about them.

    ``drive.google.com/file/d/ID/view``, ``/open?id=ID`` and ``/uc?id=ID`` become Drive's download address,
    ``huggingface.co/OWNER/NAME/blob/REVISION/FILE`` becomes ``/resolve/``. Any other address is returned as it is;
    those of GitHub's releases are the bytes' own.
    """
    parts = urlsplit(url)
    if parts.hostname == _DRIVE:
        path = re.match(r"/file/d/([^/]+)", parts.path)
        found = path[1] if path else parse_qs(parts.query).get("id", [""])[0]
        if _ID.fullmatch(found):
            return f"{_DRIVE_BYTES}?{urlencode({'id': found, 'export': 'download'})}"
    if parts.hostname in ("huggingface.co", "hf.co"):
        return parts._replace(path=re.sub(r"^((?:/datasets)?/[^/]+/[^/]+)/blob/", r"\1/resolve/", parts.path)).geturl()
    return url


def has_pages(url: str) -> bool:
    """Whether the host of ``url``, a direct address, puts pages before its files."""
    return url.startswith(_DRIVE_BYTES)


def confirmed(page: bytes, url: str) -> str:
    """The address that Drive's page before a large file leads to.

    Args:
        page: the page's HTML, at most ``MAX_PAGE`` bytes.
        url: the address that it was sent for.

    Raises:
        DownloadError: it is another page: of a file whose daily quota is used up, of one that is not shared, a login.
    """
    text = page.decode("utf-8", errors="replace")
    form = re.search(r'<form[^>]*\baction="([^"]*)"[^>]*>(.*?)</form>', text, re.DOTALL)
    inputs = (
        [dict(re.findall(r'\b(name|value)="([^"]*)"', tag)) for tag in re.findall(r"<input\b[^>]*>", form[2])]
        if form
        else []
    )
    fields = {html.unescape(i["name"]): html.unescape(i.get("value", "")) for i in inputs if i.get("name")}
    if form and fields.get("id") and "confirm" in fields and html.unescape(form[1]) == _DRIVE_BYTES:
        return f"{_DRIVE_BYTES}?{urlencode(fields, quote_via=quote)}"
    if re.search(r"quota exceeded|too many users have (viewed|downloaded)", text, re.IGNORECASE):
        raise DownloadError(
            "Google Drive says that too many people have downloaded this file today (its quota is used up)",
            where=url,
            fix="Try again in a day, or save it with a browser that is logged in and put it into pretrained/NAME/",
        )
    raise DownloadError(
        "Google Drive sends a page instead of the file: it is gone, not shared with everybody, or needs a login",
        where=url,
        fix="Open the address in a browser; a file that you save there can be put into pretrained/NAME/",
    )


class Deadline:
    """The limits of one exchange, kept while a ``with`` block runs.

    Args:
        headers: seconds from entering to the final answer's headers, redirects included.
        stall: seconds over which the body's rate is measured.
        slowest: bytes/s below which a body counts as broken.

    Attributes:
        missed: what took too long, as a sentence; None while nothing has.
    """

    def __init__(self, headers: float, stall: float, slowest: float):
        self._headers, self._stall, self._slowest = headers, stall, slowest
        self._connections: list[socket.socket] = []
        self._answered, self._ended, self._fresh = threading.Event(), threading.Event(), 0
        self.missed: str | None = None

    def trace(self, event: str, info: dict) -> None:
        """The ``trace`` extension of httpx's requests: notes each connection as it is opened."""
        stream = info.get("return_value")
        if event.endswith(".complete") and stream is not None and hasattr(stream, "get_extra_info"):
            self._connections.append(stream.get_extra_info("socket"))

    def answered(self) -> None:
        """The headers of the final answer are here: the body's rate counts from now on."""
        self._answered.set()

    def received(self, count: int) -> None:
        """``count`` bytes of the body have arrived."""
        self._fresh += count

    def __enter__(self) -> Deadline:
        self._thread = threading.Thread(target=self._watch, name="download deadline", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: types.TracebackType | object) -> None:
        self._ended.set()
        self._answered.set()
        self._thread.join()

    def _watch(self) -> None:
        if not self._answered.wait(self._headers):
            self._miss(f"the server's headers took longer than {self._headers:g} s")
        while not self._ended.wait(self._stall):
            fresh, self._fresh = self._fresh, 0
            if fresh < self._slowest * self._stall:
                self._miss(f"only {fresh} bytes arrived in {self._stall:g} s")

    def _miss(self, sentence: str) -> None:
        self.missed = self.missed or sentence
        for connection in self._connections:
            with contextlib.suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)
