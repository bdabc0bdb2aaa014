"""PyTorch checkpoints: what torch.save writes is read exactly; what it never writes is refused, and nothing runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from fuzz import fuzz
from hostile_torch_files import NEUTRALISED, REFUSED, checkpoint, entry, honest, packed, streamed, tensor
from hypothesis import given
from hypothesis import strategies as st
from peak_memory import growth_of

from paddleisa.errors import WeightsError
from paddleisa.weights import read_weights
from paddleisa.weights.safe_pickle.torch_file import is_torch, read_torch

FORMATS = {"zip": packed, "stream": streamed}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_file_is_refused_in_one_line_and_runs_nothing(name, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "model.pth"
    path.write_bytes(REFUSED[name](f"touch {canary}"))
    with pytest.raises(WeightsError) as caught:
        read_torch(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    assert len(message) < len(str(path)) + 320
    assert [file.name for file in tmp_path.iterdir()] == ["model.pth"]


@pytest.mark.parametrize("pack", FORMATS)
@pytest.mark.parametrize("name", NEUTRALISED)
def test_an_attack_beside_the_state_dict_is_neutralised_and_the_tensors_are_read(name, pack, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "model.pth"
    attack = NEUTRALISED[name](f"touch {canary}")
    path.write_bytes(FORMATS[pack](checkpoint(entry(tensor()), meta=attack, built=attack + b"b")))
    np.testing.assert_array_equal(read_torch(path)["w"], np.arange(6, dtype=np.float32))
    assert not canary.exists()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_attacks_are_real_for_the_standard_unpickler(number, tmp_path):
    canary = tmp_path / "canary"
    pickle.loads(b"\x80\x02" + NEUTRALISED[f"attack_{number}"](f"touch {canary}") + b".")
    assert canary.exists()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure peak memory")
def test_memory_stays_below_twice_the_file_and_100_megabytes(tmp_path):
    for name, make in REFUSED.items():
        (tmp_path / name).write_bytes(make("true"))
    growth, _ = growth_of("paddleisa.weights.safe_pickle.torch_file:read_torch", tmp_path)
    assert len(growth) == len(REFUSED)
    sizes = {name: (tmp_path / name).stat().st_size for name in growth}
    assert {name: rise >> 20 for name, rise in growth.items() if rise > 2 * sizes[name] + 100e6} == {}


@pytest.mark.parametrize("pack", FORMATS)
@fuzz(300)
@given(data=st.data())
def test_random_damage_gives_a_state_or_a_weights_error_never_a_traceback(pack, data, tmp_path_factory):
    raw = bytearray(FORMATS[pack](honest()))
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(raw)
    try:
        state = read_torch(path)
    except WeightsError as error:
        assert error.where == str(path)
    else:
        assert all(array.dtype.kind in "fiub" for array in state.values())


def test_read_weights_names_the_command_that_converts(tmp_path):
    for pack in FORMATS.values():
        path = tmp_path / "model.pth"
        path.write_bytes(pack(honest()))
        assert is_torch(path)
        with pytest.raises(WeightsError, match="paddleisa zoo convert"):
            read_weights(path)


def test_a_pdparams_is_not_taken_for_a_pytorch_file(tmp_path):
    path = tmp_path / "model.pdparams"
    path.write_bytes(pickle.dumps({"w": np.ones(3)}, protocol=4))
    assert not is_torch(path)
    with pytest.raises(WeightsError, match="is a pickle file, not a PyTorch one"):
        read_torch(path)


@pytest.fixture(scope="module")
def written():
    """State dicts of every kind of tensor, as torch.save takes them, with the arrays that must come out."""
    torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")
    base = torch.arange(60.0).reshape(3, 4, 5)
    tensors = {
        "plain": base,
        "transposed": base.permute(2, 0, 1).clone(memory_format=torch.contiguous_format).transpose(0, 2),
        "every_second": torch.arange(40).reshape(4, 10).clone()[::2, 1::3],
        "offset": torch.randn(10)[3:7],
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "ones_with_odd_strides": torch.randn(6).as_strided((1, 3), (17, 2)),
        "parameter": torch.nn.Parameter(torch.randn(4)),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        **{
            str(kind): torch.tensor([1, 0, 3], dtype=kind)
            for kind in (
                torch.float16,
                torch.float64,
                torch.int8,
                torch.int16,
                torch.int32,
                torch.int64,
                torch.uint8,
                torch.bool,
            )
        },
    }
    bits = torch.randn(5).bfloat16()
    arrays = {name: value.detach().numpy().copy() for name, value in tensors.items()}
    return torch, {**tensors, "bfloat16": bits}, {**arrays, "bfloat16": bits.view(torch.int16).numpy().view(np.uint16)}


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_tensor_that_torch_saves_is_read_exactly(written, zipped, protocol, tmp_path):
    if not zipped and protocol != 2:
        pytest.skip("before 1.6 nobody chose another protocol")
    torch, tensors, arrays = written
    path = tmp_path / "model.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    state = read_torch(path)
    assert list(state) == list(arrays)
    for name, expected in arrays.items():
        found = state[name]
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.flags.c_contiguous and found.flags.writeable
        np.testing.assert_array_equal(found, expected)


class Custom:
    """Something of the author's that nobody else can import."""

    def __init__(self):
        self.values = {1, 2}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("part", ["state_dict", "model"])
def test_a_training_checkpoint_with_anything_beside_its_tensors_is_read(zipped, part, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")
    import datetime

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.randn(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    meta = {
        "config": "model = dict()\n" * 1000 + "\u6f22",
        "time": datetime.datetime.now(),
        "score": np.float64(0.7),
        "array": np.ones(4),
        "path": Path("a"),
        "seed": 2**63 + 1,
        "classes": ("road", "car"),
        "set": frozenset([1]),
        "object": Custom(),
    }
    path = tmp_path / "model.pth"
    content = {"meta": meta, part: net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    state = read_torch(path)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(state[name], value.numpy())
    assert len(state) == len(net.state_dict())
