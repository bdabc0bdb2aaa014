"""The spelling of 2021."""

from __future__ import annotations

import pytest

from paddleisa.config import read_config
from paddleisa.errors import ConfigError

OLD = """
optimizer:
  type: sgd
  momentum: 0.8
learning_rate:
  value: 0.02
  decay:
    type: poly
    power: 0.7
    end_lr: 0.1
"""


def test_the_old_keys_become_todays(write):
    assert read_config(write("old.yml", OLD)).to_dict() == {
        "optimizer": {"type": "SGD", "momentum": 0.8},
        "lr_scheduler": {"type": "PolynomialDecay", "learning_rate": 0.02, "power": 0.7, "end_lr": 0.1},
    }


def test_rewritten_values_keep_their_lines(write):
    config = read_config(write("old.yml", OLD))
    places = [config.origin(f"lr_scheduler.{key}") for key in ("learning_rate", "type", "power")]
    assert places == ["old.yml:6", "old.yml:8", "old.yml:9"]
    assert config.origin("optimizer.type") == "old.yml:3"


def test_a_new_file_inherits_from_an_old_one(write):
    write("old.yml", OLD)
    config = read_config(
        write("new.yml", "_base_: old.yml\nlr_scheduler: {learning_rate: 0.5}\noptimizer: {momentum: 0}")
    )
    assert config["lr_scheduler"] == {"type": "PolynomialDecay", "learning_rate": 0.5, "power": 0.7, "end_lr": 0.1}
    assert config["optimizer"] == {"type": "SGD", "momentum": 0}


def test_an_old_file_inherits_from_a_new_one(write):
    write("new.yml", "lr_scheduler: {type: PolynomialDecay, learning_rate: 1, power: 2}")
    config = read_config(write("old.yml", "_base_: new.yml\nlearning_rate: {value: 3}"))
    assert config["lr_scheduler"] == {"type": "PolynomialDecay", "learning_rate": 3, "power": 2}


def test_sgd_meant_momentum_where_none_was_given(write):
    assert read_config(write("a.yml", "optimizer: {type: sgd}"))["optimizer"] == {"type": "SGD", "momentum": 0.9}
    assert read_config(write("b.yml", "optimizer: {type: SGD}"))["optimizer"] == {"type": "SGD"}


def test_both_spellings_in_one_file_contradict_each_other(write):
    with pytest.raises(ConfigError, match=r"a\.yml:2: both learning_rate and lr_scheduler \(a\.yml:1\)"):
        read_config(write("a.yml", "lr_scheduler: {power: 1}\nlearning_rate: {value: 1}"))


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        (
            "{value: [1, 2], decay: {type: piecewise, boundaries: [5]}}",
            {"type": "PiecewiseDecay", "boundaries": [5], "values": [1, 2]},
        ),
        (
            "{value: 1, decay: {type: stepdecay, step_size: 3}}",
            {"type": "StepDecay", "step_size": 3, "learning_rate": 1},
        ),
        ("0.3", {"learning_rate": 0.3}),
        ("{value: 1, decay: {type: cosine}}", {"type": "cosine", "learning_rate": 1}),
        ("{value: 1, decay: 4}", {"type": 4, "learning_rate": 1}),
    ],
)
def test_other_decays_and_fragments(write, text, schedule):
    assert read_config(write("a.yml", f"learning_rate: {text}"))["lr_scheduler"] == schedule
