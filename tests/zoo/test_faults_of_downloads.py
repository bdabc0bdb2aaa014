"""Every operation of a download and of a reproduction on the disk fails once: what is there is whole, it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import lab_row
import pytest
from faults import CODES, at, fails, killed, observed, points
from leftovers import Command

from paddleisa.errors import PaddleISAError
from paddleisa.zoo.download.download import fetch
from paddleisa.zoo.download.transfer import Policy


@pytest.fixture
def download(server, serve, data):
    """A job that fetches the file, its connection cut once in the middle, into a folder."""

    def job(folder: Path) -> None:
        url = server.add("/model.bin", serve.file(data, cuts=[150_000]))
        fetch(url, folder, quiet=True, policy=Policy(sleep=lambda _: None))

    return job


def whole_or_not_there(folder: Path, data: bytes) -> bool:
    final = folder / "model.bin"
    return not final.exists() or final.read_bytes() == data


def test_whichever_operation_of_a_download_fails_the_next_one_ends_with_the_file(download, data, tmp_path, own_home):
    operations = points(download, tmp_path / "dry")
    assert {line.split()[0] for line in operations} >= {"lock", "make", "write", "sync", "rename", "remove"}
    for index, operation in enumerate(operations):
        for code in CODES:
            (own_home / "lock.json").unlink(missing_ok=True)
            folder = tmp_path / f"{index}-{code}"
            error = fails(download, folder, index, code)
            assert error is None or isinstance(error, PaddleISAError), operation
            assert whole_or_not_there(folder, data), operation
            download(folder)
            assert (folder / "model.bin").read_bytes() == data, operation


def test_wherever_a_download_is_killed_the_next_one_ends_with_the_file(download, data, tmp_path, own_home):
    for index, operation in enumerate(points(download, tmp_path / "dry")):
        (own_home / "lock.json").unlink(missing_ok=True)
        folder = tmp_path / str(index)
        assert killed(download, folder, index), operation
        assert whole_or_not_there(folder, data), operation
        download(folder)
        assert (folder / "model.bin").read_bytes() == data, operation


@pytest.fixture
def catalogue(server, serve, tmp_path, monkeypatch):
    """A catalogue with one small row; its weights come from a server."""
    monkeypatch.chdir(tmp_path)
    lab_row.save_random_weights(tmp_path / "weights.pdparams")
    matrices = lab_row.separate_matrices(tmp_path / "weights.pdparams")
    url = server.add("/small/model.pdparams", serve.file((tmp_path / "weights.pdparams").read_bytes()))
    return lab_row.write_catalogue(tmp_path, url, lab_row.published_scores(matrices))


def reproduction(catalogue: Path, folder: Path) -> None:
    lab_row.reproduce("small", "--catalogue", catalogue, "--save_dir", folder)


def scores(folder: Path) -> object:
    report = json.loads((folder / "small/report.json").read_text())
    return [(s["protocol"], s["way"], s["measured"]) for s in report["models"][0]["scores"]]


@pytest.mark.slow
def test_whichever_operation_of_a_reproduction_fails_the_next_run_ends_with_the_same_report(catalogue, tmp_path):
    job = partial(reproduction, catalogue)
    assert len(points(job, tmp_path / "dry")) > 8
    for index, operation in enumerate(points(job, tmp_path / "again")):  # the download is there now
        for code in CODES:
            folder = tmp_path / f"{index}-{code}"
            assert fails(job, folder, index, code) is not None, operation
            job(folder)
            assert scores(folder) == scores(tmp_path / "dry"), operation


def kill_one(catalogue: str, folder: str, index: int) -> None:
    """Run in a process of its own, which does not come back."""
    with observed(at(index, lambda: os.kill(os.getpid(), signal.SIGKILL))):
        reproduction(Path(catalogue), Path(folder))


@pytest.mark.slow
def test_wherever_a_reproduction_is_killed_the_next_run_ends_with_the_same_report(catalogue, tmp_path):
    job = partial(reproduction, catalogue)
    job(tmp_path / "dry")
    program = "import sys; sys.path[:0] = sys.argv[1].split(':'); import test_faults_of_downloads as t; "
    program += "t.kill_one(sys.argv[2], sys.argv[3], int(sys.argv[4]))"
    places = f"{Path(__file__).parent}:{Path(__file__).parents[1]}"
    for index, operation in enumerate(points(job, tmp_path / "again")):
        folder = tmp_path / str(index)
        words = [sys.executable, "-c", program, places, str(catalogue), str(folder), str(index)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode == -signal.SIGKILL, (operation, done.stderr[-500:])
        job(folder)
        assert scores(folder) == scores(tmp_path / "dry"), operation


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_reproduction_leaves_no_process_and_the_next_run_ends_with_the_same_report(
    catalogue, tmp_path, number
):
    reproduction(catalogue, tmp_path / "dry")
    folder = tmp_path / "killed"
    run = Command("reproduce", "small", "--catalogue", catalogue, "--save_dir", folder, "--num_workers", 2)
    said = run.killed(number, lambda: any(folder.glob("small/state-*.npz")))
    assert "Traceback" not in said and "FatalError" not in said  # Paddle's handler would print its C++ stack
    reproduction(catalogue, folder)
    assert scores(folder) == scores(tmp_path / "dry")
    assert not list(folder.rglob(".*.part"))
