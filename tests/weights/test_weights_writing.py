"""What is written is what Paddle and safetensors read."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from paddleisa.errors import UsageError, WeightsError
from paddleisa.weights import read_weights, save_weights

STATE = {"w": np.arange(6, dtype=np.float32).reshape(2, 3).T, "s": np.array(2.5, np.float32), "n": np.array([1, 2])}


def test_pdparams_are_read_by_paddle(tmp_path):
    loaded = paddle.load(str(save_weights(STATE, tmp_path / "model.pdparams")))
    assert loaded.keys() == STATE.keys()
    for name, array in STATE.items():
        np.testing.assert_array_equal(loaded[name].numpy(), array)


def test_state_dict_of_a_layer_is_written_and_read_by_another(tmp_path):
    first, second = paddle.nn.Linear(2, 3), paddle.nn.Linear(2, 3)
    second.set_state_dict(paddle.load(str(save_weights(first.state_dict(), tmp_path / "model.pdparams"))))
    np.testing.assert_array_equal(first.weight.numpy(), second.weight.numpy())


def test_safetensors_are_read_by_the_library_with_their_metadata(tmp_path):
    path = save_weights(STATE, tmp_path / "model.safetensors", metadata={"config": "isanet"})
    loaded = load_file(path)
    for name, array in STATE.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].shape == array.shape
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == {"config": "isanet"}


@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_float16_converts_the_floating_point_tensors_only(suffix, tmp_path):
    state = read_weights(save_weights(STATE, tmp_path / f"model{suffix}", dtype="float16"))
    assert {name: array.dtype.name for name, array in state.items()} == {"w": "float16", "s": "float16", "n": "int64"}
    np.testing.assert_array_equal(state["w"], STATE["w"])


def test_numbers_too_large_for_float16_are_refused_and_the_old_file_stays(tmp_path):
    path = save_weights(STATE, tmp_path / "model.pdparams")
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="'big' holds numbers too large for float16"):
        save_weights({"big": np.array([1e6], np.float32)}, path, dtype="float16")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.pth", {}, "as .pdparams or .safetensors"),
        ("model.pdparams", {"dtype": "int8"}, "Choose float16 or float32"),
        ("model.pdparams", {"metadata": {"a": "b"}}, "no metadata"),
    ],
)
def test_what_cannot_be_written_is_a_usage_error(name, options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        save_weights(STATE, tmp_path / name, **options)
    assert not (tmp_path / name).exists()


def test_values_that_are_no_arrays_of_numbers_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="'epoch' is of type"):
        save_weights({"epoch": "three"}, tmp_path / "model.pdparams")
    with pytest.raises(WeightsError, match="no tensor"):
        save_weights({}, tmp_path / "model.pdparams")
