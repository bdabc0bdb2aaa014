"""Two processes on CPU (gloo), started by Paddle's own launcher."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from paddleisa.cli.main import main
from paddleisa.datasets.images import write_image, write_label
from paddleisa.training.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent / "tiny"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Nine images on which every pixel is labelled: then the mean of two processes' losses is the joined batch's."""
    folder, rng, lines = tmp_path_factory.mktemp("data"), np.random.default_rng(0), []
    for i in range(9):
        label = rng.integers(0, 8, (32, 32)).astype(np.uint8)
        write_image(folder / f"{i}.png", rng.integers(0, 256, (32, 32, 3)).astype(np.uint8))
        write_label(folder / f"label{i}.png", label)
        lines.append(f"{i}.png label{i}.png\n")
    (folder / "list.txt").write_text("".join(lines))
    return folder


def arguments(folder, data, *more):
    opts = [
        f"plugins=[{HERE / 'backbone.py'},{HERE / 'frozen.py'}]",
        "model.type=FrozenISANet",
        "iters=6",
        f"train_dataset={{type: Dataset, dataset_root: {data}, train_path: {data}/list.txt, num_classes: 8, "
        "transforms: [{type: Normalize}]}",
    ]
    words = ["train", "--config", str(HERE / "tiny.yml"), "--save_dir", str(folder), "--save_interval", "3"]
    return [*words, "--log_iters", "1", *more, "--opts", *opts]


def launch(folder, words, env=None):
    """``paddle.distributed.launch`` with two processes: its exit code and everything it printed."""
    script = Path(sysconfig.get_path("scripts")) / "paddleisa"
    command = [
        sys.executable,
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        "2",
        "--backend",
        "gloo",
        "--log_dir",
        str(folder / "launch"),
        str(script),
        *words,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, **(env or {})})
    logs = [p.read_text() for p in sorted((folder / "launch").glob("workerlog.*"))]
    return done.returncode, "\n".join([done.stdout, done.stderr, *logs])


def losses(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def two(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("two")
    code, said = launch(folder, arguments(folder / "run", data, "--do_eval"))
    assert code == 0, said
    return folder / "run"


@pytest.fixture(scope="module")
def one(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("one")
    assert main(arguments(folder, data, "--do_eval", "--batch_size", "4")) == 0
    return folder


def test_two_processes_lose_what_one_loses_with_the_doubled_batch(one, two):
    # rtol: gradients are summed in another order, and six steps carry that on.
    assert len(losses(one)) == 6
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-5)


def test_two_processes_reach_the_weights_of_one_with_the_doubled_batch(one, two):
    weights, expected = (read_checkpoint(f / "iter_6").arrays["model.pdparams"] for f in (two, one))
    for name, array in expected.items():
        np.testing.assert_allclose(weights[name], array, rtol=1e-4, atol=1e-6, err_msg=name)


def test_an_evaluation_of_an_odd_number_of_images_by_two_processes_equals_that_of_one(two, tmp_path):
    val = ["val", "--config", str(HERE / "tiny.yml"), "--model_path", str(two / "best_model/model.pdparams")]
    code, said = launch(tmp_path, [*val, "--json", str(tmp_path / "two.json")])
    assert code == 0, said
    assert main([*val, "--json", str(tmp_path / "one.json")]) == 0
    both, alone = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("two", "one"))
    assert both["images"] == alone["images"] == 5
    assert both["class_iou"] == alone["class_iou"]


def test_a_process_that_dies_ends_the_job_with_a_message(tmp_path, data):
    code, said = launch(tmp_path, arguments(tmp_path / "run", data), env={"PADDLEISA_TEST_KILL_RANK": "1"})
    assert code != 0
    assert "process 0 of 2: the connection to another process of the job is lost" in said
    assert "Traceback" not in said
