"""Options to settings, and colours of every shipped config."""

import argparse
import json

import numpy as np
import pytest

from paddleisa.cli import common
from paddleisa.config import Config, load_config, shipped_configs
from paddleisa.datasets.classes import classes_of
from paddleisa.errors import UsageError
from paddleisa.inference.settings import inference_settings
from paddleisa.registry import DATASETS


def settings(*words, **test_config):
    parser = argparse.ArgumentParser()
    common.add_test_arguments(parser)
    config = Config.from_dict({"test_config": test_config} if test_config else {})
    return inference_settings(config.get("test_config"), vars(parser.parse_args(words)))


def test_without_options_an_image_is_evaluated_once_and_whole():
    found = settings()
    assert (found.scales, found.flips, found.crop_size, found.protocol) == ((1.0,), [()], None, "paddleseg-2023")


def test_scales_and_flips_imply_augmentation():
    found = settings("--scales", "0.75", "1.0", "--flip_horizontal")
    assert found.scales == (0.75, 1.0)
    assert found.flips == [(), (3,)]


def test_a_window_implies_sliding():
    found = settings("--crop_size", "769", "513", "--stride", "512", "256")
    assert (found.crop_size, found.stride) == ((769, 513), (512, 256))


def test_the_configs_test_settings_hold_where_the_command_line_says_nothing():
    found = settings(
        aug_eval=True, scales=[0.5, 1.0], flip_vertical=True, is_slide=True, crop_size=[8, 9], stride=[4, 5]
    )
    assert (found.scales, found.flips, found.crop_size, found.stride) == ((0.5, 1.0), [(), (2,)], (8, 9), (4, 5))


def test_scales_of_a_config_without_aug_eval_are_not_used():
    assert settings(aug_eval=False, scales=[0.5], flip_horizontal=True).is_single


def test_the_command_line_wins_over_the_config():
    assert settings("--scales", "2", aug_eval=True, scales=[0.5, 1.0]).scales == (2.0,)
    found = settings("--crop_size", "6", "7", is_slide=True, crop_size=[8, 9], stride=[4, 5])
    assert (found.crop_size, found.stride) == ((6, 7), (4, 5))


@pytest.mark.parametrize("words", [["--is_slide"], ["--crop_size", "8", "8"], ["--stride", "8", "8"]], ids=" ".join)
def test_half_a_window_is_refused(words):
    with pytest.raises(UsageError, match="a sliding window needs its size and its stride"):
        settings(*words)


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_config_has_a_colour_for_each_class_though_its_data_is_not_here(name, tmp_path, monkeypatch):
    from paddleisa.config import check

    monkeypatch.chdir(tmp_path)
    config = load_config(name)
    checked = check(config, "val")
    data = checked["val_dataset"]
    palette = classes_of(DATASETS.get(data["type"]), data, checked["model"]["num_classes"]).palette
    assert palette.dtype == np.uint8
    assert palette.shape == (checked["model"]["num_classes"], 3)
    repeated = 1 if "_ade20k" in name else 0  # ADE20K's own colours: road and skyscraper share a grey
    assert len(np.unique(palette, axis=0)) == len(palette) - repeated


def test_json_is_whole_and_ends_with_a_newline(tmp_path):
    common.write_json(str(tmp_path / "r.json"), {"name": "größe \udcff"})
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "größe \udcff"}
    assert text.endswith("}\n")


def test_without_json_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common.write_json(None, {})
    assert list(tmp_path.iterdir()) == []
