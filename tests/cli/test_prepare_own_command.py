"""``paddleisa prepare own`` and ``labels`` from the outside."""

import os

import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets.scenes import Scenes
from paddleisa.utils.process import exclusive


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
