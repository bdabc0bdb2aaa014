"""``paddleisa bench model`` from the command line."""

import json

import pytest

from paddleisa.bench.model import combinations, default_size
from paddleisa.config import Config, load_config
from paddleisa.deploy.runtimes.open import runtimes

SCENES = "isanet_resnet18_os8_scenes_128x128_200"
MODEL = ("bench", "model", "--config", SCENES, "--opts", "model.isa_channels=8", "--device", "cpu")


def test_what_cannot_run_is_a_row_with_its_reason(in_this_process, call, tmp_path, same_as_printed):
    run = ("--input_size", 32, 32, "--iters", 3, "--warmup", 0, "--engine", "paddle", "--precision", "fp32", "bf16")
    answer = call(*MODEL, *run, "--json", tmp_path / "r.json", "--plot", tmp_path / "m.png")
    assert answer.code == 0
    result = json.loads((tmp_path / "r.json").read_text())
    network, engines = (table["rows"] for table in result["tables"])
    fp32, bf16 = engines
    assert len(fp32["seconds"]) == 3
    assert min(fp32["seconds"]) <= fp32["p50_ms"] / 1e3 <= fp32["p90_ms"] / 1e3 <= fp32["p99_ms"] / 1e3
    assert fp32["frames_per_s"] == pytest.approx(3 / sum(fp32["seconds"]))
    assert fp32["gflops"] == pytest.approx(network[0]["gflop"] / fp32["p50_ms"] * 1e3)
    assert network[0]["input"] == "32x32"
    assert "Paddle computes bf16 on GPUs only" in bf16["problem"]
    assert "* paddle bf16: " in answer.out
    assert "weights are random" in answer.out
    assert (tmp_path / "m.png").stat().st_size > 10_000
    same_as_printed(result, answer.out)


def test_when_nothing_can_run_the_exit_code_says_so(in_this_process, call):
    answer = call(*MODEL, "--input_size", 32, 32, "--engine", "paddle", "--precision", "bf16")
    assert answer.code == 2
    assert "Paddle computes bf16 on GPUs only" in answer.out


def test_by_default_every_engine_runs_in_every_precision_it_has():
    assert combinations(None, None) == [(name, p) for name, runtime in runtimes().items() for p in runtime.precisions]
    assert combinations(["openvino", "paddle"], ["fp32"]) == [("openvino", "fp32"), ("paddle", "fp32")]


@pytest.mark.parametrize(
    ("transforms", "size"),
    [
        ([], (1024, 512)),
        ([{"type": "Normalize"}], (1024, 512)),
        ([{"type": "Padding", "target_size": [65, 33]}, {"type": "Normalize"}], (65, 33)),
        ([{"type": "Resize", "target_size": [20, 10]}], (20, 10)),
    ],
)
def test_the_default_size_is_what_validation_images_are_brought_to(transforms, size):
    assert default_size(Config.from_dict({"val_dataset": {"transforms": transforms}}, name="x")) == size


def test_the_published_rows_have_their_frames_sizes():
    assert default_size(load_config("isanet_resnet50_os8_cityscapes_769x769_80k")) == (2049, 1025)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--engine", "onx"), "--engine: there is no engine 'onx'. Choose one of: auto, onnxruntime, openvino, "),
        (("--precision", "fp7"), "--precision: there is no precision 'fp7'"),
        (("--config", "nosuch"), "nosuch"),
        (("--model_path", "nosuch.pdparams"), "nosuch.pdparams"),
        (("--input_size", "0", "5"), "0 is not a number from 1"),
        (("--iters", "0"), "0 is not a number from 1"),
        (("--opts", "model.isa_chanels=8"), "Did you mean 'isa_channels'?"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_a_mistake_ends_it_before_anything_is_measured(call, words, message):
    answer = call(*MODEL, *words)
    assert answer.code == 2
    assert message in answer.err
    assert answer.out == ""
