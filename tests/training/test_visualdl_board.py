"""The board on real runs: its HTTP interface, and its pages in a headless browser."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing

import cv2
import numpy as np
import pytest

from paddleisa.errors import UsageError
from paddleisa.evaluation.evaluate import Evaluation
from paddleisa.evaluation.metrics import ConfusionMatrix
from paddleisa.training.logging import open_run_log
from paddleisa.training.logging.visualdl import serve

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CLASSES = ["road", "car", "50% sky"]
ITERS = 400


def loss_at(i, run):
    return 0.3 + (1 + 0.3 * run) * math.exp(-i / 120) + 0.05 * math.sin(i * (run + 1) / 9)


def write_steps(folder, run, first, last):
    """Steps first+1..last of a run; every 100 an evaluation with an overlay."""
    with open_run_log(folder, iters=ITERS, batch_size=8, use_vdl=True, resume_at=first or None, log_iters=5) as log:
        log.hparams({"learning_rate": 0.01 / (run + 1), "ema": bool(run)}, ["Evaluate/mIoU"])
        for i in range(first + 1, last + 1):
            lr = 0.01 / (run + 1) * (1 - i / ITERS) ** 0.9
            total = loss_at(i, run)
            log.step(i, 1, {"main": total * 0.7, "aux": total * 0.3}, lr, 0.5, 0.01, memory_mb=1000.0 + run)
            if i % 100 == 0:
                right = np.random.default_rng(i).random((32, 32)) < i / (ITERS + 50 * run)
                truth = np.arange(1024, dtype=np.uint8).reshape(32, 32) % 3
                matrix = ConfusionMatrix(3, 255)
                matrix.add(np.where(right, truth, (truth + 1) % 3), truth)
                log.images(i, {"0_image_truth_prediction": overlay(i, run)})
                log.evaluation(i, Evaluation(matrix, matrix.scores(), 1, 1, 0.1), CLASSES)


def overlay(i, run):
    """Grey image, truth (a red disc on green), prediction (a disc that grows towards it)."""
    parts = [np.full((96, 128, 3), 90, np.uint8), np.full((96, 128, 3), (0, 140, 0), np.uint8)]
    parts.append(parts[1].copy())
    cv2.circle(parts[1], (64, 48), 40, (200, 0, 0), -1)
    cv2.circle(parts[2], (64 + 10 * run, 48), 40 * i // ITERS, (200, 0, 0), -1)
    return np.concatenate(parts, axis=1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs; the second was killed at 330 and resumed at 300, with the record file torn."""
    folder = tmp_path_factory.mktemp("output")
    write_steps(folder / "baseline", 0, 0, ITERS)
    write_steps(folder / "resumed", 1, 0, 330)
    records = folder / "resumed/visualdl/vdlrecords.paddleisa.log"
    records.write_bytes(records.read_bytes()[:-7])
    write_steps(folder / "resumed", 1, 300, ITERS)
    return folder


@pytest.fixture(scope="module")
def board(runs):
    with closing(serve(runs)) as board:
        yield board


def api(board, path, **query):
    url = f"{board.address.removesuffix('/scalar')}/api/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        data = answer.read()
        return data if answer.headers["Content-Type"].startswith("image/") else json.loads(data)["data"]


def run_names(board):
    return {name.split("/")[1]: name for name in api(board, "runs")}


def test_a_client_of_any_language_gets_the_page(board):
    for language in ("fr", "en", "*"):
        request = urllib.request.Request(board.address, headers={"Accept-Language": language})
        assert urllib.request.urlopen(request, timeout=60).status == 200


def test_the_board_serves_every_point_of_both_runs_once(board):
    names = run_names(board)
    assert sorted(names) == ["baseline", "resumed"]
    for run, name in enumerate(("baseline", "resumed")):
        points = api(board, "scalar/list", run=names[name], tag="Train/loss")
        expected = [
            (last, sum(loss_at(i, run) for i in range(last - 4, last + 1)) / 5) for last in range(5, ITERS + 1, 5)
        ]
        assert [step for _, step, _ in points] == [step for step, _ in expected]
        np.testing.assert_allclose([value for _, _, value in points], [value for _, value in expected], rtol=1e-6)


def test_the_board_serves_class_scores_images_and_hparams(board):
    names = run_names(board)
    (tags,) = {tuple(tags) for tags in api(board, "scalar/tags")["tags"]}
    assert {"Train/lr", "Train/ips", "Evaluate/mIoU", "Evaluate/IoU/road", "Evaluate/IoU/50pct sky"} <= set(tags)
    images = api(board, "image/list", run=names["resumed"], tag="Predictions/0_image_truth_prediction")
    assert [image["step"] for image in images] == [100, 200, 300, 400]
    png = api(board, "image/image", run=names["resumed"], tag="Predictions/0_image_truth_prediction", index=3)
    stored = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(stored, overlay(400, 1))
    hparams = {trial["name"]: trial["hparams"] for trial in api(board, "hparams/list")}
    assert hparams[names["resumed"]] == {"learning_rate": pytest.approx(0.005), "ema": "True"}


def test_a_torn_run_is_named_when_the_board_cannot_start(tmp_path):
    (tmp_path / "vdlrecords.torn.log").write_bytes(b"\x40\0\0\0\0\0\0\0\x0a")
    with pytest.raises(UsageError, match=r"ended at its start.*vdlrecords\.torn\.log"):
        serve(tmp_path)


def test_the_board_ends_with_a_killed_training(tmp_path):
    program = (
        "import sys, time\nfrom paddleisa.training.logging.visualdl import serve\n"
        "board = serve(sys.argv[1])\nprint(board.process.pid, board.address, flush=True)\ntime.sleep(100)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    pid, address = starter.stdout.readline().split()
    assert urllib.request.urlopen(address, timeout=60).status == 200
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 10
    while answers(address) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers(address), f"process {pid} is left over"


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=5)
    except (urllib.error.URLError, OSError):
        return False
    return True


def browse(address, page, tmp_path, height):
    """(picture, text of the page) of a page of the board, as headless Chromium draws it."""
    picture = tmp_path / f"{page}.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size=1600,{height}"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--lang=fr"]
    command = [CHROMIUM, *options, f"--screenshot={picture}", "--dump-dom", f"{address.removesuffix('/scalar')}/{page}"]
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment)
    assert picture.exists(), done.stderr[-2000:]
    if keep := os.environ.get("PADDLEISA_TEST_SCREENSHOTS"):
        shutil.copy(picture, f"{keep}/{tmp_path.name}.png")
    return cv2.imread(str(picture)), done.stdout


def coloured_charts(picture):
    """Number of charts: connected stretches of strong colour as wide as an axis, below the page's blue bar."""
    colour = (picture.max(2).astype(int) - picture.min(2) > 60).astype(np.uint8)
    colour[:100] = 0
    _, _, boxes, _ = cv2.connectedComponentsWithStats(cv2.dilate(colour, np.ones((41, 41), np.uint8)))
    return int(sum(width > 200 and x < 1000 for x, _, width, _, _ in boxes[1:]))


@pytest.fixture(scope="module")
def training_only(tmp_path_factory):
    """A board without evaluations: the page opens its first group of curves only, here Train. One loss is NaN."""
    folder = tmp_path_factory.mktemp("training")
    for run, name in enumerate(("baseline", "with_nan")):
        with open_run_log(folder / name, iters=ITERS, batch_size=8, use_vdl=True, log_iters=5) as log:
            for i in range(1, ITERS + 1):
                loss = math.nan if run and i == 200 else loss_at(i, run)
                log.step(i, 1, {"main": loss * 0.7, "aux": 0.3}, 0.01 * (1 - i / ITERS) ** 0.9, 0.5, 0.01, 1000.0)
    with closing(serve(folder)) as board:
        yield board


needs_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


@needs_a_browser
def test_a_browser_draws_the_curves_of_evaluations(board, tmp_path):
    picture, text = browse(board.address, "scalar", tmp_path, 1600)
    assert all(word in text for word in ("Evaluate", "baseline/visualdl", "resumed/visualdl"))
    assert coloured_charts(picture) == 7


@needs_a_browser
def test_a_browser_draws_the_curves_of_training_with_a_nan_among_them(training_only, tmp_path):
    picture, text = browse(training_only.address, "scalar", tmp_path, 1600)
    assert all(word in text for word in ("Train", "baseline/visualdl", "with_nan/visualdl"))
    assert coloured_charts(picture) == 8


@needs_a_browser
def test_a_browser_shows_the_overlays(board, tmp_path):
    picture, text = browse(board.address, "image", tmp_path, 1200)
    assert "0_image_truth_prediction" in text
    green = (np.abs(picture.astype(int) - (0, 140, 0)).max(2) < 30).sum()
    assert green > 10000
