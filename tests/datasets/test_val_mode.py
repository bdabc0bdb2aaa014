"""A validation set is the validation part unless the config says otherwise."""

import pytest

from paddleisa.config import Config, check


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
