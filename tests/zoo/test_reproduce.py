"""``paddleisa reproduce``: measured as ``val`` measures, resumable, honest in its exit code and messages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import lab_row
import numpy as np
import pytest
from lab_row import IMAGES, reproduce

from paddleisa.cli.main import main
from paddleisa.deploy.runtimes.open import runtimes
from paddleisa.errors import CheckpointError, UsageError


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("reproduce") / "model.pdparams"
    lab_row.save_random_weights(path)
    return path


@pytest.fixture(scope="module")
def separate(weights):
    """Confusion matrices of the six ways, each evaluated on its own."""
    return lab_row.separate_matrices(weights)


@pytest.fixture
def lab(tmp_path, monkeypatch, server, serve, weights, separate):
    """``lab(**off)``: a catalogue whose published scores are the true ones, moved; returns the words of the command."""
    monkeypatch.chdir(tmp_path)
    url = server.add("/small/model.pdparams", serve.file(weights.read_bytes()))

    def words(*names, **off):
        file = lab_row.write_catalogue(tmp_path, url, lab_row.published_scores(separate, **off))
        return [*(names or ["small"]), "--catalogue", file]

    return words


def results(folder="output/reproduce/small", stem="report"):
    with open(f"{folder}/{stem}.json") as stream:  # noqa: PTH123
        return json.load(stream)


def by_way(row):
    return {f"{s['protocol']}/{s['way']}": s for s in row["scores"]}


def measured_only(row):
    """A row's results without what differs between two equal runs."""
    return {key: value for key, value in row.items() if not key.startswith("seconds")}


class Calls:
    """Counts the images that are evaluated, and acts after some of them."""

    def __init__(self, monkeypatch):
        from paddleisa.reproduce.accumulator import Tally

        self.images, self.after, add = 0, {}, Tally.add

        def counted(tally, *args, **kwargs):
            add(tally, *args, **kwargs)
            self.images += 1
            self.after.get(self.images, lambda: None)()

        monkeypatch.setattr(Tally, "add", counted)


@pytest.fixture
def calls(monkeypatch):
    return Calls(monkeypatch)


def test_all_six_ways_equal_val_run_separately(lab, separate):
    reproduce(*lab())
    found = by_way(results()["models"][0])
    assert found.keys() == separate.keys()
    for key, matrix in separate.items():
        np.testing.assert_array_equal(found[key]["confusion_matrix"], matrix)
        absent = 0 if key.startswith("published") else 1
        assert found[key]["measured"] == pytest.approx(lab_row.miou(matrix, absent), abs=1e-9)


def test_each_image_is_read_once_and_ten_forward_passes_run(lab, calls, monkeypatch):
    from paddleisa.datasets.scenes import Scenes
    from paddleisa.predictor import Predictor

    read, passes = [], []
    getitem, with_network = Scenes.__getitem__, Predictor.with_network
    monkeypatch.setattr(Scenes, "__getitem__", lambda self, i: read.append(i) or getitem(self, i))
    monkeypatch.setattr(
        Predictor, "with_network", lambda self, run: with_network(self, lambda x: passes.extend(x) or run(x))
    )
    reproduce(*lab())
    assert read == list(range(IMAGES))
    assert len(passes) == 10 * IMAGES


@pytest.mark.parametrize(
    ("off", "code", "verdict"),
    [
        ({}, 0, "reproduced"),
        ({"single": 0.04999, "ms_flip_corrected": -0.04999}, 0, "reproduced"),
        ({"flip": 0.0501}, 1, "not reproduced"),
        ({"ms_flip_published": -0.0501}, 1, "not reproduced"),
        ({"ms_flip_corrected": 0.0501}, 1, "not reproduced"),
    ],
)
def test_exit_code_is_0_only_when_every_score_is_within_5_hundredths(lab, capsys, off, code, verdict):
    assert reproduce(*lab(**off)) == code
    assert results()["models"][0]["verdict"] == verdict
    assert (verdict.upper() in capsys.readouterr().out) and results()["reproduced"] is (code == 0)


def test_a_row_with_one_ms_flip_is_held_against_the_protocol_of_val(lab, separate, tmp_path):
    words = lab()
    data = json.loads((tmp_path / "lab.yml").read_text())
    scores = {name: lab_row.miou(separate[f"paddleseg-2023/{name}"], 1) for name in lab_row.WAYS}
    data["models"]["small"]["scores"] = scores
    (tmp_path / "lab.yml").write_text(json.dumps(data))
    assert reproduce(*words) == 0
    found = by_way(results()["models"][0])
    assert [key for key, score in found.items() if score["published"] is not None] == [
        "paddleseg-2023/single",
        "paddleseg-2023/flip",
        "paddleseg-2023/ms_flip",
    ]


def test_a_row_of_mmsegmentation_is_measured_by_its_own_protocol(lab, weights, tmp_path):
    words = lab()
    data = json.loads((tmp_path / "lab.yml").read_text())
    window = {"crop_size": [32, 24], "stride": [20, 16]}
    data["models"]["small"] |= {
        "scores": {"single": 50.0, "ms_flip": 51.0},
        "evaluation": {"mode": "slide", **window, "ms_ratios": [0.5, 1.0, 1.75]},
    }
    (tmp_path / "lab.yml").write_text(json.dumps(data))
    assert reproduce(*words) == 1
    tuples = {key: tuple(value) for key, value in window.items()}
    ways = {"single": tuples, "ms_flip": {**tuples, "scales": (0.5, 1.0, 1.75), "flip_horizontal": True}}
    separate = lab_row.separate_matrices(weights, ways=ways, protocols=("mmseg",))
    found = by_way(results()["models"][0])
    assert found.keys() == separate.keys()
    for key, matrix in separate.items():
        np.testing.assert_array_equal(found[key]["confusion_matrix"], matrix)


@pytest.mark.parametrize("limit", [2, IMAGES, 100])
def test_a_quick_look_is_never_a_reproduction(lab, capsys, limit):
    assert reproduce(*lab(), "--limit", limit) == 1
    out = capsys.readouterr().out
    assert "QUICK LOOK" in out and "REPRODUCED" not in out
    found = results(stem="quick_look")
    assert found["models"][0]["images"] == min(limit, IMAGES)
    assert found["models"][0]["verdict"] == "quick look" and found["reproduced"] is False


def test_a_quick_look_is_not_continued_by_the_whole_run(lab, calls):
    reproduce(*lab(), "--limit", 3)
    reproduce(*lab())
    assert calls.images == 3 + IMAGES


def test_killed_it_continues_at_the_next_image_and_ends_as_if_it_had_not_been(lab, tmp_path, calls):
    script = """
import os, signal, sys
import paddleisa.reproduce.reproduce as module
from paddleisa.cli.main import main
from paddleisa.reproduce.accumulator import Tally
module.SAVE_EVERY, save = 0, Tally.save
def die_after_three(tally, *args):
    save(tally, *args)
    if tally.images == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Tally.save = die_after_three
main(sys.argv[1:])
"""
    words = [str(word) for word in lab()]
    run = subprocess.run([sys.executable, "-c", script, "reproduce", *words], capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert not (tmp_path / "output/reproduce/small/report.json").exists()
    assert reproduce(*words) == 0
    assert calls.images == IMAGES - 3
    continued = results()["models"][0]
    assert reproduce(*words, "--fresh") == 0
    assert calls.images == 2 * IMAGES - 3
    assert measured_only(results()["models"][0]) == measured_only(continued)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(lab, calls, capsys, number):
    calls.after[2] = lambda: os.kill(os.getpid(), number)
    assert reproduce(*lab()) == 128 + number
    assert f"2 of {IMAGES} images of small are measured and saved" in capsys.readouterr().out
    calls.after.clear()
    assert reproduce(*lab()) == 0
    assert calls.images == IMAGES


def test_a_damaged_image_in_the_middle_loses_nothing_before_it(lab, calls, monkeypatch, capsys):
    from paddleisa.datasets.scenes import Scenes
    from paddleisa.errors import DataError

    getitem = Scenes.__getitem__

    def damaged(self, index):
        if index == 3:
            raise DataError("the file is truncated", where="3.png")
        return getitem(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(Scenes, "__getitem__", damaged)
        with pytest.raises(DataError, match=r"3\.png: the file is truncated"):
            reproduce(*lab())
    assert reproduce(*lab()) == 0
    assert calls.images == IMAGES


def test_a_finished_row_is_not_measured_again_unless_asked(lab, calls, capsys):
    assert reproduce(*lab()) == 0
    assert reproduce(*lab()) == 0
    assert calls.images == IMAGES
    assert "--fresh" in capsys.readouterr().out
    assert reproduce(*lab(), "--fresh") == 0
    assert calls.images == 2 * IMAGES


def test_a_state_of_other_weights_or_data_is_not_continued(lab, calls, capsys, tmp_path):
    reproduce(*lab())
    lab_row.save_random_weights(tmp_path / "other.pdparams", seed=1)
    reproduce(*lab(), "--model_path", tmp_path / "other.pdparams")
    assert calls.images == 2 * IMAGES
    assert "measured with other weights:" in capsys.readouterr().out
    reproduce(*lab(), "--opts", "val_dataset.seed=4")
    assert calls.images == 3 * IMAGES
    assert reproduce(*lab()) == 0  # and the first one is still there
    assert calls.images == 3 * IMAGES


def test_a_damaged_state_is_an_error_that_names_fresh(lab, tmp_path):
    reproduce(*lab())
    (state,) = (tmp_path / "output/reproduce/small").glob("state-*.npz")
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="--fresh"):
        reproduce(*lab())
    assert reproduce(*lab(), "--fresh") == 0


def test_two_processes_do_not_measure_the_same_row_at_once(lab, tmp_path):
    from paddleisa.utils.process import exclusive

    reproduce(*lab())
    (state,) = (tmp_path / "output/reproduce/small").glob("state-*.npz")
    with (
        exclusive(state, "measuring this row", "Wait"),
        pytest.raises(UsageError, match=f"process {os.getpid()} on .* is measuring this row"),
    ):
        reproduce(*lab())


def test_several_rows_get_a_report_each_and_one_together(lab, tmp_path, separate, server):
    url = f"{server.root}/small/model.pdparams"
    words = lab("first", "second")
    lab_row.write_catalogue(tmp_path, url, lab_row.published_scores(separate), ("first", "second"))
    assert reproduce(*words, "--json", "all.json") == 0
    together = results("output/reproduce")
    assert [row["model"] for row in together["models"]] == ["first", "second"]
    assert measured_only(together["models"][1]) == measured_only(results("output/reproduce/second")["models"][0])
    assert json.loads((tmp_path / "all.json").read_text()) == together
    for folder in ("", "first/", "second/"):
        assert (tmp_path / f"output/reproduce/{folder}report.html").is_file()


def test_the_device_and_what_opts_changed_stand_in_the_results(lab):
    reproduce(*lab(), "--device", "cpu", "--opts", "val_dataset.num_images=2", "val_dataset.seed=1")
    row = results()["models"][0]
    assert row["device"] == "cpu"
    assert [change.split(" (")[0] for change in row["config_changes"]] == [
        "val_dataset.num_images: 5 -> 2",
        "val_dataset.seed: absent -> 1",
    ]


def test_a_launcher_is_refused(lab, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    with pytest.raises(UsageError, match="one process"):
        reproduce(*lab())


def test_the_command_reaches_it_and_its_mistakes_exit_with_2(lab, capsys):
    assert main(["reproduce", "smal", *map(str, lab()[1:])]) == 2
    assert "Did you mean 'small'?" in capsys.readouterr().err
    assert main(["reproduce", "--limit", "0", *map(str, lab())]) == 2
    assert "--limit" in capsys.readouterr().err


@pytest.mark.skipif(
    runtimes()["onnxruntime"].problem("fp32", "cpu") is not None, reason="ONNX Runtime is not usable here"
)
def test_another_engine_gives_the_same_scores_and_stands_in_the_results(lab, separate):
    assert reproduce(*lab(), "--engine", "onnxruntime") == 0
    row = results()["models"][0]
    assert (row["engine"], row["device"]) == ("onnxruntime fp32", "cpu")
    for key, matrix in separate.items():
        found = np.array(by_way(row)[key]["confusion_matrix"])
        assert np.abs(found - matrix).sum() <= 0.002 * matrix.sum()  # rounding decides near ties


def test_what_one_engine_measured_is_not_continued_by_another(lab, capsys):
    reproduce(*lab(), "--limit", "1")
    reproduce(*lab(), "--limit", "1", "--engine", "paddle_inference")
    assert "not continued, measured with other engine" in capsys.readouterr().out
