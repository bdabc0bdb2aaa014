"""Downloads from servers that misbehave: the right file, or a clear error and nothing under the final name."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import io
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import httpx
import pytest

from paddleisa.errors import DownloadError, UsageError, WeightsError
from paddleisa.zoo.download import download as download_module
from paddleisa.zoo.download import transfer as transfer_module
from paddleisa.zoo.download.download import fetch
from paddleisa.zoo.download.server import Deadline
from paddleisa.zoo.download.transfer import Policy, answer


@pytest.fixture
def waits():
    return []


@pytest.fixture
def get(tmp_path, waits):
    """``get(url, **options)`` fetches into ``tmp_path / "files"`` without really waiting between attempts."""
    policy = Policy(read_timeout=0.4, connect_timeout=2, stall=0.4, slowest=2000, sleep=waits.append)

    def run(url, **options):
        return fetch(url, tmp_path / "files", **{"policy": policy, "quiet": True, **options})

    return run


@pytest.fixture
def absent(tmp_path):
    """Assert that nothing has a final name."""

    def check():
        folder = tmp_path / "files"
        assert not folder.exists() or [p.name for p in folder.iterdir() if p.name != ".part"] == []

    return check


def test_a_plain_download_is_the_file_and_leaves_no_partial(server, serve, data, get, tmp_path):
    path = get(server.add("/model.bin", serve.file(data)))
    assert path == tmp_path / "files" / "model.bin" and path.read_bytes() == data
    assert [p.name for p in (tmp_path / "files" / ".part").iterdir() if p.suffix != ".lock"] == []


@pytest.mark.parametrize("seed", range(4))
def test_connections_dropped_at_random_bytes_are_resumed(server, serve, data, get, seed):
    rng = random.Random(seed)
    url = server.add("/model.bin", serve.file(data, cuts=[rng.randrange(1, 20_000) for _ in range(12)]))
    assert get(url).read_bytes() == data
    starts = [int(r[6:-1]) if r else 0 for r in server.ranges()]
    assert len(starts) == 13 and starts == sorted(set(starts))


def test_a_drop_before_the_first_byte_of_the_body_is_retried(server, serve, data, get):
    assert get(server.add("/model.bin", serve.file(data, cuts=[0, 0]))).read_bytes() == data


def test_a_server_that_answers_a_range_with_the_whole_file_gives_the_right_file(server, serve, data, get):
    url = server.add("/model.bin", serve.file(data, ranges=False, cuts=[1000, 200_000]))
    assert get(url).read_bytes() == data
    assert server.ranges()[1] == "bytes=1000-"


def wrong_range(data, start, end, total):
    def behave(h):
        h.send_response(206)
        h.send_header("Content-Range", f"bytes {start}-{end}/{total}")
        h.send_header("ETag", '"v1"')
        body = data[start : end + 1]
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body)

    return behave


@pytest.mark.parametrize(
    "part", [(0, 299_999, 300_000), (999, 299_999, 300_000), (1001, 299_999, 300_000), (1000, 1999, 2000)]
)
def test_a_part_of_the_wrong_range_is_not_used(server, serve, data, get, part):
    first = serve.file(data, etag='"v1"', cuts=[1000])
    url = server.add("/model.bin", serve.in_turn(first, wrong_range(data, *part), serve.file(data, etag='"v1"')))
    assert get(url).read_bytes() == data


def test_parts_that_are_always_of_the_wrong_range_end_in_an_error(server, data, get, absent):
    with pytest.raises(DownloadError, match="another part"):
        get(server.add("/model.bin", wrong_range(data, 5, 99, 300_000)))
    absent()
    assert len(server.seen) == 6


def test_a_file_that_changes_between_two_ranges_is_fetched_anew(server, serve, data, get):
    new = data[::-1]
    url = server.add("/model.bin", serve.in_turn(serve.file(data, cuts=[100_000]), serve.file(new)))
    assert get(url).read_bytes() == new


def test_a_changed_file_is_noticed_on_a_server_that_ignores_if_range(server, serve, data, get):
    new = data[::-1]

    def careless(h):
        if not h.headers.get("Range"):
            return serve.file(new, etag='"v2"')(h)
        del h.headers["If-Range"]
        return serve.file(new, etag='"v2"')(h)

    url = server.add("/model.bin", serve.in_turn(serve.file(data, etag='"v1"', cuts=[100_000]), careless))
    assert get(url).read_bytes() == new
    assert server.ranges() == [None, "bytes=100000-", None]


def test_a_page_with_status_200_is_refused(server, serve, get, absent):
    url = server.add("/model.bin", serve.status(200, body=b"Not Found", content_type="text/html; charset=utf-8"))
    with pytest.raises(DownloadError, match="web page instead"):
        get(url)
    absent()


@pytest.mark.parametrize("page", [b"\n <!doctype HTML>...", b"<?xml version='1.0'?><Error>NoSuchKey</Error>"])
def test_a_page_that_claims_to_be_a_file_is_refused(server, serve, get, absent, page):
    with pytest.raises(DownloadError, match="web page instead"):
        get(server.add("/model.bin", serve.status(200, body=page, content_type="application/octet-stream")))
    absent()


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(server, serve, get, absent, status):
    with pytest.raises(DownloadError, match=f"answers {status}"):
        get(server.add("/model.bin", serve.status(status)))
    absent()
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_honoured(server, serve, data, get, waits, status):
    busy = serve.status(status, {"Retry-After": "7"})
    assert get(server.add("/model.bin", serve.in_turn(busy, serve.file(data)))).read_bytes() == data
    assert waits == [7.0]


def test_retry_after_as_a_date_is_honoured(server, serve, data, get, waits):
    busy = serve.status(503, {"Retry-After": email.utils.formatdate(time.time() + 20, usegmt=True)})
    get(server.add("/model.bin", serve.in_turn(busy, serve.file(data))))
    assert 15 < waits[0] <= 20


def test_an_absurd_retry_after_is_bounded(server, serve, data, get, waits):
    get(server.add("/model.bin", serve.in_turn(serve.status(503, {"Retry-After": "999999"}), serve.file(data))))
    assert waits == [60.0]


def test_waits_grow_and_the_last_failure_is_an_error(server, serve, get, waits, absent):
    with pytest.raises(DownloadError, match="503"):
        get(server.add("/model.bin", serve.status(503)))
    absent()
    assert len(waits) == 5
    assert all(2**n / 2 <= wait <= 2**n for n, wait in enumerate(waits))


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x"])
def test_a_redirect_out_of_http_is_refused(server, serve, get, absent, place):
    with pytest.raises(DownloadError, match="redirects to"):
        get(server.add("/model.bin", serve.status(302, {"Location": place})))
    absent()


def test_a_redirect_to_another_http_address_is_followed(server, serve, data, get):
    server.add("/there", serve.file(data))
    assert get(server.add("/model.bin", serve.status(301, {"Location": "/there"}))).name == "model.bin"


def test_redirects_in_a_circle_end(server, serve, get, absent):
    with pytest.raises(DownloadError, match="more than 10 times"):
        get(server.add("/model.bin", serve.status(302, {"Location": "/model.bin"})))
    absent()


def test_a_redirect_from_https_to_http_is_refused():
    to_http = httpx.MockTransport(lambda request: httpx.Response(302, headers={"Location": "http://host/x"}))
    with (
        httpx.Client(transport=to_http) as client,
        pytest.raises(DownloadError, match="from https to unprotected http"),
        answer(client, "https://host/x", {}, Deadline(5, 5, 1)),
    ):
        pass


def endless(framing):
    def behave(h):
        h.send_response(200)
        if framing == "chunked":
            h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        h.close_connection = True
        while True:
            h.wfile.write((b"10000\r\n" if framing == "chunked" else b"") + b"x" * 65536 + b"\r\n")

    return behave


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_an_endless_body_is_cut_at_the_limit(server, get, absent, framing, tmp_path):
    with pytest.raises(DownloadError, match="more than 1000000 bytes"):
        get(server.add("/model.bin", endless(framing)), max_size=1_000_000, sha256_prefix="00000000")
    absent()
    assert not (tmp_path / "files" / ".part" / "model.bin").exists()


def test_a_body_of_unknown_length_is_refused_unless_something_can_tell_its_end(server, data, get, absent):
    def until_close(h):
        h.send_response(200)
        h.end_headers()
        h.wfile.write(data)
        h.close_connection = True

    url = server.add("/model.bin", until_close)
    with pytest.raises(DownloadError, match="does not say how long"):
        get(url)
    absent()
    assert get(url, sha256=hashlib.sha256(data).hexdigest()).read_bytes() == data


def test_a_declared_length_over_the_limit_is_refused_before_the_body(server, serve, data, get, absent):
    with pytest.raises(DownloadError, match="more than the limit"):
        get(server.add("/model.bin", serve.file(data)), max_size=1000)
    absent()


def test_a_file_of_another_size_than_the_catalogue_says_is_refused(server, serve, data, get, absent):
    with pytest.raises(DownloadError, match="300000 bytes, 300001 are expected"):
        get(server.add("/model.bin", serve.file(data)), size=300_001)
    absent()


def test_a_file_sent_in_gzip_encoding_is_refused(server, serve, data, get, absent):
    packed = gzip.compress(data)[:-1000]
    with pytest.raises(DownloadError, match="encoding 'gzip'"):
        get(server.add("/model.bin", serve.status(200, {"Content-Encoding": "gzip"}, packed)))
    absent()
    assert server.seen[0][1]["accept-encoding"] == "identity"


def test_a_truncated_archive_of_honest_length_is_refused_by_its_check(server, serve, data, get, absent):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("model.pdparams")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))

    def check(path):
        try:
            with tarfile.open(path) as archive:
                archive.extractfile("model.pdparams").read()
        except (EOFError, tarfile.TarError) as error:
            raise WeightsError("is a damaged archive") from error

    url = server.add("/backbone.tar.gz", serve.status(200, {"Content-Encoding": "gzip"}, packed.getvalue()[:-2000]))
    with pytest.raises(DownloadError, match="damaged archive"):
        get(url, check=check)
    absent()
    server.add("/backbone.tar.gz", serve.status(200, {"Content-Encoding": "x-gzip"}, packed.getvalue()))
    assert get(url, check=check).read_bytes() == packed.getvalue()


def dribble(data, pause, chunk):
    def behave(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.send_header("ETag", '"v1"')
        h.end_headers()
        for start in range(0, len(data), chunk):
            h.wfile.write(data[start : start + chunk])
            time.sleep(pause)

    return behave


def test_a_server_that_stops_sending_is_left_and_resumed(server, serve, data, get):
    url = server.add("/model.bin", serve.in_turn(dribble(data, 3, 1000), serve.file(data, etag='"v1"')))
    assert get(url).read_bytes() == data
    assert server.ranges()[1] == "bytes=1000-"


def test_a_server_that_drips_below_the_least_rate_is_left_and_resumed(server, serve, data, get):
    url = server.add("/model.bin", serve.in_turn(dribble(data, 0.1, 10), serve.file(data, etag='"v1"')))
    assert get(url).read_bytes() == data


def test_an_untrusted_certificate_is_final_and_names_the_variable_that_helps(get, waits, monkeypatch):
    def handshake(request):
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")

    client = httpx.Client(transport=httpx.MockTransport(handshake))
    monkeypatch.setattr(download_module, "new_client", lambda policy: client)
    with pytest.raises(DownloadError, match="certificate is not trusted.*SSL_CERT_FILE"):
        get("https://publisher.invalid/model.bin")
    assert waits == []


def test_a_server_that_is_not_there_is_an_error(get, absent):
    with pytest.raises(DownloadError, match="could not be downloaded"):
        get("http://127.0.0.1:9/model.bin")
    absent()


def test_the_check_sees_the_file_under_its_own_name_before_it_is_final(server, serve, data, get, tmp_path):
    seen = []
    get(
        server.add("/model.bin", serve.file(data)),
        check=lambda path: seen.append((path.name, path.read_bytes() == data, (tmp_path / "files/model.bin").exists())),
    )
    assert seen == [("model.bin", True, False)]


def test_a_file_that_fails_its_check_is_removed(server, serve, data, get, absent, tmp_path):
    def check(path):
        raise WeightsError("would run code when it is unpickled")

    with pytest.raises(DownloadError, match="would run code"):
        get(server.add("/model.bin", serve.file(data)), check=check)
    absent()
    assert not (tmp_path / "files" / ".part" / "model.bin").exists()


def test_a_wrong_hash_is_refused_and_both_are_named(server, serve, data, get, absent):
    with pytest.raises(DownloadError) as caught:
        get(server.add("/model.bin", serve.file(data)), sha256="0" * 64)
    assert "0" * 64 in str(caught.value) and hashlib.sha256(data).hexdigest() in str(caught.value)
    absent()


def test_a_wrong_hash_prefix_is_refused_and_the_right_one_accepted(server, serve, data, get, absent):
    url = server.add("/model.bin", serve.file(data))
    with pytest.raises(DownloadError, match="begins with 00000000"):
        get(url, sha256_prefix="00000000")
    absent()
    assert get(url, sha256_prefix=hashlib.sha256(data).hexdigest()[:8]).exists()


def test_the_first_download_is_trusted_in_words_and_another_file_later_is_refused(
    server, serve, data, get, own_home, capsys, absent
):
    url = server.add("/model.bin", serve.file(data))
    path = get(url, quiet=False)
    digest = hashlib.sha256(data).hexdigest()
    assert digest in (said := capsys.readouterr().err) and "trusted" in said
    assert json.loads((own_home / "lock.json").read_text())["files"][url]["sha256"] == digest

    path.unlink()
    server.add("/model.bin", serve.file(data[::-1]))
    with pytest.raises(DownloadError) as caught:
        get(url)
    assert digest in str(caught.value) and hashlib.sha256(data[::-1]).hexdigest() in str(caught.value)
    absent()


def test_a_present_file_is_used_without_a_request_if_its_hash_fits_and_refused_if_not(server, serve, data, get):
    url = server.add("/model.bin", serve.file(data))
    path = get(url)
    assert get(url) == path and get(url, offline=True) == path and len(server.seen) == 1
    path.write_bytes(data[:-1])
    with pytest.raises(DownloadError, match="Remove it"):
        get(url)


def test_bytes_damaged_on_disk_between_two_runs_lead_to_a_fresh_download(server, serve, data, get, tmp_path):
    url = server.add("/model.bin", serve.file(data, cuts=[1000, *[0] * 20]))
    with pytest.raises(DownloadError):
        get(url)
    (tmp_path / "files" / ".part" / "model.bin").write_bytes(b"?" * 1000)
    server.add("/model.bin", serve.file(data))
    assert get(url, sha256=hashlib.sha256(data).hexdigest()).read_bytes() == data


def test_offline_makes_no_request(server, serve, data, get, absent, monkeypatch):
    url = server.add("/model.bin", serve.file(data))
    with pytest.raises(DownloadError, match="offline"):
        get(url, offline=True)
    monkeypatch.setenv("PADDLEISA_OFFLINE", "1")
    with pytest.raises(DownloadError, match="offline"):
        get(url)
    absent()
    assert server.seen == []


def test_a_full_disk_is_said_before_the_body(server, serve, data, get, absent, monkeypatch):
    monkeypatch.setattr(transfer_module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DownloadError, match="300000 bytes are still to come and 1 are free"):
        get(server.add("/model.bin", serve.file(data)))
    absent()


def test_a_disk_that_fills_up_is_an_error_and_the_next_run_continues(server, serve, data, get, absent):
    url = server.add("/model.bin", serve.file(data))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DownloadError, match="no space left.*100000 bytes are kept"):
            get(url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    absent()
    assert get(url).read_bytes() == data
    assert server.ranges()[1] == "bytes=100000-"


@pytest.mark.parametrize("mirror", ["{root}/m/", "http://publisher.invalid/={root}/m/publisher.invalid/"])
def test_a_mirror_is_asked_and_held_to_the_publishers_hash(server, serve, data, get, monkeypatch, mirror):
    monkeypatch.setenv(
        "PADDLEISA_MIRROR", "http://other.invalid/=http://127.0.0.1:9/ " + mirror.format(root=server.root)
    )
    server.add("/m/publisher.invalid/a/model.bin", serve.file(data))
    path = get("http://publisher.invalid/a/model.bin")
    assert path.read_bytes() == data
    path.unlink()
    server.add("/m/publisher.invalid/a/model.bin", serve.file(data + b"!"))
    with pytest.raises(DownloadError, match="lock.json says since"):
        get("http://publisher.invalid/a/model.bin")


def test_a_mirror_that_is_no_address_is_an_error(get, monkeypatch):
    monkeypatch.setenv("PADDLEISA_MIRROR", "mirror.lab")
    with pytest.raises(UsageError, match="PADDLEISA_MIRROR"):
        get("http://publisher.invalid/model.bin")


def test_the_usual_proxy_variable_is_used(server, serve, data, get, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.root)
    server.add("http://publisher.invalid/model.bin", serve.file(data))  # a proxy sees the whole address
    assert get("http://publisher.invalid/model.bin").read_bytes() == data


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "model.pdparams", "http://127.0.0.1:9/%2e%2e"])
def test_an_address_that_cannot_be_used_is_an_error(get, url):
    with pytest.raises(UsageError):
        get(url)


FETCH = """
import sys
from paddleisa.zoo.download.download import fetch
print(fetch(sys.argv[1], sys.argv[2], quiet=True).read_bytes()[:8].hex())
"""


def test_eight_processes_at_once_make_one_transfer(server, serve, data, tmp_path):
    slow = serve.in_turn(lambda h: (time.sleep(1), serve.file(data)(h)))
    command = [sys.executable, "-c", FETCH, server.add("/model.bin", slow), str(tmp_path / "files")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert [(p.communicate(timeout=60)[0].strip(), p.returncode) for p in running] == [(data[:8].hex(), 0)] * 8
    assert len(server.seen) == 1


def test_a_killed_download_leaves_no_lock_and_is_continued(server, serve, data, get, tmp_path):
    def stuck(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.send_header("ETag", '"v1"')
        h.end_headers()
        h.wfile.write(data[:70_000])
        time.sleep(5)

    url = server.add("/model.bin", serve.in_turn(stuck, serve.file(data, etag='"v1"')))
    process = subprocess.Popen([sys.executable, "-c", FETCH, url, str(tmp_path / "files")])
    partial = tmp_path / "files" / ".part" / "model.bin"
    for _ in range(500):
        if partial.exists() and partial.stat().st_size:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "files" / "model.bin").exists()
    assert get(url).read_bytes() == data
    assert server.ranges()[1] is not None
