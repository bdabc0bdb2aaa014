"""What the commands do, as functions of ``import paddleisa``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import paddleisa
from paddleisa.errors import ConfigError, UsageError, WeightsError

TINY = Path(__file__).parent / "training/tiny/tiny.yml"
SHIPPED = "isanet_efficientnet_lite0_os16_camvid_448x320_600"
FUNCTIONS = ["train", "evaluate", "predict", "export", "reproduce", "verify", "prepare", "check", "load_weights"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_command_has_its_function(name):
    assert name in paddleisa.__all__
    assert callable(getattr(paddleisa, name))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    result = paddleisa.train(TINY, opts=["iters=2"], save_dir=folder, do_eval=True, progress=False)
    return folder, result


def test_a_training_by_the_configs_path(trained):
    folder, result = trained
    assert result.iteration == 2
    assert (folder / "best_model/model.pdparams").is_file()


def test_a_trainings_folder_is_evaluated_alone_and_with_itself_as_config(trained):
    folder, result = trained
    alone = paddleisa.evaluate(folder, progress=False)
    assert alone.miou == result.best_miou
    assert paddleisa.evaluate(folder, folder, progress=False).miou == alone.miou


def test_a_training_goes_on_from_its_own_folders_config(trained, tmp_path):
    result = paddleisa.train(trained[0], opts=["iters=3"], save_dir=tmp_path, progress=False)
    assert result.iteration == 3


def test_training_checks_the_config_before_anything(tmp_path):
    with pytest.raises(ConfigError, match="model.pretrained"):
        paddleisa.train(TINY, opts=["model.pretrained=nosuch.pdparams"], save_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_shipped_weights_are_the_published_ones():
    assert paddleisa.verify(SHIPPED).ok


def test_a_file_is_verified_against_the_model_that_its_tensors_fit(tmp_path):
    state = {name: np.asarray(value) for name, value in paddleisa.read_weights(_shipped_file()).items()}
    paddleisa.save_weights(state, tmp_path / "copy.safetensors")
    report = paddleisa.verify(tmp_path / "copy.safetensors")
    assert {check.name: check.result for check in report.checks}["names"] == "ok"


def _shipped_file():
    from paddleisa.zoo.resolve import weights_file

    return weights_file(None, SHIPPED)


def test_what_is_neither_a_file_nor_a_name_cannot_be_verified():
    with pytest.raises(UsageError, match="there is no such file"):
        paddleisa.verify("nobody.pdparams")


def test_a_configs_data_is_checked_by_name():
    report = paddleisa.check("isanet_resnet18_os8_scenes_128x128_200", quick=True, progress=False)
    assert report.errors == []


def test_nothing_is_prepared_of_a_data_set_that_needs_nothing(tmp_path):
    with pytest.raises(UsageError, match="Scenes has nothing to prepare"):
        paddleisa.prepare("Scenes", tmp_path)


def test_a_reproduction_of_an_unknown_model_names_the_nearest(tmp_path):
    import paddleisa.reproduce.result  # so that the room is imported, and still a function

    with pytest.raises(UsageError, match=f"Did you mean '{SHIPPED}'"):
        paddleisa.reproduce(SHIPPED + "x", tmp_path)


def test_weights_that_are_not_there_end_an_evaluation_at_once():
    with pytest.raises(WeightsError, match="nosuch"):
        paddleisa.evaluate("nosuch.pdparams", TINY)
