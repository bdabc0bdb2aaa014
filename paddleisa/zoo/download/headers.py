"""A server's headers, read by one function that can refuse.

Header values are somebody else's text: of any length, in any alphabet, and not always what their name promises. Here
they become numbers within bounds, addresses that can be requested, and validators that can be sent back, or None.
"""

from __future__ import annotations

import email.utils
import re
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

_DIGITS = 15  # a petabyte has 16: no file here is that long, and int() of 5,000 digits is an error of Python's own
_NUMBER = rf"(\d{{1,{_DIGITS}}})"
_PART = re.compile(rf"bytes {_NUMBER}-{_NUMBER}/{_NUMBER}", re.ASCII)
_VALIDATOR = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,1000}")


@dataclass(frozen=True)
class Headers:
    """What a response says of itself; None and False where it says nothing that can be used.

    Attributes:
        length: bytes of this response's body.
        part: (first byte, last byte, size of the whole file) of a response of status 206.
        etag, last_modified: validators, as they may be sent back in ``If-Range``.
        retry_after: seconds to wait, at least 0.
        location: where a redirect leads, as sent.
        is_page: whether the body is called HTML.
        encoding: of the body, lower case; ``identity`` for none.
        is_chunked: whether the body's end is marked.
    """

    length: int | None
    part: tuple[int, int, int] | None
    etag: str | None
    last_modified: str | None
    retry_after: float | None
    location: str | None
    is_page: bool
    encoding: str
    is_chunked: bool


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
