"""From a checked config to objects."""

from __future__ import annotations

from typing import Annotated

import pytest

from paddleisa.config import build_part, check, read_config
from paddleisa.errors import ConfigError
from paddleisa.registry import DATASETS, LOSSES, MODELS, OPTIMIZERS


@pytest.fixture
def config(fakes, write):
    return check(read_config(write("a.yml", fakes.VALID)), "train")


def test_a_component_gets_built_parts_and_coerced_values(config, fakes):
    model = build_part(config, "model", MODELS)
    assert isinstance(model.values["backbone"], fakes.Stem)
    assert model.values["down_factor"] == (4, 8)
    assert model.values["num_classes"] == 5


def test_lists_of_components_are_built_in_order(config, fakes):
    data = build_part(config, "train_dataset", DATASETS)
    assert [type(t) for t in data.values["transforms"]] == [fakes.Crop, fakes.Flip]
    losses = build_part(config, "loss.types", list[Annotated[object, LOSSES]])
    assert [type(x).__name__ for x in losses] == ["Entropy", "Mixed"]
    assert losses[1].values["losses"][1].values["weight"] == [1.0, 2.0]


def test_sections_arrive_as_their_class(config, fakes):
    (group,) = build_part(config, "optimizer", OPTIMIZERS).values["custom_cfg"]
    assert group == fakes.Group(name="backbone", lr_mult=0.1)


def test_a_constructors_own_refusal_gets_its_place(config):
    bad = check(config.with_values(opts=["model.down_factor=[8, 4]"]), "train")
    with pytest.raises(ConfigError, match=r"^a\.yml:3: model: down_factor falls. Write it the other way round"):
        build_part(bad, "model", MODELS)


def test_a_part_that_is_not_there_is_an_error(config):
    with pytest.raises(ConfigError, match="there is no 'export'"):
        build_part(config, "export", MODELS)
