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
from paddleisa.engine.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent / "tiny"
# No padding: where every pixel is labelled, the mean of two processes' losses is the loss of the joined batch.
SETUP = [
    "plugins=[backbone.py,frozen.py]",
    "model.type=FrozenISANet",
    "iters=6",
    "train_dataset.num_images=9",
    "train_dataset.transforms=[{type: RandomPaddingCrop, crop_size: [32, 32]}, {type: Normalize}]",
]


def arguments(folder, *more):
    opts = [o.replace("[backbone.py,frozen.py]", f"[{HERE / 'backbone.py'},{HERE / 'frozen.py'}]") for o in SETUP]
    return [
        "train",
        "--config",
        str(HERE / "tiny.yml"),
        "--save_dir",
        str(folder),
        "--save_interval",
        "3",
        "--log_iters",
        "1",
        *more,
        "--opts",
        *opts,
    ]


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
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    code, said = launch(folder, arguments(folder / "run", "--do_eval"))
    assert code == 0, said
    return folder / "run"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    assert main(arguments(folder, "--do_eval", "--batch_size", "4")) == 0
    return folder


def test_two_processes_lose_what_one_loses_with_the_doubled_batch(one, two):
    # rtol: gradients are summed in another order, and six steps carry that on.
    assert len(losses(one)) == 6
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-4)


def test_two_processes_reach_the_weights_of_one_with_the_doubled_batch(one, two):
    weights, expected = (read_checkpoint(f / "iter_6").arrays["model.pdparams"] for f in (two, one))
    for name, array in expected.items():
        np.testing.assert_allclose(weights[name], array, rtol=1e-3, atol=1e-4, err_msg=name)


def test_an_evaluation_of_an_odd_number_of_images_by_two_processes_equals_that_of_one(two, tmp_path):
    val = ["val", "--config", str(HERE / "tiny.yml"), "--model_path", str(two / "best_model/model.pdparams")]
    code, said = launch(tmp_path, [*val, "--json", str(tmp_path / "two.json")])
    assert code == 0, said
    assert main([*val, "--json", str(tmp_path / "one.json")]) == 0
    both, alone = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("two", "one"))
    assert both["images"] == alone["images"] == 5
    assert both["class_iou"] == alone["class_iou"]


def test_a_process_that_dies_ends_the_job_with_a_message(tmp_path):
    code, said = launch(tmp_path, arguments(tmp_path / "run"), env={"PADDLEISA_TEST_KILL_RANK": "1"})
    assert code != 0
    assert "process 0 of 2: the connection to another process of the job is lost" in said
    assert "Traceback" not in said
