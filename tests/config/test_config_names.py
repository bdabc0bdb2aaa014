"""A published or shipped name, and a training's folder, are accepted wherever a path is."""

from __future__ import annotations

import json

import pytest

import paddleisa
from paddleisa.config import check, load_config, read_config
from paddleisa.errors import ConfigError, WeightsError

DEMO = "isanet_resnet18_os8_scenes_128x128_200"
SHIPPED_WEIGHTS = "isanet_efficientnet_lite0_os16_camvid_448x320_600"


def run_folder(folder, name="mine"):
    """What a training leaves behind of its config."""
    (folder / "iter_5").mkdir(parents=True)
    facts = {"config": {"iters": 7, "model": {"type": "ISANet"}}, "config_name": name}
    (folder / "iter_5/checkpoint.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("part", ["", "iter_5"])
def test_a_trainings_folder_names_its_config(tmp_path, part):
    config = read_config(run_folder(tmp_path / "run") / part, opts=["iters=9"])
    assert (config.name, config["iters"], config["model"]) == ("mine", 9, {"type": "ISANet"})


def test_the_values_of_a_trainings_config_name_its_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config(run_folder(tmp_path / "run")).origin("model.type") == "run/iter_5/checkpoint.json"


def test_a_folder_of_something_else_is_no_config(tmp_path):
    with pytest.raises(ConfigError, match="neither a config nor a training's folder"):
        read_config(tmp_path)


def test_a_shipped_name_can_be_inherited_from(write):
    config = read_config(write("own.yml", f"_base_: {DEMO}\niters: 3\n"))
    assert (config["iters"], config["model"]["type"]) == (3, "ISANet")


def test_a_file_beside_the_config_wins_over_a_shipped_name(write):
    write(DEMO, "iters: 5\n")
    assert read_config(write("own.yml", f"_base_: {DEMO}\n")).to_dict() == {"iters": 5}


def test_a_model_of_a_users_catalogue_names_its_config(write, monkeypatch, tmp_path):
    write("mine.yml", "iters: 11\n")
    write(
        "lab.yml",
        """\
        version: 1
        family: lab
        about: ours
        scores_origin: measured by us
        models:
          our-best:
            config: mine.yml
            backbone: ResNet18_vd
            dataset: Scenes
            crop_size: [32, 32]
            iterations: 1
            total_batch: 1
            num_classes: 3
            scores: {single: 1.0}
            weights: {url: https://files.lab/mine.pdparams}
        """,
    )
    monkeypatch.setenv("PADDLEISA_CATALOGUES", str(tmp_path / "lab.yml"))
    assert read_config("our-best")["iters"] == 11


@pytest.mark.parametrize(
    "source", [SHIPPED_WEIGHTS, "https://files.lab/x.pdparams", "isanet_resnet50_os8_voc12aug_512x512_40k"]
)
def test_weights_to_start_from_can_be_a_name_or_an_address(source):
    check(read_config(DEMO, opts=[f"model.pretrained={source}"]), "train")


@pytest.mark.parametrize("key", ["model.pretrained", "model.backbone.pretrained"])
def test_weights_to_start_from_that_are_not_there_are_told_before_anything_is_built(key):
    config = read_config(DEMO, opts=[f"{key}=nosuch/x.pdparams"])
    with pytest.raises(ConfigError, match=rf"^--opts {key}=.*: {key}: nosuch/x.pdparams: there is no such file"):
        check(config, "train")
    check(config, "val")
    check(config, "resume")


def test_the_backbones_weights_are_not_looked_for_where_the_models_are_given():
    opts = [f"model.pretrained={SHIPPED_WEIGHTS}", "model.backbone.pretrained=nosuch.pdparams"]
    check(read_config(DEMO, opts=opts), "train")


def test_a_name_that_is_nearly_one_gets_the_right_one():
    with pytest.raises(ConfigError, match=f"Did you mean '{SHIPPED_WEIGHTS}'"):
        check(read_config(DEMO, opts=[f"model.pretrained={SHIPPED_WEIGHTS}x"]), "train")


def test_weights_are_loaded_by_name():
    model = paddleisa.build_model(load_config(SHIPPED_WEIGHTS))
    assert len(paddleisa.load_weights(model, SHIPPED_WEIGHTS).loaded) == len(model.state_dict())


def test_weights_are_loaded_from_a_trainings_folder(tmp_path):
    model = paddleisa.build_model(load_config(DEMO))
    paddleisa.save_weights(model.state_dict(), tmp_path / "best_model/model.pdparams")
    assert paddleisa.load_weights(model, tmp_path).loaded


def test_a_name_that_nobody_knows_is_told():
    with pytest.raises(WeightsError, match="nobody: there is no such file"):
        paddleisa.load_weights(None, "nobody")
