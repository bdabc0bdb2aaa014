"""VisualDL's board as a child process, with the settings that make it answer everybody and tell nobody."""

from __future__ import annotations

import atexit
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from paddleisa.errors import UsageError
from paddleisa.training.logging.visualdl_log import is_whole

HOST = "127.0.0.1"
# Seconds. The server answers after 1.5 s on an idle machine.
START_LIMIT, STOP_LIMIT, POLL = 60.0, 5.0, 0.1
# Seconds that an answer may be old; the server's own default, 20, makes a young run look empty.
CACHE_SECONDS = 5
# The server's process. It ends with the one that started it: a training killed with SIGKILL cannot end its server, but
# the system closes its end of the pipe that is the server's standard input.
SERVER = """
import os, sys, threading
sys.path.pop(0)  # the folder of the runs: nothing in it may take the place of an installed module
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from visualdl.server.app import main
main()
"""


class Board:
    """A running server. It ends with :meth:`close`, at this process's exit, and when this process is killed.

    Attributes:
        address: of the curves, ``http://127.0.0.1:PORT/app/scalar``.
        process: the server.
    """

    def __init__(self, process: subprocess.Popen, address: str):
        self.process, self.address = process, address
        atexit.register(self.close)

    def __str__(self) -> str:
        return self.address

    def close(self) -> None:
        """End the server; a second call does nothing."""
        atexit.unregister(self.close)
        _end(self.process)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(save_dir: str | Path, port: int | None = None) -> Board:
    """Start the board on the runs below ``save_dir`` and wait until it answers.

    Call it when the run's log is open: a torn file stops the server, and opening the log repairs it; a server that
    has read a file goes on at the place where it stopped, whatever a resumed run has dropped before it.

    Args:
        save_dir: looked through with all its folders; made when it is missing.
        port: a free one is taken when it is None.

    Raises:
        UsageError: the port is taken, the server cannot start, or it does not answer within a minute.
    """
    folder = Path(save_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port = _checked(port) if port is not None else _free_port()
    with tempfile.TemporaryFile() as said:
        process = _start(folder, port, said)
        try:
            _wait(process, port)
        except UsageError as error:
            _end(process)
            said.seek(0)
            lines = said.read().decode("utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
            torn = [str(path) for path in _torn(folder)]
            fix = f"Cut short, remove or resume: {', '.join(torn)}" if torn else f"Its last line: {last}"
            raise UsageError(error.problem, where=folder, fix=fix) from error
    return Board(process, f"http://{HOST}:{port}/app/scalar")


def _checked(port: int) -> int:
    # Without this check the server would wait for ever, and a stranger's answers would look like its own.
    if not 0 < port < 65536:
        raise UsageError(f"{port} is not a port", where="VisualDL", fix="Give a number from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used ({error.strerror})",
                where="VisualDL",
                fix="Give another port, or none to have a free one chosen",
            ) from error
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _start(folder: Path, port: int, said: IO) -> subprocess.Popen:
    """The server's process. It runs beside ``folder``, so that its page shows short names of the runs."""
    command = [sys.executable, "-c", SERVER, "--logdir", folder.name or "/"]
    command += ["--host", HOST, "--port", str(port), "--language", "en", "--disable-telemetry"]
    command += ["--cache-timeout", str(CACHE_SECONDS)]
    # A session of its own: Ctrl-C ends the training after its step, and the board with it, not before it.
    return subprocess.Popen(
        command, cwd=folder.parent, stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True
    )


def _wait(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a user's proxy cannot reach our loopback
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UsageError("VisualDL's server ended at its start")
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(f"http://{HOST}:{port}/alive", timeout=5):
            return
        time.sleep(POLL)
    raise UsageError(f"VisualDL's server did not answer within {START_LIMIT:.0f} seconds")


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.stdin is not None  # it is a pipe
    process.stdin.close()


def _torn(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*vdlrecords*")) if path.is_file() and not is_whole(path))
