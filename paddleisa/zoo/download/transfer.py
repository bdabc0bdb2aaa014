"""One request for a file, or for the rest of it: its bytes into the partial file, within bounds of size and time."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from tqdm import tqdm

from paddleisa.errors import DownloadError
from paddleisa.utils.files import write_error
from paddleisa.zoo.download.http_checks import Bounds, Transient, accepted, answer
from paddleisa.zoo.download.partial_file import Partial, Source


@dataclass(frozen=True)
class Policy:
    """Patience. Times are in seconds.

    ``attempts`` are counted from the last one that brought new bytes, ``total_attempts`` from the first. The wait
    before attempt n+1 is random in [1/2, 1] of ``min(backoff * 2**(n-1), longest_wait)``, and at least what the server
    asks for, if that is not more than ``longest_wait``. A transfer slower than ``slowest`` bytes/s over ``stall``
    seconds counts as broken: a read timeout alone never ends one that drips.
    """

    attempts: int = 6
    total_attempts: int = 100
    backoff: float = 1.0
    longest_wait: float = 60.0
    connect_timeout: float = 15.0
    read_timeout: float = 30.0
    stall: float = 60.0
    slowest: float = 1024.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def wait(self, failures: int, asked: float | None) -> float:
        """Seconds to wait after the ``failures``-th failure in a row."""
        backoff = min(self.backoff * 2 ** (failures - 1), self.longest_wait) * random.uniform(0.5, 1)
        return max(backoff, min(asked or 0.0, self.longest_wait))


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


def transfer(client: httpx.Client, url: str, partial: Partial, bounds: Bounds, policy: Policy, quiet: bool) -> None:
    """Bring ``partial`` to completion, or raise Transient (try again) or DownloadError (do not)."""
    known = partial.source(url)
    offset = partial.offset()
    if known is None or known.validator is None:
        offset = 0
    headers = {"Range": f"bytes={offset}-", "If-Range": known.validator} if offset else {}
    try:
        with answer(client, url, headers) as response:
            source = accepted(response, url, offset, known, bounds)
            if response.status_code == 200:
                offset = 0
                partial.begin(source)
            _check_room(partial, offset, source)
            _receive(response, partial, offset, source, bounds, policy, quiet)
    except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            raise DownloadError(
                f"the server's certificate is not trusted ({reason})",
                where=url,
                fix="Set SSL_CERT_FILE to your CA's file",
            ) from error
        raise Transient(reason) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(f"cannot be requested ({error})", where=url, fix="Correct the address") from error
    except OSError as error:
        problem = write_error(partial.path, error)
        kept = f"{partial.offset()} bytes are kept there and continued next time"
        raise DownloadError(problem.problem, where=partial.path, fix=f"{problem.fix}; {kept}") from error


def _check_room(partial: Partial, offset: int, source: Source) -> None:
    if source.total is None:
        return
    free = shutil.disk_usage(partial.path.parent).free
    if free < source.total - offset:
        raise DownloadError(
            f"{source.total - offset} bytes are still to come and {free} are free",
            where=partial.path.parent,
            fix="Free some space, or choose another disk with PADDLEISA_HOME",
        )


def _receive(
    response: httpx.Response,
    partial: Partial,
    offset: int,
    source: Source,
    bounds: Bounds,
    policy: Policy,
    quiet: bool,
) -> None:
    """Append the body at ``offset``; Transient when it ends early or stalls, DownloadError when it does not end."""
    most = source.total or bounds.size or bounds.most
    bar = tqdm(
        total=source.total,
        initial=offset,
        desc=partial.path.name,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        leave=False,
        disable=True if quiet else None,
    )
    with bar, partial.path.open("r+b" if offset else "wb") as stream:
        stream.seek(offset)
        since, fresh = time.monotonic(), 0
        for chunk in response.iter_raw():
            if offset + len(chunk) > most:
                partial.discard()
                raise DownloadError(f"the server sends more than {most} bytes", where=source.url)
            stream.write(chunk)
            offset, fresh = offset + len(chunk), fresh + len(chunk)
            bar.update(len(chunk))
            if (passed := time.monotonic() - since) > policy.stall:
                if fresh < policy.slowest * passed:
                    raise Transient(f"only {fresh} bytes arrived in {passed:.0f} s")
                since, fresh = time.monotonic(), 0
    if offset < (source.total or bounds.size or 0):
        raise Transient("the server sent only a part")
