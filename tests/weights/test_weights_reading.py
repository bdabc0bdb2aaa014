"""Honest state dicts of every format, and files that are something else."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from paddleisa.errors import WeightsError
from paddleisa.weights import read_weights

FILES = Path(__file__).parent / "files"
SHAPES = {"0.weight": (4, 3, 3, 3), "1.weight": (4,), "1.bias": (4,), "1._mean": (4,), "1._variance": (4,)}


def described(shape: tuple[int, ...]) -> np.ndarray:
    """The values that files/make_files.py put into a tensor of ``shape``."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) * 0.5 + len(shape)


@pytest.mark.parametrize("version", ["2.6.2", "3.3.1"])
@pytest.mark.parametrize("kind", ["protocol2", "protocol3", "protocol4", "tuples2", "tuples3", "tuples4"])
def test_state_dict_as_paddle_wrote_it_is_read(version, kind):
    state = read_weights(FILES / f"paddle{version}_{kind}.pdparams")
    assert {name: array.shape for name, array in state.items()} == SHAPES
    assert list(state) == list(SHAPES)
    for name, array in state.items():
        np.testing.assert_array_equal(array, described(SHAPES[name]))
        assert array.dtype == np.float32
        assert array.flags.writeable


@pytest.mark.parametrize("version", ["2.6.2", "3.3.1"])
def test_bfloat16_comes_as_its_bits_and_scalars_stay_zero_dimensional(version):
    state = read_weights(FILES / f"paddle{version}_types.pdparams")
    assert state["w"].dtype == np.uint16
    bits = described(SHAPES["0.weight"]).view(np.uint32) >> 16  # these values are exact in bfloat16
    np.testing.assert_array_equal(state["w"], bits)
    assert state["s"].shape == () and state["s"] == 2.5
    assert state["n"].tolist() == [3, 4] and state["n"].dtype == np.int64


@pytest.mark.parametrize("version", ["2.6.2", "3.3.1"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("checkpoint.pdparams", "holds a dict as 'model' .* checkpoint of several parts"),
        ("optimizer.pdopt", "holds a dict as 'LR_Scheduler' .* optimizer states"),
    ],
)
def test_other_things_that_paddle_saves_are_refused_by_name(version, name, message):
    with pytest.raises(WeightsError, match=message):
        read_weights(FILES / f"paddle{version}_{name}")


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_every_type_and_order_equals_what_the_standard_unpickler_gives(protocol, dtype, tmp_path):
    values = np.random.default_rng(0).integers(0, 100, (30, 40)).astype(dtype)
    arrays = {"c": values, "fortran": np.asfortranarray(values), "empty": values[:0], "scalar": np.array(values[0, 0])}
    raw = pickle.dumps({**arrays, "c again": values}, protocol=protocol)
    path = tmp_path / "model.pdparams"
    path.write_bytes(raw)
    state, expected = read_weights(path), pickle.loads(raw)
    assert list(state) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(state[name], array)
        assert state[name].dtype == array.dtype and state[name].shape == array.shape


@pytest.mark.parametrize("protocol", [2, 3])
def test_parameters_that_paddle_cut_in_pieces_are_put_together(protocol, tmp_path):
    import paddle

    big = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
    flat = big.reshape(-1)
    saved = {
        "w@@.0": flat[:16],
        "w@@.1": flat[16:],
        "b": np.ones(2, np.float32),
        "UnpackBigParamInfor@@": {"w": {"OriginShape": big.shape, "slices": ["w@@.0", "w@@.1"]}},
        "StructuredToParameterName@@": {"w": "linear_0.w_0", "b": "linear_0.b_0"},
    }
    path = tmp_path / "model.pdparams"
    path.write_bytes(pickle.dumps(saved, protocol=protocol))
    state, by_paddle = read_weights(path), paddle.load(str(path), return_numpy=True)
    assert state.keys() == by_paddle.keys() == {"w", "b"}
    np.testing.assert_array_equal(state["w"], big)
    np.testing.assert_array_equal(state["w"], by_paddle["w"])


def test_state_of_python_2_is_read(tmp_path):
    """Paddle 2.0 ran on Python 2.7, where byte strings and text are one type (SHORT_BINSTRING, BINSTRING)."""

    def string(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    def array(values: np.ndarray) -> bytes:
        made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        kind = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        return (
            made
            + b"(K\x01M"
            + struct.pack("<H", values.size)
            + b"\x85"
            + kind
            + b"\x89"
            + string(values.tobytes())
            + b"tb"
        )

    few, many = np.array([1.5, -2.5], np.float32), np.arange(300, dtype=np.float32)
    raw = b"\x80\x02}(" + string(b"few") + array(few) + string(b"many") + array(many) + b"u."
    path = tmp_path / "model.pdparams"
    path.write_bytes(raw)
    state = read_weights(path)
    np.testing.assert_array_equal(state["few"], few)
    np.testing.assert_array_equal(state["many"], many)


def test_ordered_dict_is_read(tmp_path):
    from collections import OrderedDict

    path = tmp_path / "model.pdparams"
    path.write_bytes(pickle.dumps(OrderedDict(b=np.ones(2), a=np.zeros(3)), protocol=4))
    assert list(read_weights(path)) == ["b", "a"]


def test_safetensors_are_recognised_by_content_and_keep_half_precision(tmp_path):
    arrays = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "one": np.array(3.5),
        "no": np.zeros((0, 2), np.int8),
    }
    path = tmp_path / "named_wrongly.pdparams"
    save_file(arrays, path, metadata={"made": "here"})
    state = read_weights(path)
    assert state.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(state[name], array)
        assert state[name].dtype == array.dtype and state[name].shape == array.shape and state[name].flags.writeable


def test_safetensors_of_bfloat16_come_as_their_bits(tmp_path):
    header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<HH", 0x3F80, 0xC000))
    bits = read_weights(path)["w"]
    assert bits.dtype == np.uint16
    assert (bits.astype(np.uint32) << 16).view(np.float32).tolist() == [1.0, -2.0]


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(name, b"x" * 100)
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, w=np.ones(3))
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty.*Download it again"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "is a web page.*Download it again"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Error/>", "is a web page"),
        (b'{"error": "no such object"}', "is JSON text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a git-lfs pointer.*git lfs pull"),
        (zipped("archive/data.pkl"), "is a PyTorch file.*zoo convert"),
        (zipped("leftImg8bit/a.png"), r"is an archive \(zip\)"),
        (npz(), r"is a numpy archive \(.npz\).*save_weights"),
        (npy(), r"is a single numpy array"),
        (gzip.compress(b"x" * 100, mtime=0), r"is an archive \(gzip\).*pretrained"),
        (b"\0" * 257 + b"ustar" + b"\0" * 700, "inference parameters"),
        (b"name" + b"\0" * 253 + b"ustar" + b"\0" * 700, r"is an archive \(tar\)"),
        (pickle.dumps({"w": np.ones(3)}, protocol=5), "protocol 5"),
        (pickle.dumps({"w": np.ones(3)}, protocol=0), "protocol 0 or 1"),
        (b"\xb8\x07\x07 noise", "is not a weights file"),
    ],
)
def test_file_that_is_no_state_dict_is_told_what_it_is(content, message, tmp_path):
    path = tmp_path / "model.pdparams"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        read_weights(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_truncated_file_is_refused_as_truncated(tmp_path):
    raw = (FILES / "paddle3.3.1_protocol4.pdparams").read_bytes()
    path = tmp_path / "model.pdparams"
    for length in range(1, len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(WeightsError, match="ends before its data does|is damaged"):
            read_weights(path)


def test_missing_file_folder_and_pipe_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="there is no such weights file"):
        read_weights(tmp_path / "nothing.pdparams")
    with pytest.raises(WeightsError, match="is a folder"):
        read_weights(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="is a pipe or device"):
        read_weights(tmp_path / "pipe")
