"""Transforms that do not belong where they stand are told by name, with file, line and key, before anything runs."""

from __future__ import annotations

import pytest

from paddleisa.config import Config, check, load_config
from paddleisa.config.signature import options_of
from paddleisa.errors import ConfigError
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.traits import Traits, traits_of

NORMALIZE = {"type": "Normalize"}
IMAGENET = {"type": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RANDOM = [
    {"type": "RandomHorizontalFlip", "prob": 1.0},
    {"type": "RandomVerticalFlip"},
    {"type": "RandomPaddingCrop", "crop_size": [32, 32]},
    {"type": "RandomScaleAspect"},
    {"type": "RandomDistort"},
    {"type": "RandomBlur"},
    {"type": "RandomNoise"},
    {"type": "RandomBrightnessShift"},
    {"type": "RandomRotation"},
    {"type": "RandomAffine"},
    {"type": "RandomCenterCrop"},
    {"type": "Padding", "target_size": [64, 64], "position": "random"},
    {"type": "ResizeStepScaling", "min_scale_factor": 1.0, "max_scale_factor": 1.0, "aspect_range": [0.9, 1.1]},
    {"type": "Resize", "interp": "RANDOM"},
    {"type": "ResizeStepScaling"},
    {"type": "ResizeRangeScaling"},
    {"type": "ResizeToFit", "target_size": [64, 64], "ratio_range": [0.5, 2.0]},
]
REPEATABLE = [
    {"type": "Padding", "target_size": [64, 64]},
    {"type": "PaddingByAspectRatio"},
    {"type": "Resize"},
    {"type": "ResizeByLong", "long_size": 64},
    {"type": "ResizeByShort", "short_size": 64},
    {"type": "LimitLong", "max_long": 64},
    {"type": "ResizeStepScaling", "min_scale_factor": 1.5, "max_scale_factor": 1.5},
    {"type": "ResizeToFit", "target_size": [64, 64]},
]


def config(train=None, val=None, export=None):
    values = {
        f"{part}_dataset": {"type": "Dataset", "dataset_root": "d", "num_classes": 3, "transforms": transforms}
        for part, transforms in {"train": train, "val": val}.items()
        if transforms is not None
    }
    if export is not None:
        values["export"] = {"transforms": export}
    return Config.from_dict(values)


def problems(**lists):
    with pytest.raises(ConfigError) as caught:
        check(config(**lists))
    return [str(problem) for problem in caught.value.problems]


def warnings(**lists):
    return check(config(**lists)).warnings


def named(transform):
    return transform["type"]


@pytest.mark.parametrize("transform", RANDOM, ids=named)
@pytest.mark.parametrize("part", ["val", "export"])
def test_a_random_transform_is_refused_where_images_are_evaluated(part, transform):
    (problem,) = problems(**{part: [transform, NORMALIZE]})
    key = "val_dataset.transforms.0" if part == "val" else "export.transforms.0"
    assert key in problem and transform["type"] in problem and "take no random transforms" in problem


@pytest.mark.parametrize("transform", RANDOM, ids=named)
def test_a_random_transform_belongs_into_training(transform):
    assert warnings(train=[transform, NORMALIZE]) == ()


@pytest.mark.parametrize("transform", REPEATABLE, ids=named)
def test_what_can_be_undone_is_taken_in_evaluation(transform):
    assert warnings(val=[transform, NORMALIZE]) == ()


def test_a_transform_without_a_way_back_is_refused_though_it_draws_nothing():
    (problem,) = problems(val=[{"type": "ScalePadding"}, NORMALIZE])
    assert "ScalePadding moves pixels without a way back" in problem


def test_the_place_in_the_file_is_told(write):
    path = write(
        "a.yml",
        """\
        val_dataset:
          type: Dataset
          dataset_root: d
          num_classes: 3
          transforms:
            - type: Normalize
            - type: RandomVerticalFlip
        """,
    )
    with pytest.raises(ConfigError, match=r"a\.yml:7: val_dataset\.transforms\.1: RandomVerticalFlip draws random"):
        check(load_config(path))


@pytest.fixture
def of_users(monkeypatch):
    class Wobble:
        traits = Traits(random=True)

    class Unknown:
        pass

    monkeypatch.setattr(TRANSFORMS, "_classes", {**TRANSFORMS._classes, "Wobble": Wobble, "Unknown": Unknown})


def test_a_users_transform_is_judged_by_what_it_says(of_users):
    assert "Wobble draws random numbers" in problems(val=[{"type": "Wobble"}, NORMALIZE])[0]


def test_a_users_transform_that_says_nothing_is_told_once_in_evaluation(of_users):
    unknown = {"type": "Unknown"}
    (warning,) = warnings(val=[unknown, unknown, NORMALIZE], export=[unknown, NORMALIZE])
    assert "val_dataset.transforms.0: Unknown does not say what it does" in warning and "`traits = " in warning
    assert warnings(train=[unknown, NORMALIZE]) == ()


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_every_transform_of_the_package_says_what_it_is(name):
    cls = TRANSFORMS.get(name)
    assert traits_of(cls, {option.name: option.default for option in options_of(cls).known.values()}) is not None


def test_a_list_without_normalize_is_warned_of():
    (warning,) = warnings(val=[{"type": "Resize"}])
    assert "val_dataset.transforms: holds no Normalize" in warning


def test_a_second_normalize_is_refused():
    (problem,) = problems(val=[NORMALIZE, {"type": "Resize"}, NORMALIZE])
    assert "val_dataset.transforms.2: a second Normalize" in problem


@pytest.mark.parametrize("late", [{"type": "RandomDistort"}, {"type": "RandomBlur"}], ids=named)
def test_what_works_on_bytes_is_refused_behind_normalize(late):
    (problem,) = problems(train=[NORMALIZE, late])
    assert f"{late['type']} works on 0..255, but Normalize" in problem


@pytest.mark.parametrize(
    "option, values",
    [("mean", [123.675, 116.28, 103.53]), ("std", [58.395, 57.12, 57.375]), ("mean", [127.5]), ("std", [127.5])],
)
def test_a_mean_or_std_of_0_to_255_is_refused_with_what_to_write(option, values):
    (problem,) = problems(train=[{**NORMALIZE, option: values}])
    assert f"transforms.0.{option}: {values} is of 0..255" in problem
    assert str([round(value / 255, 4) for value in values]) in problem


def test_a_std_of_1_over_255_keeps_values_at_0_to_255_and_is_taken():
    assert warnings(val=[{**IMAGENET, "std": [1 / 255]}]) == ()


@pytest.mark.parametrize("padding", [{}, {"im_padding_value": 127.5}, {"im_padding_value": [0, 0, 3.0]}])
def test_a_padding_behind_normalize_needs_a_value_of_its_range(padding):
    (problem,) = problems(val=[NORMALIZE, {"type": "Padding", "target_size": [9, 9], **padding}])
    assert "behind Normalize, where values are -1..1" in problem


def test_padding_with_the_mean_behind_normalize_is_taken():
    assert warnings(val=[IMAGENET, {"type": "Padding", "target_size": [9, 9], "im_padding_value": 0}]) == ()


def test_a_padding_of_0_to_1_before_normalize_is_warned_of():
    crop = {"type": "RandomPaddingCrop", "im_padding_value": [0.485, 0.456, 0.406]}
    assert "nearly black" in warnings(train=[crop, NORMALIZE])[0]


@pytest.mark.parametrize("colour", [-1, 256, [0, 0, 300]])
def test_a_padding_that_no_image_holds_is_refused(colour):
    assert (
        "values are 0..255 there"
        in problems(train=[{"type": "Padding", "target_size": [9, 9], "im_padding_value": colour}, NORMALIZE])[0]
    )


@pytest.mark.parametrize("val", [IMAGENET, {**NORMALIZE, "std": [0.5, 0.5, 0.25]}])
def test_training_and_evaluation_normalise_alike(val):
    found = problems(train=[NORMALIZE], val=[val])
    assert any("0.5, 0.5, 0.5] in train_dataset.transforms" in problem for problem in found)


def test_one_value_and_three_equal_ones_are_alike():
    assert warnings(train=[NORMALIZE], val=[{"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]) == ()


def test_normalising_in_training_alone_is_refused():
    assert (
        "train_dataset.transforms normalises and val_dataset.transforms does not"
        in problems(train=[NORMALIZE], val=[{"type": "Resize"}])[0]
    )


def test_an_export_that_normalises_otherwise_is_refused():
    assert "export.transforms.0.mean" in problems(val=[NORMALIZE], export=[IMAGENET])[0]
