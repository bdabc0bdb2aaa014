"""Numbers that nothing can use are refused by the check; what would not fit into memory, before it is allocated."""

from __future__ import annotations

import pytest
from paddle import nn

from paddleisa.build import build_dataset, build_model
from paddleisa.config import Config, check, load_config
from paddleisa.errors import ConfigError, UsageError
from paddleisa.inference.settings import InferenceSettings
from paddleisa.registry import MODELS
from paddleisa.utils import memory
from paddleisa.utils.memory import OutOfMemory

DEMO = "isanet_resnet18_os8_scenes_128x128_200"


@pytest.mark.parametrize(
    "opt",
    [
        "train_dataset.transforms.1.crop_size=[1000000, 1000000]",
        "train_dataset.transforms.0.max_scale_factor=1.0e9",
        "train_dataset.transforms.0.scale_step_size=-1",
        "lr_scheduler.power=0",
        "lr_scheduler.power=1.0e300",
        "lr_scheduler.learning_rate=1.0e-300",
        "train_dataset.num_images=9000000000000000000",
        "train_dataset.height=2147483648",
        "test_config={aug_eval: true, scales: 1.0e9}",
        "test_config={is_slide: true, crop_size: [99999, 8], stride: [8, 8]}",
        "iters=1000000000000",
        "batch_size=1000000",
        "model.isa_channels=1000000",
        "model.down_factor=[2147483648, 2]",
        "model.head={type: ISAHead, down_factor: [2, 1000000]}",
        "model.backbone.multi_grid=[1, 1, 100000]",
        "loss.coef=[1.0e300, 0.4]",
        "optimizer.weight_decay=1.0e200",
    ],
)
def test_a_number_beyond_every_use_is_a_problem_of_the_config(opt):
    with pytest.raises(ConfigError, match=f"^--opts {opt.partition('=')[0]}"):
        load_config(DEMO, opts=[opt])


def test_a_seed_of_32_bits_and_a_tiny_rate_are_still_numbers():
    config = load_config(DEMO, opts=["seed=4294967295", "lr_scheduler.learning_rate=1e-12"])
    assert config.settings.seed == 4294967295


@pytest.mark.parametrize("scale", [0.0, -1.0, 17.0, 1e9, float("inf"), float("nan")])
def test_scales_of_the_command_line_have_the_same_bounds(scale):
    with pytest.raises(UsageError, match="must be positive and at most 16"):
        InferenceSettings(scales=(1.0, scale))


def test_a_network_that_cannot_fit_is_refused_with_its_size(monkeypatch):
    class Wide(nn.Layer):
        def __init__(self, num_classes: int, width: int):
            super().__init__()
            self.layer = nn.Linear(width, width)

    monkeypatch.setitem(MODELS._classes, "Wide", Wide)
    config = Config.from_dict({"model": {"type": "Wide", "num_classes": 2, "width": 10**7}}, source="mine.yml")
    with pytest.raises(OutOfMemory, match=r"^mine.yml: out of memory: a network of 1e\+14 weights needs"):
        build_model(config)


@pytest.mark.parametrize("part", ["train", "val"])
def test_images_that_cannot_fit_are_refused_with_their_size(part, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**37)
    transforms = [{"type": "Padding", "target_size": [32767, 32767]}, {"type": "Normalize"}]
    data = {"type": "Dataset", "dataset_root": "none", "num_classes": 200, "transforms": transforms}
    model = {"type": "ISANet", "backbone": {"type": "ResNet18_vd"}}
    values = {"batch_size": 60000, "model": model, f"{part}_dataset": {**data, "mode": part}}
    with pytest.raises(OutOfMemory, match="32767x32767 pixels, with their scores, needs at least"):
        build_dataset(check(Config.from_dict(values)), part)
