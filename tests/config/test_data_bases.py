"""The base configs of data sets are fit for training once a model is given."""

import pytest

from paddleisa.config import Config, check, read_config
from paddleisa.registry import DATASETS
from paddleisa.utils.environment import configs_dir

MODEL = ["model={type: ISANet, backbone: {type: ResNet18_vd}}", "loss.coef=[1, 0.4]"]


@pytest.mark.parametrize(
    "name, kind, crop, iters, rate",
    [
        ("ade20k", "ADE20K", 512, 80000, 0.01),
        ("coco_stuff", "CocoStuff", 520, 80000, 0.01),
        ("pascal_context", "PascalContext", 520, 40000, 0.001),
    ],
)
def test_a_base_config_has_paddlesegs_schedule_and_the_data_sets_classes(name, kind, crop, iters, rate):
    config = check(read_config(f"{configs_dir()}/_base_/{name}.yml", MODEL), "train")
    assert config["model"]["num_classes"] == DATASETS.get(kind).num_classes
    assert (config["iters"], config["lr_scheduler"]["learning_rate"]) == (iters, rate)
    assert config["train_dataset"]["transforms"][1]["crop_size"] == [crop, crop]
    assert config.warnings == ()


@pytest.mark.parametrize("name", ["SUPERVISELY", "DRIVE", "SegDataset", "PSSLDataset"])
def test_paddlesegs_other_data_sets_say_what_to_write(name):
    part = {"type": name, "dataset_root": "x", "transforms": []}
    from paddleisa.errors import ConfigError

    with pytest.raises(ConfigError, match="type: Dataset with num_classes|at most 255"):
        check(Config.from_dict({"train_dataset": part}))


@pytest.mark.parametrize("swapped", [None, [[14, 15], [16, 17], [18, 19]]])
def test_left_and_right_that_a_mirror_does_not_exchange_are_told(swapped):
    flip = {"type": "RandomHorizontalFlip", "swapped_labels": swapped}
    part = {"type": "LIP", "dataset_root": "x"}
    values = {
        "train_dataset": {**part, "mode": "train", "transforms": [flip, {"type": "Normalize"}]},
        "val_dataset": {**part, "mode": "val", "transforms": [{"type": "Normalize"}]},
        "test_config": {"aug_eval": True, "flip_horizontal": True, "swapped_labels": swapped},
    }
    warnings = check(Config.from_dict(values)).warnings
    told = [line for line in warnings if "a mirror turns left into right" in line]
    assert len(told) == (0 if swapped else 2)
    assert all("Write swapped_labels: [[14, 15], [16, 17], [18, 19]]" in line for line in told)
