"""One process at a time in one place."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from paddleisa.errors import UsageError
from paddleisa.utils.files import WriteError
from paddleisa.utils.process import exclusive

HOLD = """
import sys, time
from paddleisa.utils.process import exclusive
with exclusive(sys.argv[1], "writing", "Wait"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_with_the_first_ones_number_and_host(tmp_path, holder):
    wanted = f"run: process {holder.pid} on {socket.gethostname()} .* is writing. Wait"
    with pytest.raises(UsageError, match=wanted), exclusive(tmp_path / "run", "writing", "Wait"):
        pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_free(tmp_path, holder, number):
    os.kill(holder.pid, number)
    holder.wait()
    with exclusive(tmp_path / "run", "writing", "Wait"):
        assert f"process {os.getpid()} on" in (tmp_path / ".run.owner").read_text()


def test_a_refused_second_one_does_not_free_it(tmp_path, holder):
    for _ in range(2):
        with pytest.raises(UsageError, match=f"process {holder.pid} on"), exclusive(tmp_path / "run", "writing", "x"):
            pass


def test_the_same_place_can_be_held_again_afterwards(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path / "run", "writing", "Wait"):
            pass
    assert not (tmp_path / ".run.owner").exists()


def test_other_places_are_free(tmp_path, holder):
    with exclusive(tmp_path / "other", "writing", "Wait"):
        pass


def test_a_folder_that_cannot_be_made_is_our_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError), exclusive(tmp_path / "file" / "run", "writing", "Wait"):
        pass
