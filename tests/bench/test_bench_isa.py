"""``paddleisa bench isa`` from the command line."""

import json
import xml.dom.minidom
from dataclasses import asdict

import cv2
import numpy as np
import pytest

from paddleisa.bench.isa import Settings, measure_block, needed_bytes
from paddleisa.bench.measuring import run_in_child

SMALL = ("--device", "cpu", "--in_channels", 8, "--channels", 4, "--repeats", 1)


@pytest.fixture
def found(call, tmp_path):
    def run(*words):
        answer = call("bench", "isa", *SMALL, *words, "--json", tmp_path / "r.json")
        assert answer.code == 0
        return json.loads((tmp_path / "r.json").read_text()), answer.out

    return run


def test_where_dense_runs_out_of_memory_the_rest_is_measured(in_this_process, found, same_as_printed):
    result, text = found("--sizes", "64x64", "--memory_limit", 0.1)  # 2 maps of 4096 x 4096 float32 are 0.125 GiB
    _, *ways = result["tables"]
    for way in ways:
        (row,) = way["rows"]
        assert row["isa_ms"] > 0
        assert row["dense_ms"] is row["time_factor"] is row["memory_factor"] is None
        assert row["dense_problem"].startswith("out of memory: needs at least 0.1")
    assert text.count("| out of memory |") == 4
    assert "dense 64x64 forward: out of memory: needs at least 0.13 GiB, 0.1 GiB are allowed" in text
    same_as_printed(result, text)


def test_the_json_is_the_printed_table_with_factors_of_its_numbers(in_this_process, found, same_as_printed):
    result, text = found("--sizes", "16x16", "9x20")
    counted, forward, training = (table["rows"] for table in result["tables"])
    assert [row["size"] for row in forward] == [row["size"] for row in training] == ["16x16", "9x20"]
    for row in [*forward, *training]:
        assert row["time_factor"] == pytest.approx(row["dense_ms"] / row["isa_ms"])
        assert row["isa_ms"] == pytest.approx(1e3 * np.median(row["isa_seconds"]))
    for row in counted:
        assert row["factor"] == pytest.approx(row["dense_gflop"] / row["isa_gflop"])
    assert result["device"] == "cpu"
    assert result["settings"]["in_channels"] == 8
    same_as_printed(result, text)


@pytest.mark.parametrize("way", ["forward", "training"])
def test_dense_attention_takes_at_least_the_memory_that_is_asked_for_it(way):
    """In a child: in a process that has computed before, memory is taken that was given back."""
    settings = Settings(in_channels=8, channels=4)
    outcome = run_in_child(measure_block, size=(64, 64), kind="dense", way=way, settings=asdict(settings))
    assert 0.9 * needed_bytes("dense", (64, 64), way == "training", settings) < outcome.value["bytes"]


def test_the_plot_shows_the_sizes_and_where_memory_ran_out(in_this_process, call, tmp_path):
    words = ("bench", "isa", *SMALL, "--sizes", "16x16", "64x64", "--memory_limit", 0.1)
    assert call(*words, "--plot", tmp_path / "p.svg").code == 0
    text = (tmp_path / "p.svg").read_text()
    xml.dom.minidom.parseString(text)
    for word in ("16x16", "64x64", "ISA, forward", "out of memory"):
        assert f"<!-- {word} -->" in text
    assert call("bench", "isa", *SMALL, "--sizes", "8x8", "--plot", tmp_path / "p.png").code == 0
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert picture.shape[1] > picture.shape[0] > 500
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sizes", "97"), "97 is no height x width; write for example 97x97"),
        (("--sizes", "0x4"), "0x4 is no height x width"),
        (("--sizes", "32x32", "-3x3"), "-3x3"),
        (("--sizes", "32x32x32"), "32x32x32 is no height x width"),
        (("--memory_limit", "0"), "0 is not a number of GiB above 0"),
        (("--memory_limit", "nan"), "nan is not a number of GiB above 0"),
        (("--channels", "0"), "0 is not a number from 1"),
        (("--plot", "x.jpg"), "x.jpg ends neither in .png nor in .svg"),
        (("--plot", "pyproject.toml/x.png"), "pyproject.toml/x.png cannot be written"),
        (("--device", "tpu"), "there is no device 'tpu'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_a_mistake_ends_it_before_anything_is_measured(call, words, message):
    answer = call("bench", "isa", *SMALL, "--sizes", "8x8", *words)
    assert answer.code == 2
    assert message in answer.err
    assert answer.out == ""


def test_two_published_heads_are_compared(in_this_process, call, tmp_path):
    answer = call("bench", "isa", "--heads", "--device", "cpu", "--repeats", 1, "--sizes", "8x8",
                  "--json", tmp_path / "r.json")  # fmt: skip
    assert answer.code == 0
    counted, *ways = json.loads((tmp_path / "r.json").read_text())["tables"]
    assert all(way["rows"][0]["isa_ms"] > 0 and way["rows"][0]["dense_ms"] > 0 for way in ways)
    assert "ISANet (interlaced sparse self-attention) and Base-OC" in answer.out
    assert counted["rows"][0]["isa_gflop"] > counted["rows"][0]["dense_gflop"]  # on a map of one window


def test_published_heads_have_no_channels_to_choose(call):
    answer = call("bench", "isa", "--heads", "--channels", "4", "--sizes", "8x8")
    assert answer.code == 2
    assert "the published heads have their own channels and window" in answer.err
