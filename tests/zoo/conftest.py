"""A real HTTP server on loopback whose every path behaves, or misbehaves, as a test says."""

from __future__ import annotations

import hashlib
import random
import re
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """``add(path, behaviour)`` returns the address; ``seen`` lists (path, headers) of every request."""

    def __init__(self):
        self.behaviours: dict[str, Behaviour] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                try:
                    outer.behaviours[self.path](self)
                except OSError:  # the client hung up first, which some tests provoke
                    self.close_connection = True

            def log_message(self, *args):
                """Quiet."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                if not isinstance(sys.exc_info()[1], OSError):
                    super().handle_error(request, client_address)

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.root = f"http://127.0.0.1:{self._http.server_port}"

    def add(self, path: str, behaviour: Behaviour) -> str:
        self.behaviours[path] = behaviour
        return self.root + path

    def ranges(self) -> list[str | None]:
        return [headers.get("range") for _, headers in self.seen]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class Serve:
    """Behaviours. ``cut`` is the number of body bytes after which the connection is closed (None: all of them)."""

    @staticmethod
    def file(data: bytes, *, etag: str | None = None, ranges: bool = True, cuts: list[int | None] | None = None):
        """A well-behaved file server, except that request number i is cut off after ``cuts[i]`` bytes."""
        tag = etag or f'"{hashlib.md5(data).hexdigest()}"'
        left = list(cuts or [])

        def behave(h):
            wanted = re.fullmatch(r"bytes=(\d+)-", h.headers.get("Range", ""))
            start = int(wanted[1]) if wanted and ranges and h.headers.get("If-Range") in (None, tag) else 0
            body = data[start:]
            h.send_response(206 if start else 200)
            if start:
                h.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            h.send_header("ETag", tag)
            Serve.body(h, body, cut=left.pop(0) if left else None)

        return behave

    @staticmethod
    def body(h, data: bytes, *, cut: int | None = None, content_type: str = "application/octet-stream"):
        h.send_header("Content-Type", content_type)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            h.close_connection = True

    @staticmethod
    def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"", content_type: str = "text/plain"):
        def behave(h):
            h.send_response(code)
            for key, value in (headers or {}).items():
                h.send_header(key, value)
            Serve.body(h, body, content_type=content_type)

        return behave

    @staticmethod
    def in_turn(*behaviours: Behaviour) -> Behaviour:
        """The first request meets the first behaviour, and so on; the last one stays."""
        left = list(behaviours)
        return lambda h: (left.pop(0) if len(left) > 1 else left[0])(h)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def serve():
    return Serve


@pytest.fixture
def data() -> bytes:
    """300 kB that no two parts of are alike."""
    return random.Random(4).randbytes(300_000)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Each test has its own PADDLEISA_HOME, and no proxy, mirror or catalogue of whoever runs it."""
    for name in ("MIRROR", "OFFLINE", "CATALOGUES"):
        monkeypatch.delenv(f"PADDLEISA_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # of the processes that a test starts
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
