"""A killed parent leaves no worker and no half-written file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paddleisa.data.prepare.scenes import prepare_scenes
from paddleisa.errors import UsageError

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

# Three workers that say who they are, and write slowly: a file is open for a fifth of a second.
PARENT = """
import sys
from test_killed_parents import write_slowly
from paddleisa.utils.concurrency import on_files
if __name__ == "__main__":
    on_files(write_slowly, [f"{sys.argv[1]}/{n}" for n in range(400)], 3, what="write", progress=False)
"""
SCENES = """
import sys
from paddleisa.data.prepare.scenes import prepare_scenes
if __name__ == "__main__":
    prepare_scenes(sys.argv[1], "cityscapes", (24, 2), (128, 64), workers=2, progress=False)
"""


def write_slowly(path):
    from paddleisa.utils.files import atomic_write

    folder = Path(path).parent
    (folder / f"worker-{os.getpid()}").touch()
    with atomic_write(path) as stream:
        for part in range(4):
            time.sleep(0.05)
            stream.write(b"%d" % part)
    return 0


def is_running(process):
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def start(script, folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])}
    file = folder.with_suffix(".py")  # spawned workers import the parent's file
    file.write_text(script)
    return subprocess.Popen([sys.executable, file, str(folder)], env=environment)


@pytest.fixture(autouse=True)
def path_for_children(monkeypatch):
    here = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", here)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_finish_their_file_and_end(tmp_path, number):
    folder = tmp_path / "out"
    folder.mkdir()
    parent = start(PARENT, folder)
    assert wait_for(lambda: len(list(folder.glob("worker-*"))) == 3)
    parent.send_signal(number)
    parent.wait()
    workers = [int(path.name.removeprefix("worker-")) for path in folder.glob("worker-*")]
    assert wait_for(lambda: not any(map(is_running, workers)))
    assert not list(folder.glob(".*.part"))
    assert {path.read_bytes() for path in folder.glob("[0-9]*")} <= {b"0123"}


def test_the_next_run_removes_what_a_killed_one_left_and_finishes(tmp_path):
    folder = tmp_path / "scenes"
    parent = start(SCENES, folder)
    assert wait_for(lambda: len(list(folder.rglob("*_leftImg8bit.png"))) > 3)
    parent.kill()
    parent.wait()
    left = next(folder.rglob("*_leftImg8bit.png")).parent / ".picture.png.abc.part"
    left.write_bytes(b"half")  # of the parent itself
    prepare_scenes(folder, "cityscapes", (24, 2), (128, 64), workers=0, progress=False)
    assert not list(folder.rglob(".*.part"))
    assert not list(folder.glob(".prepare.owner"))


def test_a_second_run_in_the_same_root_is_refused(tmp_path):
    folder = tmp_path / "scenes"
    parent = start(SCENES, folder)
    try:
        assert wait_for(lambda: (folder / ".prepare.owner").exists())
        with pytest.raises(UsageError, match=f"process {parent.pid} on .* is preparing this folder"):
            prepare_scenes(folder, "cityscapes", (24, 2), (128, 64), workers=0, progress=False)
    finally:
        parent.kill()
        parent.wait()
