"""Hostile files end in one line of explanation: nothing runs, nothing is written, memory stays bounded."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz import fuzz
from hostile_files import DAMAGED, RUNS_CODE, TOO_MUCH, valid
from hypothesis import given
from hypothesis import strategies as st
from peak_memory import growth_of

from paddleisa.errors import WeightsError
from paddleisa.weights import read_weights

EVERYTHING = {**RUNS_CODE, **TOO_MUCH, **DAMAGED}


@pytest.mark.parametrize("name", EVERYTHING)
def test_hostile_file_is_refused_in_one_line_and_runs_nothing(name, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "model.pdparams"
    path.write_bytes(EVERYTHING[name](f"touch {canary}"))
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < len(str(path)) + 320
    assert [file.name for file in tmp_path.iterdir()] == ["model.pdparams"]


@pytest.mark.parametrize("name", ["os_system_protocol2", "builtins_eval", "numpy_objects", "inst_instruction"])
def test_the_attacks_are_real_for_the_standard_unpickler(name, tmp_path):
    canary = tmp_path / "canary"
    pickle.loads(RUNS_CODE[name](f"touch {canary}"))
    assert canary.exists()


def test_the_function_that_a_file_would_run_is_named(tmp_path):
    path = tmp_path / "model.pdparams"
    path.write_bytes(RUNS_CODE["builtins_exec"]("true"))
    with pytest.raises(WeightsError, match=r"would import and could run 'builtins\.exec' when it is unpickled"):
        read_weights(path)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure peak memory")
def test_memory_stays_below_twice_the_file_and_100_megabytes(tmp_path):
    for name, make in EVERYTHING.items():
        (tmp_path / name).write_bytes(make("true"))
    with (tmp_path / "honest").open("wb") as stream:
        pickle.dump({"w": np.ones(30 << 18, np.float32)}, stream, protocol=2)
    growth, accepted = growth_of("paddleisa.weights:read_weights", tmp_path)
    assert accepted == {"honest"}
    assert len(growth) == len(EVERYTHING) + 1
    assert growth["honest"] > 30e6  # the measurement sees what is allocated
    assert {name: rise >> 20 for name, rise in growth.items() if rise > 2 * _size(tmp_path, name) + 100e6} == {}


def _size(folder: Path, name: str) -> int:
    return (folder / name).stat().st_size


@fuzz(300)
@given(data=st.data())
def test_random_damage_gives_a_state_or_a_weights_error_never_a_traceback(data, tmp_path_factory):
    raw = bytearray(valid())
    interesting = [*range(min(120, len(raw))), *range(len(raw) - 100, len(raw))]
    for position in data.draw(st.lists(st.sampled_from(interesting), min_size=1, max_size=4)):
        raw[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pdparams"
    path.write_bytes(raw)
    try:
        state = read_weights(path)
    except WeightsError as error:
        assert error.where == str(path)
    else:
        assert all(array.dtype.kind in "fiub" for array in state.values())


def test_nested_tuples_as_a_name_are_refused_where_pythons_own_unpickler_crashes(tmp_path):
    """Why there is a machine of our own: hashing such a key recurses in C, whatever ``find_class`` hands out."""
    path = tmp_path / "model.pdparams"
    path.write_bytes(b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u.")
    standard = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
    assert subprocess.run([sys.executable, "-c", standard, path], capture_output=True).returncode < 0
    with pytest.raises(WeightsError, match="has a name that is a tuple"):
        read_weights(path)
