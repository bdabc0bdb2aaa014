"""Numbers that nothing can use are refused by the check; what would not fit into memory, before it is allocated."""

from __future__ import annotations

import os
import subprocess
import sys

import paddle
import pytest
from paddle import nn

from paddleisa.build import build_dataset, build_model
from paddleisa.config import Config, check, load_config
from paddleisa.config.memory import step_bytes
from paddleisa.errors import ConfigError, UsageError
from paddleisa.inference.settings import InferenceSettings
from paddleisa.registry import MODELS
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import Trainer
from paddleisa.utils import memory
from paddleisa.utils.memory import OutOfMemory

DEMO = "isanet_resnet18_os8_scenes_128x128_200"
LITE = "isanet_efficientnet_lite0_os16_camvid_448x320_600"
R50 = "isanet_resnet50_os8_voc12aug_512x512_40k"


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


def test_a_training_step_that_cannot_fit_is_refused_with_its_size_before_it_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "available", lambda: 2**27)
    config = load_config(DEMO, opts=["batch_size=8", "train_dataset.num_images=8"], purpose="train")
    with pytest.raises(
        OutOfMemory, match=r"training step of 8 images of 128x128 pixels needs at least 0\.\d+ GiB, 0\.1"
    ):
        Trainer(config, TrainOptions(save_dir=tmp_path))


def test_counting_what_a_step_takes_changes_nothing_of_the_model():
    paddle.seed(1)
    model = build_model(load_config(DEMO))
    model.train()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    drawn = paddle.get_rng_state()[0].current_seed()
    step_bytes(model, (64, 64), 1)
    assert model.training and paddle.get_rng_state()[0].current_seed() == drawn
    assert all((value.numpy() == before[name]).all() for name, value in model.state_dict().items())


MEASURED = """
import sys
import paddleisa
import paddle
from paddleisa.build import build_loss, build_model, build_optimizer
from paddleisa.config import load_config
from paddleisa.config.memory import step_bytes
from paddleisa.utils.memory import PeakMemory

side, batch = map(int, sys.argv[2:])
config = load_config(sys.argv[1])
model, loss = build_model(config), build_loss(config)
optimizer, schedule = build_optimizer(config)
updates = optimizer.create(model, schedule.scheduler(10))
images, labels = paddle.randn([batch, 3, side, side]), paddle.randint(0, 2, [batch, side, side])
expected = step_bytes(model, (side, side), batch)
with PeakMemory() as peak:
    sum(loss(model(images), labels)).backward()
    updates.step()
print(expected / 2**20, peak.growth / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux to measure peak memory")
@pytest.mark.parametrize(("name", "side", "batch"), [(DEMO, 128, 4), (DEMO, 256, 4), (LITE, 256, 4), (R50, 256, 2)])
def test_what_a_step_is_expected_to_take_is_within_a_third_of_the_measured_peak(name, side, batch):
    words = [sys.executable, "-c", MEASURED, name, str(side), str(batch)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected, measured = map(float, done.stdout.split())
    print(f"{name} {side} {batch}: {expected:.0f} MiB expected, {measured:.0f} MiB measured")
    assert 2 / 3 < expected / measured < 4 / 3


@pytest.mark.parametrize("part", ["train", "val"])
def test_images_that_cannot_fit_are_refused_with_their_size(part, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**37)
    transforms = [{"type": "Padding", "target_size": [32767, 32767]}, {"type": "Normalize"}]
    data = {"type": "Dataset", "dataset_root": "none", "num_classes": 200, "transforms": transforms}
    model = {"type": "ISANet", "backbone": {"type": "ResNet18_vd"}}
    values = {"batch_size": 60000, "model": model, f"{part}_dataset": {**data, "mode": part}}
    with pytest.raises(OutOfMemory, match="32767x32767 pixels, with their scores, needs at least"):
        build_dataset(check(Config.from_dict(values)), part)
