"""SIGKILL at any moment: every checkpoint stays whole, and the run still ends in the same bits."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from leftovers import Command

from paddleisa.training.checkpoint import checkpoints, read_checkpoint

TINY = Path(__file__).parent / "tiny" / "tiny.yml"


def start(folder, iters):
    command = [sys.executable, "-m", "paddleisa", "train", "--config", str(TINY), "--iters", str(iters)]
    command += ["--save_interval", "2", "--keep_checkpoint_max", "2", "--resume_model", "auto"]
    command += ["--save_dir", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def run_to_the_end(folder, iters):
    process = start(folder, iters)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err.decode()


def kill_somewhere(folder, iters, rng, while_writing):
    """Start, wait until it works, kill at a random moment or in the middle of a checkpoint's writing."""
    process = start(folder, iters)
    newest = max(checkpoints(folder), default=None)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if while_writing and any(folder.glob(".iter_*.part/*")) and rng.random() < 0.3:
            break
        if not while_writing and max(checkpoints(folder), default=None) != newest:
            time.sleep(rng.uniform(0, 0.3))
            break
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()


@pytest.mark.slow
def test_a_run_killed_twenty_times_ends_in_the_same_bits(tmp_path):
    count, iters, rng = 20, 600, random.Random(2)
    run_to_the_end(tmp_path / "whole", iters)
    folder = tmp_path / "killed"
    folder.mkdir()
    for number in range(count):
        kill_somewhere(folder, iters, rng, while_writing=number % 2 == 0)
        for path in checkpoints(folder):
            read_checkpoint(path)  # raises when it is not whole
    run_to_the_end(folder, iters)
    last = f"iter_{iters}"
    killed, whole = read_checkpoint(folder / last), read_checkpoint(tmp_path / "whole" / last)
    for file, state in whole.arrays.items():
        assert killed.arrays[file].keys() == state.keys()
        for name, array in state.items():
            np.testing.assert_array_equal(killed.arrays[file][name], array, err_msg=f"{file} {name}")
    assert not list(folder.glob(".iter_*"))  # nothing half-written is left lying about


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_leaves_no_process_and_no_half_written_checkpoint(tmp_path, number):
    words = [
        "--config",
        TINY,
        "--iters",
        5000,
        "--save_interval",
        2,
        "--num_workers",
        2,
        "--save_dir",
        tmp_path / "run",
    ]
    Command("train", *words, "--vdl_server").killed(number, lambda: checkpoints(tmp_path / "run"))
    assert [read_checkpoint(path) for path in checkpoints(tmp_path / "run")]
