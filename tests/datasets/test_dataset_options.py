"""Options of PaddleSeg's data sets that mean something else here are answered with what to write."""

import pytest

from paddleisa.config import Config, check
from paddleisa.errors import ConfigError

VALID = {"type": "Dataset", "dataset_root": "d", "num_classes": 3, "transforms": [{"type": "Normalize"}]}


def problem(**options):
    with pytest.raises(ConfigError) as caught:
        check(Config.from_dict({"train_dataset": VALID | options}))
    return str(caught.value)


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_other_than_three_are_told_to_go(channels):
    message = problem(img_channels=channels)
    assert "train_dataset.img_channels: is always 3" in message and "grey ones too. Remove the line" in message


def test_three_channels_are_taken():
    check(Config.from_dict({"train_dataset": VALID | {"img_channels": 3}}))


@pytest.mark.parametrize("names", [["bg", True, False], [True, "a", "b"]])
def test_class_names_that_yaml_takes_for_booleans_are_told_to_be_quoted(names):
    message = problem(class_names=names)
    assert "train_dataset.class_names" in message and "yes, no, on, off, true and false for booleans: quote" in message


def test_numbers_as_class_names_get_no_advice_on_booleans():
    assert "booleans" not in problem(class_names=[1, 2, 3])
