"""A validation set is the validation part unless the config says otherwise; then somebody says so."""

import numpy as np
import pytest
from PIL import Image

from paddleisa.config import Config, check
from paddleisa.data.check.check import quick_check


def config(which, **options):
    return Config.from_dict({f"{which}_dataset": {"transforms": [], **options}})


@pytest.mark.parametrize("kind", ["ADE20K", "Cityscapes", "PascalVOC", "Scenes"])
def test_under_val_dataset_the_mode_is_val(kind):
    assert check(config("val", type=kind))["val_dataset"]["mode"] == "val"


def test_a_mode_that_is_given_is_kept_and_train_keeps_its_own():
    assert check(config("val", type="Cityscapes", mode="test"))["val_dataset"]["mode"] == "test"
    assert check(config("train", type="Cityscapes"), defaults=True)["train_dataset"]["mode"] == "train"


def test_the_default_says_where_it_comes_from():
    assert check(config("val", type="Scenes")).origin("val_dataset.mode") == "default under val_dataset"


def test_a_score_of_training_images_is_told(tmp_path, capsys):
    for name in ("a", "a_label"):
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "train.txt").write_text("a.png a_label.png\n")
    options = {"type": "Dataset", "num_classes": 2, "dataset_root": str(tmp_path), "train_path": "train.txt"}
    quick_check(config("val", mode="train", **options), "val")
    assert "val_dataset has mode train: its score is that of images that are trained on" in capsys.readouterr().err
