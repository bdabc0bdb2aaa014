"""Every transform of PaddleSeg's table, with its options and defaults, is taken, or refused with what to do instead."""

import pytest

from paddleisa.config import Config, check
from paddleisa.errors import ConfigError

GREY, LABEL = {"im_padding_value": 127.5}, {"label_padding_value": 255}
OPTIONS = {
    "RandomHorizontalFlip": {"prob": 0.5},
    "RandomVerticalFlip": {"prob": 0.1},
    "Resize": {"target_size": [512, 512], "keep_ratio": False, "size_divisor": None, "interp": "LINEAR"},
    "ResizeByLong": {"long_size": 512},
    "ResizeByShort": {"short_size": 512, "max_size": 1e10},
    "LimitLong": {"max_long": 600, "min_long": None},
    "ResizeRangeScaling": {"min_value": 400, "max_value": 600},
    "ResizeStepScaling": {"min_scale_factor": 0.75, "max_scale_factor": 1.25, "scale_step_size": 0.25},
    "Normalize": {"mean": [0.5], "std": [0.5]},
    "Padding": {"target_size": [512, 512], **GREY, **LABEL},
    "PaddingByAspectRatio": {"aspect_ratio": 1, **GREY, **LABEL},
    "RandomPaddingCrop": {
        "crop_size": [512, 512], **GREY, **LABEL, "category_max_ratio": 1.0, "ignore_index": 255, "loop_times": 10,
    },
    "RandomCenterCrop": {"retain_ratio": [0.5, 0.5]},
    "ScalePadding": {"target_size": [512, 512], **GREY, **LABEL},
    "RandomNoise": {"prob": 0.5, "max_sigma": 10.0},
    "RandomBlur": {"prob": 0.1, "blur_type": "gaussian"},
    "RandomRotation": {"max_rotation": 15, **GREY, **LABEL},
    "RandomScaleAspect": {"min_scale": 0.5, "aspect_ratio": 0.33},
    "RandomDistort": {
        "brightness_range": 0.5, "brightness_prob": 0.5, "contrast_range": 0.5, "contrast_prob": 0.5,
        "saturation_range": 0.5, "saturation_prob": 0.5, "hue_range": 18, "hue_prob": 0.5,
        "sharpness_range": 0.5, "sharpness_prob": 0,
    },
    "RandomAffine": {
        "size": [224, 224], "translation_offset": 0, "max_rotation": 15, "min_scale_factor": 0.75,
        "max_scale_factor": 1.25, "im_padding_value": 128, "label_padding_value": 255,
    },
}  # fmt: skip
EXPLAINED = {
    "AddEdgeLabel": "labels of edges, and no model here has such an output: remove it",
    "GenerateInstanceTargets": "one mask per class",
    "AddMultiLabelAuxiliaryCategory": "several classes per pixel",
}
REQUIRED = {"ResizeByLong": ["long_size"], "ResizeByShort": ["short_size"], "Padding": ["target_size"]}


def checked(transform):
    steps = [transform] if transform["type"] == "Normalize" else [transform, {"type": "Normalize"}]
    dataset = {"type": "Dataset", "dataset_root": "d", "num_classes": 3, "transforms": steps}
    return check(Config.from_dict({"train_dataset": dataset}), defaults=True)["train_dataset"]["transforms"][0]


@pytest.mark.parametrize("name", OPTIONS)
def test_all_options_are_taken(name):
    for option, value in OPTIONS[name].items():
        assert checked({"type": name, **OPTIONS[name]})[option] == value


@pytest.mark.parametrize("name", OPTIONS)
def test_the_defaults_are_paddlesegs(name):
    given = {option: OPTIONS[name][option] for option in REQUIRED.get(name, [])}
    found, expected = checked({"type": name, **given}), {"type": name, **OPTIONS[name]}
    if name == "ResizeByShort":
        assert found.pop("max_size") is None and expected.pop("max_size") == 1e10  # no limit, either way
    if name == "LimitLong":
        expected["max_long"] = None
    for option, value in expected.items():
        ours = found[option]
        assert ours == value or ours == [value] * 3, option  # a colour may be written out for each channel


@pytest.mark.parametrize("name", EXPLAINED)
def test_what_has_no_place_here_is_refused_with_the_reason(name):
    with pytest.raises(ConfigError, match=f"there is no transform '{name}'.*{EXPLAINED[name]}"):
        checked({"type": name})


@pytest.mark.parametrize(
    "transform",
    [
        {"type": "RandomPaddingCrop", "crop_size": [1_000_000, 1_000_000]},
        {"type": "ResizeStepScaling", "max_scale_factor": 1e9},
        {"type": "Resize", "target_size": [2**31, 2]},
        {"type": "PaddingByAspectRatio", "aspect_ratio": 1e-300},
        {"type": "RandomBlur", "blur_type": "motion"},
        {"type": "RandomRotation", "max_rotation": -3},
        {"type": "Padding", "target_size": [1e300, 2]},
    ],
    ids=lambda transform: transform["type"],
)
def test_values_beyond_any_use_are_refused(transform):
    with pytest.raises(ConfigError, match="must be|beyond every use"):
        checked(transform)
