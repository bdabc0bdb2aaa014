"""What a checked config gives: typed settings with the real defaults, and notes on what was passed on unchecked."""

from __future__ import annotations

import dataclasses

import pytest

from paddleisa.config import Config, build_part, check, load_config, read_config
from paddleisa.config.schema import EMA, NEEDS, Loss, Settings, TestConfig
from paddleisa.errors import ConfigError, ConfigWarning
from paddleisa.registry import MODELS


@pytest.fixture
def settings(fakes, write):
    """``settings("a.b=1")``: the typed settings of the valid config with options."""
    path = write("a.yml", fakes.VALID)
    return lambda *opts: load_config(path, opts, purpose="train").settings


def test_an_empty_config_has_the_defaults():
    found = check(Config.from_dict({})).settings
    assert (found.seed, found.precision, found.amp_level, found.repeats) == (42, "fp32", "O1", 1)
    assert found.test_config == TestConfig(scales=1.0, protocol="paddleseg-2023")
    assert (found.ema, found.early_stop, found.loss) == (None, None, None)
    assert found.export.output_op == "argmax"


@pytest.mark.parametrize("key", [f.name for f in dataclasses.fields(Settings) if f.name not in NEEDS["train"]])
def test_null_at_the_top_level_means_the_default(settings, key):
    default = getattr(Settings(), key)
    assert getattr(settings(f"{key}=null"), key) == default


def test_values_have_their_types(settings):
    found = settings("test_config.crop_size=[8, 4]", "lr_scheduler.power=2")
    assert found.test_config.crop_size == (8, 4)
    assert found.test_config.scales == [0.75, 1.0, 1.25]
    assert isinstance(found.loss, Loss)
    assert found.loss.coef == [1.0, 0.4]


def test_an_empty_section_is_there_with_its_defaults(settings):
    assert settings("ema={}").ema == EMA(decay=0.9998)


def test_components_stay_mappings_that_can_be_built(settings):
    assert settings().model["backbone"] == {"type": "Stem", "output_stride": 8, "pretrained": None}


def test_settings_cannot_be_changed(settings):
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings().seed = 1


def test_reading_alone_checks_nothing_and_loading_checks_everything(fakes, write):
    path = write("a.yml", "iters: -1\nmodle: 3\n")
    assert read_config(path)["iters"] == -1
    with pytest.raises(ConfigError, match="2 problems"):
        load_config(path)


def test_loading_for_a_purpose_asks_for_its_parts(fakes, write):
    path = write("a.yml", "iters: 3\n")
    assert load_config(path).settings.iters == 3
    with pytest.raises(ConfigError, match="'model' is needed for val"):
        load_config(path, purpose="val")


def test_loading_warns_of_what_is_seldom_meant(write):
    text = "val_dataset: {type: Scenes, mode: train, transforms: [{type: Normalize}]}"
    with pytest.warns(ConfigWarning, match="a.yml:1: val_dataset.mode: val_dataset is the train part"):
        load_config(write("a.yml", text))


def test_what_is_checked_is_not_checked_again(fakes, write):
    config = load_config(write("a.yml", fakes.VALID))
    assert check(config, "train") is config


def test_the_settings_of_a_config_and_of_its_dump_are_the_same(fakes, write):
    config = check(read_config(write("a.yml", fakes.VALID)), "train", defaults=True)
    assert load_config(write("b.yml", config.dump())).settings == config.settings


class Tensor:
    """A class that no YAML value is."""


@pytest.fixture
def register(monkeypatch, fakes):
    return lambda cls: monkeypatch.setitem(MODELS._classes, cls.__name__, cls)


def test_a_value_for_a_class_that_yaml_cannot_write_is_refused(register):
    class Odd:
        def __init__(self, num_classes: int, start: Tensor | None = None):
            pass

    register(Odd)
    model = {"type": "Odd", "num_classes": 2}
    assert check(Config.from_dict({"model": {**model, "start": None}})).warnings == ()
    with pytest.raises(ConfigError, match="model.start: must be Tensor or null, not 3"):
        check(Config.from_dict({"model": {**model, "start": 3}}))


def test_a_value_without_an_annotation_is_passed_on_with_a_note(register):
    class Bare:
        def __init__(self, num_classes: int, thing=1, **others):
            pass

    register(Bare)
    config = check(Config.from_dict({"model": {"type": "Bare", "num_classes": 2, "thing": [1], "more": 2}}))
    assert [note.split(":")[1].strip() for note in config.warnings] == ["model.thing", "model.more"]
    assert all("unchecked" in note for note in config.warnings)


@pytest.mark.parametrize(
    "error", [ValueError("too wide"), ZeroDivisionError("too wide"), GeneratorExit("too wide"), SystemExit("too wide")]
)
def test_a_constructor_that_fails_is_told_with_place_class_and_line(register, error):
    class Narrow:
        def __init__(self, num_classes: int, width: int):
            raise error

    register(Narrow)
    config = check(Config.from_dict({"model": {"type": "Narrow", "num_classes": 2, "width": 9}}, source="mine"))
    with pytest.raises(ConfigError, match=r"^mine: model: Narrow cannot be made .*too wide.*test_config_settings"):
        build_part(config, "model", MODELS)
