"""``paddleisa prepare`` from the outside, and what it adds to val and predict."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets.scenes import Scenes
from paddleisa.utils.process import exclusive

pytest.importorskip("cityscapesscripts", reason="the official package, extra `data`")

CITYSCAPES = """
model: {type: ISANet, isa_channels: 8, down_factor: [2, 2], backbone: {type: ResNet18_vd, output_stride: 16}}
train_dataset: {type: Cityscapes, dataset_root: data, mode: train, transforms: [{type: Normalize}]}
val_dataset: {type: Cityscapes, dataset_root: data, mode: val, transforms: [{type: Normalize}]}
"""


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """A folder with generated Cityscapes data, a config and weights."""
    import paddle

    from paddleisa.build import build_model
    from paddleisa.cli.main import main
    from paddleisa.config import load_config
    from paddleisa.weights import save_weights

    root = tmp_path_factory.mktemp("rehearsal")
    (root / "tiny.yml").write_text(CITYSCAPES)
    words = ["--layout", "cityscapes", "--num_images", "3", "2", "--size", "96", "64", "--num_workers", "0"]
    assert main(["prepare", "scenes", str(root / "data"), *words]) == 0
    assert (
        main(["prepare", "cityscapes", str(root / "data"), "--num_workers", "0", "--cache", str(root / "cache")]) == 0
    )
    paddle.seed(1)
    save_weights(build_model(load_config(root / "tiny.yml")).state_dict(), root / "w.pdparams")
    return root


@pytest.fixture
def here(rehearsal, monkeypatch, tmp_path):
    monkeypatch.chdir(rehearsal)
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path))
    return rehearsal


def test_check_of_right_data_exits_0_and_writes_its_reports(here, call, tmp_path):
    answer = call(
        "prepare", "check", "--config", "tiny.yml", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html"
    )
    assert answer.code == 0 and "nothing is wrong" in answer.out
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["errors"] == 0 and [part["images"] for part in result["splits"]] == [3, 2]
    assert (tmp_path / "r.html").read_text().lower().startswith("<!doctype html>")


def test_check_of_wrong_data_exits_2_and_names_file_and_fix(here, call, tmp_path):
    label = next((here / "data").glob("gtFine/val/*/*_labelTrainIds.png"))
    right = label.read_bytes()
    label.write_bytes(right[:-5])
    try:
        answer = call("prepare", "check", "--config", "tiny.yml", "--json", tmp_path / "r.json")
    finally:
        label.write_bytes(right)
    assert answer.code == 2 and label.name in answer.out and "1 error, 0 warnings" in answer.out
    (finding,) = json.loads((tmp_path / "r.json").read_text())["findings"]
    assert finding["kind"] == "truncated" and finding["file"].endswith(label.name) and finding["fix"]


def test_the_quick_form_says_how_much_it_looked_at(here, call):
    answer = call("prepare", "check", "--config", "tiny.yml", "--quick")
    assert answer.code == 0 and "3 images (generated: 3)" in answer.out


def test_check_needs_no_paddle(here):
    import subprocess
    import sys

    code = (
        "import sys; from paddleisa.cli.main import main; "
        "main(['prepare', 'check', '--config', 'tiny.yml', '--quick']); print('paddle' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_browse_writes_a_sheet(here, call, tmp_path):
    answer = call("prepare", "browse", "--config", "tiny.yml", "--count", "2", "--save", tmp_path / "sheet.png")
    assert answer.code == 0 and "2 of 3 samples" in answer.out
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[0] > 2 * 64


def test_voc_is_rehearsed_from_the_generated_download(call, tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    root = tmp_path / "VOCdevkit"
    words = ("--num_images", "3", "2", "--size", "96", "64", "--num_workers", "0")
    assert call("prepare", "scenes", root, "--layout", "voc", *words).code == 0
    answer = call("prepare", "voc", root, "--num_workers", "0", "--offline")
    assert answer.code == 0, answer
    assert "trainaug 6 images (published 10582), val 2 (published 1449)" in answer.out
    assert "nothing is wrong" in answer.out


@pytest.mark.parametrize(
    "words, message",
    [
        (("prepare", "cityscapes", "nowhere"), "there is no annotation"),
        (("prepare", "voc", "nowhere", "--offline"), "VOCtrainval_11-May-2012.tar"),
        (("prepare", "check", "--config", "no.yml"), "no.yml"),
        (("prepare", "check", "--config", "tiny.yml", "--opts", "val_dataset.moode=1"), "no option 'moode'"),
        (("prepare", "scenes", "x", "--layout", "voc", "--size", "0", "8"), "cannot be used"),
        (("prepare", "scenes", "data", "--layout", "voc", "--num_images", "1"), "generated data of another"),
        (("prepare", "browse", "--config", "tiny.yml", "--count", "0"), "--count"),
        (("predict", "--config", "tiny.yml", "--model_path", "w.pdparams", "--image_path", "data/leftImg8bit/val",
          "--format", "voc"), "21 classes, the model has 19"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_without_a_traceback(here, call, words, message):
    answer = call(*words)
    assert answer.code == 2 and answer.err.startswith("paddleisa: error: ")
    assert message in answer.err


def test_val_runs_the_official_evaluator_on_what_it_predicted(here, call, tmp_path):
    answer = call(
        "val", "--config", "tiny.yml", "--model_path", "w.pdparams", "--official", tmp_path / "o",
        "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert answer.code == 0 and "[OFFICIAL] mIoU:" in answer.out
    result = json.loads((tmp_path / "r.json").read_text())
    official = list(result["official"]["class_iou"].values())
    for ours, theirs in zip(result["class_iou"], official, strict=True):
        assert theirs is None and ours == 1 or ours == pytest.approx(theirs, abs=1e-6)
    names = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert names == ["frankfurt_000000_000019_pred_labelIds.png", "lindau_000000_000019_pred_labelIds.png"]


def test_predict_writes_the_submission_that_val_had_scored(here, call, tmp_path):
    words = ("--config", "tiny.yml", "--model_path", "w.pdparams")
    call("val", *words, "--official", tmp_path / "val")
    call(
        "predict",
        *words,
        "--image_path",
        "data/leftImg8bit/val",
        "--format",
        "cityscapes",
        "--save_dir",
        tmp_path / "p",
    )
    written = sorted((tmp_path / "p").iterdir())
    assert len(written) == 2
    for path in written:
        one, other = (cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in (path, tmp_path / "val" / path.name))
        assert np.array_equal(one, other) and set(np.unique(one)) <= {7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33}


def test_val_stops_at_data_that_is_not_prepared(here, call):
    labels = sorted((here / "data").glob("gtFine/val/*/*_labelTrainIds.png"))
    contents = [path.read_bytes() for path in labels]
    for path in labels:
        path.unlink()
    try:
        answer = call("val", "--config", "tiny.yml", "--model_path", "w.pdparams")
    finally:
        for path, content in zip(labels, contents, strict=True):
            path.write_bytes(content)
    assert answer.code == 2 and "paddleisa prepare cityscapes data" in answer.err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    scenes = Scenes([], "train", 6, 64, 96)
    (tmp_path / "photos").mkdir()
    for number in range(6):
        sample = scenes.read(number)
        Image.fromarray(sample["img"]).save(tmp_path / f"photos/{number}.jpg", quality=95)
        Image.fromarray(np.minimum(sample["label"], 8)).save(tmp_path / f"photos/{number}_mask.png")
    return tmp_path / "photos"


def test_own_ends_with_the_check_and_the_commands(folder, call):
    answer = call("prepare", "own", "photos", "--val", "0.34", "--batch_size", "2", "--num_workers", "0")
    assert answer.code == 0
    assert "6 images with masks of numbers; 9 classes" in answer.out
    assert "4 images for training, 2 for validation" in answer.out
    assert "paddleisa train --config photos/paddleisa/photos.yml --reinit_classifier --do_eval" in answer.out


def test_its_config_is_accepted_by_train(folder, call):
    call("prepare", "own", "photos", "--num_workers", "0")
    answer = call("train", "--config", "photos/paddleisa/photos.yml", "--dry_run")
    assert answer.code == 0 and "num_classes: 9" in answer.out


def test_labels_are_made_where_asked(folder, call):
    answer = call("prepare", "labels", "photos", "--save_dir", "ids")
    assert answer.code == 0 and len(list((folder.parent / "ids").glob("*.png"))) == 6


def test_a_folder_without_anything_is_one_line_and_code_2(tmp_path, call):
    answer = call("prepare", "own", str(tmp_path))
    assert answer.code == 2 and "have the same name" in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize("words", [("own", "photos"), ("labels", "photos", "--save_dir", "photos/paddleisa")])
def test_a_second_one_into_the_folder_is_refused_with_the_process_of_the_first(folder, call, words):
    with exclusive(folder / "paddleisa/prepare", "writing into this folder", "Wait"):
        answer = call("prepare", *words, "--num_workers", "0")
    assert (
        answer.code == 2 and f"process {os.getpid()} on " in answer.err and "is writing into this folder" in answer.err
    )
