"""Servers that mean harm: they drip for ever, or put into headers what no header may hold."""

from __future__ import annotations

import socket
import socketserver
import threading
import time

import pytest
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st

from paddleisa.errors import DownloadError, UsageError
from paddleisa.zoo.download.download import fetch
from paddleisa.zoo.download.server import address
from paddleisa.zoo.download.transfer import Policy

QUICK = Policy(
    attempts=2, read_timeout=1.0, connect_timeout=2, headers=0.6, stall=0.4, slowest=2000, sleep=lambda _: None
)
OK = b"HTTP/1.1 200 OK\r\n"


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each connection with ``pieces``, bytes sent one after the other with ``pause`` seconds between them."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), None)
        self.pieces, self.pause, self.connections = [], 0.0, 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def finish_request(self, request, client_address):
        self.connections += 1
        request.recv(65536)
        try:
            for piece in self.pieces:
                request.sendall(piece)
                time.sleep(self.pause)
        except OSError:
            pass  # the client has hung up
        finally:
            request.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.bin"


@pytest.fixture
def raw():
    server = RawServer()
    yield server
    server.shutdown()
    server.server_close()


def dripping(start: bytes, drop: bytes, count: int = 200):
    return [start, *[drop] * count]


DRIPS = {
    "header bytes one by one": dripping(OK, b"X"),
    "headers without end": dripping(OK, b"X: y\r\n"),
    "endless 1xx answers": dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "status line byte by byte": dripping(b"HTTP/1.1", b" "),
    "chunk extensions without end": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a=b;"),
    "chunk sizes without end": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers without end": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"A: b\r\n"),
    "body bytes one by one": dripping(OK + b"Content-Length: 100000\r\n\r\n", b"x"),
    "empty chunks of a chunked body": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_server_that_drips_is_left_after_the_time_limit(raw, tmp_path, name):
    raw.pieces, raw.pause = DRIPS[name], 0.1
    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"headers took longer than 0\.6 s|bytes arrived in 0\.4 s|could not be"):
        fetch(raw.url, tmp_path / "files", policy=QUICK, quiet=True, max_size=10**6, sha256="0" * 64)
    assert time.monotonic() - start < 15  # not a timing: without the limits it takes 200 drops of each attempt
    assert raw.connections <= 4


def test_what_a_dripping_server_sent_stays_for_resuming(raw, tmp_path):
    body = b"A" * 100_000
    raw.pieces = [OK + b'ETag: "v1"\r\nContent-Length: 100000\r\n\r\n' + body[:60_000], *[b"A"] * 30]
    raw.pause = 0.1
    with pytest.raises(DownloadError, match="6[0-9]{4} bytes are kept"):
        fetch(raw.url, tmp_path / "files", policy=QUICK, quiet=True)
    assert (tmp_path / "files/.part/model.bin").stat().st_size >= 60_000


HEADERS = {
    "redirect to a host with U+0080": b"HTTP/1.1 302 Found\r\nLocation: http://\xc2\x80/x\r\n\r\n",
    "redirect to a label of 64 letters": b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 64 + b".org/x\r\n\r\n",
    "redirect to an empty label": b"HTTP/1.1 302 Found\r\nLocation: http://a..b/x\r\n\r\n",
    "redirect to a bad port": b"HTTP/1.1 302 Found\r\nLocation: http://host:99999999/x\r\n\r\n",
    "redirect to a broken IPv6 address": b"HTTP/1.1 302 Found\r\nLocation: http://[::1/x\r\n\r\n",
    "redirect to control characters": b"HTTP/1.1 302 Found\r\nLocation: http://ho\x01st/\x02\r\n\r\n",
    "Retry-After of 5000 digits": b"HTTP/1.1 503 Busy\r\nRetry-After: " + b"9" * 5000 + b"\r\n\r\n",
    "Retry-After of a far year": b"HTTP/1.1 503 Busy\r\nRetry-After: Fri, 01 Jan 99999 00:00:00 GMT\r\n\r\n",
    "Content-Length of 400 digits": OK + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "Content-Length of 5000 digits": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "Content-Range of 5000 digits": b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/" + b"9" * 5000 + b"\r\n\r\n",
    "Content-Length in Arabic digits": OK + "Content-Length: ٣\r\n\r\n".encode(),
    "reason phrase of control characters": b"HTTP/1.1 404 \x80\xff\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_no_value_can_be_read_from_is_an_error_of_ours(raw, tmp_path, name):
    raw.pieces = [HEADERS[name]]
    with pytest.raises(DownloadError) as caught:
        fetch(raw.url, tmp_path / "files", policy=QUICK, quiet=True)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("tag", [b'"\xc3\xa9"', b'"' + b"x" * 5000 + b'"', b'"\x80\xff"'])
def test_a_validator_beyond_ascii_or_of_great_length_is_not_sent_back(raw, tmp_path, tag):
    raw.pieces = [OK + b"ETag: " + tag + b"\r\nLast-Modified: \xe9\r\nContent-Length: 50\r\n\r\nonly a part"]
    with pytest.raises(DownloadError, match="could not be downloaded"):
        fetch(raw.url, tmp_path / "files", policy=QUICK, quiet=True)


@pytest.mark.parametrize(
    "url",
    ["http://a..b/x", "http://" + "a" * 64 + "/x", "http://[::1/x", "http://host:0/x", "http://\x80/x", "http:///x"],
)
def test_an_address_that_cannot_be_requested_is_refused_before_any_request(tmp_path, url):
    assert address(url) is None
    with pytest.raises(UsageError, match="not an http or https address"):
        fetch(url, tmp_path / "files", policy=QUICK, quiet=True)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/x", "https://host.org./x", "http://[::1]:8080/x", "https://bücher.de/x"]
)
def test_addresses_that_can_be_requested_stay(url):
    assert address(url) is not None


def test_a_host_that_does_not_resolve_is_told_at_once_with_what_to_do_offline(tmp_path, monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    waits = []
    with pytest.raises(DownloadError, match="host cannot be found.*offline.*PADDLEISA_MIRROR"):
        fetch("http://nowhere.invalid/x.bin", tmp_path / "files", policy=Policy(sleep=waits.append), quiet=True)
    assert waits == []


@pytest.mark.parametrize("value", ["0", "-1", "soon", "1e12"])
@pytest.mark.parametrize("name", ["PADDLEISA_HEADERS_SECONDS", "PADDLEISA_SLOWEST"])
def test_a_limit_that_is_no_positive_number_is_an_error(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        Policy.from_environment()


NAMES = st.sampled_from(
    [b"Content-Length", b"Content-Range", b"ETag", b"Last-Modified", b"Retry-After", b"Location", b"Content-Type"]
    + [b"Content-Encoding", b"Transfer-Encoding", b"Connection", b"Date"]
)
VALUES = st.one_of(
    st.binary(max_size=40),
    st.integers(-5, 10**30).map(lambda n: str(n).encode()),
    st.sampled_from(
        [b"chunked", b"gzip", b"text/html", b"/model.bin", b"http://x/", b"bytes 0-9/10", b'W/"a"', b'"a"']
    ),
)
RESPONSES = st.builds(
    lambda status, fields, body: (
        b"HTTP/1.1 %d x\r\n" % status + b"".join(n + b": " + v + b"\r\n" for n, v in fields) + b"\r\n" + body
    ),
    st.sampled_from([100, 103, 200, 204, 206, 301, 302, 307, 304, 400, 404, 416, 429, 500, 503, 999]),
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    st.binary(max_size=60),
)


@fuzz(60)
@given(answers=st.one_of(RESPONSES, st.binary(max_size=200)))
def test_whatever_a_server_answers_is_a_file_or_an_error_of_ours(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("any") / "files"
    server = RawServer()
    server.pieces = [answers]
    policy = Policy(attempts=1, total_attempts=2, read_timeout=0.2, headers=0.2, stall=0.2, sleep=lambda _: None)
    try:
        path = fetch(server.url, folder, policy=policy, quiet=True, max_size=1000)
    except DownloadError as error:
        assert str(error).isprintable()
        assert not folder.exists() or [p.name for p in folder.iterdir()] in ([], [".part"])
    else:
        assert path.read_bytes() in answers
    finally:
        server.shutdown()
        server.server_close()
