"""Hosts whose addresses are not those of the bytes: Google Drive, Hugging Face.

People copy the address of a page from their browser. :func:`direct` turns it into the address of the file; Google Drive
then puts a page of its own before a large file, which :func:`confirmed` reads.
"""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from paddleisa.errors import DownloadError

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
