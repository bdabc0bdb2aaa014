"""``paddleisa train``: its options, and what it says at its end."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from paddleisa import Predictor, load_config
from paddleisa.build import build_dataset
from paddleisa.datasets.images import read_image
from paddleisa.training.checkpoint import checkpoints, read_checkpoint
from paddleisa.weights import read_weights

TINY = Path(__file__).parents[1] / "training" / "tiny" / "tiny.yml"


@pytest.fixture
def train(call, tmp_path):
    """``train("--iters", 4)`` trains the tiny network in a folder of its own."""
    return lambda *words: call("train", "--config", TINY, "--save_dir", tmp_path / "run", *words)


def test_the_end_says_where_the_model_is_how_it_scored_and_how_that_was_measured(train, tmp_path):
    done = train("--do_eval", "--iters", 4)
    assert done.code == 0
    score = json.loads((tmp_path / "run/best_model/score.json").read_text())
    assert f"The best model, of iteration 4: {tmp_path}/run/best_model/model.pdparams" in done.out
    assert f"mIoU {score['miou']:.4f}, measured with scale 1, no flip, whole images, protocol" in done.out
    assert f"Images, truth and its predictions: {tmp_path}/run/best_model/predictions.png" in done.out


def test_the_picture_shows_validation_images_beside_their_truth_and_what_the_best_model_predicts(train, tmp_path):
    train("--do_eval", "--iters", 4)
    data, seg = build_dataset(load_config(TINY), "val"), Predictor.from_pretrained(tmp_path / "run")
    sample = data.read(0)
    height, width = sample["label"].shape
    picture = read_image(tmp_path / "run/best_model/predictions.png")[4 : 4 + height, 4:].astype(int)  # a frame of 4
    np.testing.assert_array_equal(picture[:, :width], sample["img"])
    for place, mask in ((1, sample["label"]), (2, seg(sample["img"]))):
        seen = mask < len(data.palette)
        half = (sample["img"].astype(float) + data.palette[np.where(seen, mask, 0)]) / 2
        assert np.abs(picture[:, place * width : (place + 1) * width] - half)[seen].max() <= 1


def test_the_commands_at_the_end_do_what_they_say(train, call, tmp_path):
    done = train("--do_eval", "--iters", 4, "--opts", "val_dataset.num_images=3")
    commands = [shlex.split(line)[1:] for line in done.out.splitlines() if line.startswith("  paddleisa ")]
    assert [command[0] for command in commands] == ["val", "predict", "export"]
    assert all("--config" not in command for command in commands)  # the training's folder holds it, options and all
    val = call(*commands[0])
    assert val.code == 0 and "#Images: 3" in val.out
    assert f"mIoU: {json.loads((tmp_path / 'run/best_model/score.json').read_text())['miou']:.4f}" in val.out


def test_a_model_that_was_not_scored_is_said_to_be(train, tmp_path):
    done = train("--iters", 4)
    assert f"The model of iteration 4: {tmp_path}/run/iter_4/model.pdparams\nIt was not scored" in done.out


@pytest.mark.parametrize("opts", [[], ["--opts", "ema={decay: 0.5}"]])
def test_use_ema_averages_the_weights_and_keeps_the_configs_decay(train, tmp_path, opts):
    done = train("--iters", 2, "--save_interval", 1, "--use_ema", *opts)
    assert f"{tmp_path}/run/iter_2/ema.pdparams" in done.out
    name, decay = "head.cls.1.bias", 0.5 if opts else 0.9998
    first, second = (read_checkpoint(tmp_path / f"run/iter_{i}").arrays for i in (1, 2))
    expected = decay * first["ema.pdparams"][name] + (1 - decay) * second["model.pdparams"][name]
    np.testing.assert_allclose(second["ema.pdparams"][name], expected, rtol=1e-5, atol=1e-9)


def test_early_stop_intervals_stops_early(train, tmp_path):
    words = ["--do_eval", "--save_interval", 1, "--learning_rate", 1e-30, "--early_stop_intervals", 2]
    assert "stopped early" in train(*words).out
    assert len(checkpoints(tmp_path / "run")) < 12


def test_to_static_training_trains_the_same_and_says_that_it_does_nothing(train, call, tmp_path):
    assert "to_static_training: changes nothing here" in train("--iters", 2, "--to_static_training").err
    call("train", "--config", TINY, "--save_dir", tmp_path / "plain", "--iters", 2)
    run, plain = (read_weights(tmp_path / name / "iter_2/model.pdparams") for name in ("run", "plain"))
    assert all(np.array_equal(run[name], plain[name]) for name in plain)


def test_the_profiler_measures_its_steps_and_ends_the_training_with_a_checkpoint(train, tmp_path):
    done = train("--profiler_options", "batch_range=[1,3]; timer_only=True; state=All")
    assert "profiler:" in done.out and "reader_cost" in done.out
    assert "--profiler_options state does nothing with this Paddle" in done.out
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["iter_3"]


def test_the_profiler_traces_operations(train, tmp_path):
    train("--iters", 3, "--profiler_options", "batch_range=[1,2];timer_only=False;exit_on_finished=False")
    (trace,) = (tmp_path / "run/profiler").glob("*.json")
    assert "conv2d" in trace.read_text()
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["iter_3"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("batch_rang=[1,2]", "there is no option 'batch_rang'. Did you mean 'batch_range'?"),
        ("batch_range=[2,1]", "batch_range is '[2,1]', not two steps"),
        ("batch_range=5", "batch_range is '5', not two steps"),
        ("timer_only=maybe", "timer_only is 'maybe', not one of True, False"),
        ("sorted_key=size", "sorted_key is 'size', not one of total, max, min, ave"),
    ],
)
def test_profiler_options_that_are_none_are_told(train, text, wrong):
    done = train("--profiler_options", text)
    assert done.code == 2
    assert f"--profiler_options: {wrong}" in done.err
