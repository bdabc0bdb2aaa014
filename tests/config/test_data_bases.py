"""The base configs of data sets are fit for training once a model is given."""

import pytest

from paddleisa.config import check, read_config
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
    from paddleisa.config import Config
    from paddleisa.errors import ConfigError

    with pytest.raises(ConfigError, match="type: Dataset with num_classes|at most 255"):
        check(Config.from_dict({"train_dataset": part}))
