"""A protocol is an entry: everything that names protocols learns of a new one from the table alone."""

import numpy as np
import pytest

from paddleisa.config import Config, check
from paddleisa.errors import ConfigError, UsageError
from paddleisa.evaluation.metrics import Scores
from paddleisa.inference.protocols import PROTOCOLS, Protocol, protocol_of
from paddleisa.inference.settings import InferenceSettings, inference_settings, unused_settings


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "toy-1999", Protocol("toy-1999", "as toys do", absent_iou=0.5, aliases=("toy",)))


@pytest.mark.parametrize(("alias", "name"), [("published", "paddleseg-2021"), ("corrected", "paddleseg-2023")])
def test_the_old_names_still_mean_their_protocols(alias, name):
    assert protocol_of(alias) is PROTOCOLS[name]
    assert InferenceSettings(protocol=alias) == InferenceSettings(protocol=name)


def test_an_unknown_protocol_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="there is no protocol 'paddleseg-2022'.*paddleseg-202"):
        protocol_of("paddleseg-2022")


def test_a_new_entry_is_known_to_settings_config_metrics_and_catalogue(toy):
    from paddleisa.zoo.catalogue import schema

    assert inference_settings({"protocol": "toy"}).protocol == "toy-1999"
    check(Config.from_dict({"model": {"type": "ISANet", "num_classes": 2, "backbone": {"type": "ResNet18_vd"}},
                            "test_config": {"protocol": "toy"}}), "model")  # fmt: skip
    assert Scores.from_matrix(np.diag([3, 1, 0]), "toy").miou == pytest.approx((1 + 1 + 0.5) / 3)
    scores = schema.Scores(single=1, ms_flip={"toy": 2.0})
    assert scores.ms_flip_by_protocol == {"toy-1999": 2.0}


def test_a_config_with_an_unknown_protocol_is_refused_with_the_names():
    config = Config.from_dict({"model": {"type": "ISANet"}, "test_config": {"protocol": "2021"}})
    with pytest.raises(ConfigError, match="must be one of paddleseg-2021, paddleseg-2023, mmseg"):
        check(config, "model")


def test_settings_describe_themselves_in_one_line():
    found = InferenceSettings((0.75, 1.0), True, True, (769, 513), (512, 256), "published").describe()
    assert found == (
        "scales 0.75 1, flip horizontal and vertical, window 769x513, stride 512x256, protocol paddleseg-2021"
    )
    assert InferenceSettings().describe() == "scale 1, no flip, whole images, protocol paddleseg-2023"


@pytest.mark.parametrize(("test_config", "overrides"), [({}, {"aug_eval": True}), ({"aug_eval": True}, {})])
def test_augmentation_that_is_switched_on_without_scales_or_flips_is_told(test_config, overrides):
    (line,) = unused_settings(test_config, overrides)
    assert "aug_eval alone changes nothing" in line


@pytest.mark.parametrize(
    "test_config", [{}, {"aug_eval": True, "scales": [0.5, 1.0]}, {"aug_eval": False, "scales": [2.0]}, None]
)
def test_settings_that_are_all_used_are_not_spoken_of(test_config):
    assert unused_settings(test_config) == []
