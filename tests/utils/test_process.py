"""One process at a time in one place; what a process does when it is asked to stop."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from paddleisa.errors import UsageError
from paddleisa.utils.files import WriteError
from paddleisa.utils.process import StopRequest, exclusive

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


# The main thread is inside C calls, as in operations of Paddle's: Python's own handlers do not run before one ends. Its
# step ends when the file is there.
BUSY = """
import ctypes, os, sys
from paddleisa.utils.process import StopRequest
sleep = ctypes.CDLL(None).usleep
with StopRequest() as stop:
    print("ready", flush=True)
    while not os.path.exists(sys.argv[1]):
        sleep(250_000)
    print("stopped by", int(stop.signal), flush=True)
"""


@pytest.fixture
def busy(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(tmp_path / "end")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def acknowledged(process):
    assert process.stderr.readline() == b"\n"
    return process.stderr.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_acknowledged_and_the_step_is_finished(busy, number, tmp_path):
    busy.send_signal(number)
    assert b"stopping after this step" in acknowledged(busy)
    (tmp_path / "end").touch()
    assert busy.stdout.readline() == f"stopped by {number}\n".encode()
    assert busy.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_ends_the_process_in_the_middle_of_the_step(busy, number):
    busy.send_signal(number)
    acknowledged(busy)
    busy.send_signal(number)
    assert busy.wait(30) == 128 + number
    assert busy.stdout.read() == b""


def test_a_launchers_sigterm_behind_a_ctrl_c_does_not_count_as_the_second(busy, tmp_path):
    busy.send_signal(signal.SIGINT)
    acknowledged(busy)
    busy.send_signal(signal.SIGTERM)
    (tmp_path / "end").touch()
    assert busy.wait(30) == 0


def test_afterwards_the_handlers_are_those_from_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_nothing_is_changed():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with StopRequest() as stop:
            seen.append((signal.getsignal(signal.SIGINT), stop.signal))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


LAUNCHER = """
import subprocess, sys, time
child = "from paddleisa.utils.process import StopRequest, stop_with_parent; import sys, time\\n"
child += "stop_with_parent()\\nwith StopRequest() as stop:\\n    print('ready', flush=True)\\n"
child += "    while not stop.signal: time.sleep(0.05)\\n    open(sys.argv[1], 'w').write(str(int(stop.signal)))"
subprocess.run([sys.executable, "-c", child, sys.argv[1]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux only")
def test_a_killed_launcher_is_a_sigterm_to_its_processes(tmp_path):
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path / "end")], stdout=subprocess.PIPE)
    assert launcher.stdout.readline() == b"ready\n"
    launcher.kill()
    launcher.wait()
    assert launcher.stdout.read() == b""  # which ends when the process that inherited it does
    launcher.stdout.close()
    assert (tmp_path / "end").read_text() == str(int(signal.SIGTERM))
