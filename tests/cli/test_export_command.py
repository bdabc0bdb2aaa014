"""``paddleisa export`` and ``--engine`` from the command line to the files and masks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import paddleisa
from paddleisa.config import read_config
from paddleisa.deploy import packages
from paddleisa.deploy.runtimes.open import runtimes
from paddleisa.evaluation.warm import start_file

MODEL = ("--config", "tiny.yml", "--device", "cpu", "--model_path", "w.pdparams")


@pytest.fixture(scope="module")
def home_of_all(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def home(home_of_all, monkeypatch):
    """One cache of converted models for all tests: a model is converted once."""
    monkeypatch.setenv("PADDLEISA_HOME", str(home_of_all))
    return home_of_all


def skip_unless(engine):
    if trouble := runtimes()[engine].problem("fp32", "cpu"):
        pytest.skip(trouble[0])


def test_export_writes_a_folder_and_says_what_is_in_it(in_project, call, tmp_path):
    answer = call("export", *MODEL, "--save_dir", tmp_path / "e", "--json", tmp_path / "r.json")
    assert answer.code == 0, answer.err
    about = yaml.safe_load((tmp_path / "e/deploy.yaml").read_text())
    names = [file["name"] for file in about["files"]["paddle"]["files"]]
    assert sorted(path.name for path in (tmp_path / "e").iterdir()) == sorted([*names, "deploy.yaml"])
    for name in names:
        assert f"{tmp_path}/e/{name}" in answer.out
    assert about["class_names"] == ["ground", "wall", "sky"]
    assert about["model"]["weights"]["file"] == "w.pdparams"
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["formats"]["paddle"]["files"] == names
    assert all(entry["equal_pixels"] >= 0.999 for entry in result["formats"]["paddle"]["compared"])


def test_several_formats_shapes_and_outputs_go_through_the_options(in_project, call, tmp_path):
    skip_unless("openvino")
    skip_unless("onnxruntime")
    options = ("--format", "onnx", "openvino", "--input_shape", "1", "3", "-1", "48", "--output_op", "none")
    options = (*options, "--serving", "triton", "--save_dir", tmp_path / "e", "--json", tmp_path / "r.json")
    answer = call("export", *MODEL, *options)
    assert answer.code == 0, answer.err
    assert f"{tmp_path}/e/triton is the model repository of tiny_onnx, tiny_openvino for NVIDIA Triton" in answer.out
    served = json.loads((tmp_path / "r.json").read_text())["serving"]["triton"]
    assert "triton/tiny_onnx/config.pbtxt" in served and all((tmp_path / "e" / name).is_file() for name in served)
    assert "[Paddle2ONNX]" not in answer.out + answer.err
    about = yaml.safe_load((tmp_path / "e/deploy.yaml").read_text())
    assert list(about["files"]) == ["onnx", "openvino"] and "model" not in about["Deploy"]
    assert about["input"]["shape"] == [1, 3, -1, 48] and about["output"]["op"] == "none"


@pytest.mark.parametrize("engine", ["paddle_inference", "onnxruntime", "openvino"])
def test_predict_writes_the_same_masks_with_every_engine(in_project, call, tmp_path, engine, home):
    skip_unless(engine)
    for name in ("paddle", engine):
        words = ("--image_path", "data/b.png", "--save_dir", tmp_path / name, "--engine", name)
        answer = call("predict", *MODEL, *words)
        assert answer.code == 0, answer.err
    assert f"engine: {engine}, fp32 (as asked for)" in answer.out
    one, other = (
        cv2.imread(str(tmp_path / n / "class_id_prediction/b.png"), cv2.IMREAD_UNCHANGED) for n in ("paddle", engine)
    )
    assert one.shape == (70, 40) and np.mean(one == other) >= 0.999
    assert list((home / "engines").glob("*/manifest.json"))


WITHOUT_PADDLE = """
import sys
from paddleisa.cli.main import main
code = main(sys.argv[1:])
assert "paddle" not in sys.modules, "paddle was imported"
sys.exit(code)
"""


def test_a_second_run_on_a_converted_model_writes_the_same_masks_without_importing_paddle(
    in_project, call, tmp_path, home
):
    skip_unless("openvino")
    shutil.rmtree(home / "starts", ignore_errors=True)  # what another test's run has left
    words = ("predict", *MODEL, "--engine", "openvino", "--flip_horizontal", "--image_path", "data")
    first = call(*words, "--save_dir", tmp_path / "first")
    assert first.code == 0, first.err
    command = [sys.executable, "-c", WITHOUT_PADDLE, *words, "--save_dir", str(tmp_path / "second")]
    env = {**os.environ, "PYTHONPATH": str(Path(paddleisa.__file__).parents[1])}
    second = subprocess.run(command, capture_output=True, text=True, env=env)
    assert second.returncode == 0, second.stderr
    told = [line for line in first.out.splitlines() if "ONNX model saved" not in line]  # as paddle2onnx says
    assert second.stdout.replace("/second/", "/first/").splitlines() == told
    masks = sorted((tmp_path / "first").rglob("*.png"))
    assert len(masks) == 3 * 6
    for file in masks:
        assert file.read_bytes() == (tmp_path / "second" / file.relative_to(tmp_path / "first")).read_bytes(), file


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, True),
        ({"precision": "bf16"}, False),
        ({"streams": 2}, False),
        ({"engine": "paddle"}, False),
        ({"precision": "int8"}, False),
        ({"device": "gpu"}, False),
        ({"plugin": "mine.py"}, False),
        ({"opts": "model.down_factor=[4,4]"}, False),
        ({"weights": "w.safetensors"}, False),
    ],
    ids=str,
)
def test_a_run_finds_what_the_same_run_has_left_and_no_other(in_project, change, found):
    def file(weights="w.pdparams", plugin=None, opts=None, **given):
        options = {"engine": "openvino", "precision": "fp32", "streams": 1, "device": "cpu", **given}
        config = read_config("tiny.yml", opts=[opts] if opts else [], plugins=[plugin] if plugin else [])
        return start_file(config, Path(weights), options)

    assert file() is not None
    assert (file(**change) == file()) is found


def test_val_with_auto_says_what_it_takes_and_scores_the_same(in_project, call, tmp_path, home):
    scores = []
    for engine in ("paddle", "auto"):
        answer = call("val", *MODEL, "--engine", engine, "--json", tmp_path / "r.json")
        assert answer.code == 0, answer.err
        scores.append(json.loads((tmp_path / "r.json").read_text()))
    assert "engine: " in answer.out and "the fastest here, measured: " in answer.out
    assert abs(scores[0]["miou"] - scores[1]["miou"]) < 1e-3
    assert scores[0]["engine"] == "paddle" and scores[1]["engine"] in ("openvino", "onnxruntime", "paddle")


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("export", ("--format", "tflite"), "invalid choice: 'tflite'"),
        ("export", ("--input_shape", "1", "1", "64", "64"), "1 1 64 64 is no shape N 3 H W"),
        ("export", ("--save_dir", "data"), "no earlier export"),
        ("export", ("--save_dir", "tiny.yml"), "tiny.yml: is a file, not a folder"),
        ("val", ("--engine", "openvnio"), "Did you mean 'openvino'?"),
        ("val", ("--precision", "bf16"), "Paddle computes bf16 on GPUs only. Take --engine openvino"),
        ("predict", ("--image_path", "data/a.png", "--precision", "int8"), "no precision 'int8'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(in_project, call, command, words, message):
    before = sorted(in_project.rglob("*"))
    answer = call(command, *MODEL, *words)
    assert answer.code == 2
    assert message in answer.err
    assert sorted(in_project.rglob("*")) == before


def test_a_missing_package_is_told_before_the_network_is_built(in_project, call, monkeypatch):
    monkeypatch.setattr(packages, "installed", lambda name: False)
    for words in (("export", *MODEL, "--format", "openvino"), ("val", *MODEL, "--engine", "openvino")):
        answer = call(*words)
        assert answer.code == 2
        assert "tensors loaded" not in answer.out
        assert "pip install 'paddle2onnx" in answer.err and "onnx openvino" in answer.err


def test_dry_run_prints_the_config_and_writes_nothing(in_project, call, tmp_path):
    answer = call("export", *MODEL, "--dry_run", "--save_dir", tmp_path / "e")
    assert answer.code == 0 and "isa_channels" in answer.out
    assert not (tmp_path / "e").exists()
