"""Time limits of one exchange that no trick of a server can stretch.

httpx's timeouts count from byte to byte, so a server that sends one now and then holds a download for ever: in its
headers, in endless 1xx answers, in chunk extensions or trailers. Here a thread beside the exchange keeps two limits
and, when one is missed, shuts the connections down, which ends whatever waits on them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import types


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
