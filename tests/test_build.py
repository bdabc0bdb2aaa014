"""From configs to objects."""

import socket

import numpy as np
import paddle
import pytest

import paddleisa
from paddleisa import build
from paddleisa.config import Config, load_config, read_config
from paddleisa.errors import ConfigError, DataError

DEMO = "isanet_resnet18_os8_scenes_128x128_200"
VOC = "isanet_resnet50_os8_voc12aug_512x512_40k"


def test_the_model_has_the_data_sets_number_of_classes_and_maps_images_to_logits():
    model = build.build_model(load_config(DEMO))
    model.eval()
    with paddle.no_grad():
        (logits,) = model(paddle.zeros([1, 3, 40, 56]))
    assert tuple(logits.shape) == (1, 8, 40, 56)


def test_nothing_is_downloaded_for_a_model_with_a_pretrained_backbone(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    opts = ["model.backbone.type=ResNet18_vd"]
    config = load_config(VOC, opts=opts)
    assert config["model"]["backbone"]["pretrained"].startswith("https://")
    build.build_model(config)


def test_all_mistakes_are_told_at_once():
    config = read_config(DEMO, opts=["model.isa_chanels=1", "model.backbone.output_stride=7", "iters=none"])
    with pytest.raises(ConfigError) as error:
        build.build_model(config)
    for part in ("Did you mean 'isa_channels'", "output_stride", "iters"):
        assert part in str(error.value)


def test_a_config_without_a_model_says_so():
    with pytest.raises(ConfigError, match="'model' is needed for model and not given"):
        build.build_model(Config.from_dict({"iters": 3}))


def test_train_and_val_data_are_the_configs_two_sections():
    config = load_config(DEMO, opts=["train_dataset.num_images=5", "val_dataset.num_images=3"])
    train, val = build.build_dataset(config, "train"), build.build_dataset(config, "val")
    assert (len(train), train.mode, len(val), val.mode) == (5, "train", 3, "val")
    assert val[0]["img"].shape == (3, 128, 256)


def test_data_that_is_not_there_is_named(tmp_path):
    config = load_config(VOC, opts=[f"val_dataset.dataset_root={tmp_path / 'nosuch'}"])
    with pytest.raises(DataError, match="nosuch/VOC2012: the data set's folder does not exist"):
        build.build_dataset(config, "val")


def test_a_missing_section_is_named():
    values = load_config(DEMO).to_dict()
    values.pop("val_dataset")
    with pytest.raises(ConfigError, match="'val_dataset' is needed for val and not given"):
        build.build_dataset(Config.from_dict(values), "val")


def test_the_validation_transforms_need_no_data():
    transforms = build.build_val_transforms(load_config(VOC))
    assert [type(t).__name__ for t in transforms] == ["Padding", "Normalize"]
    assert transforms[0].target_size == (512, 512)


def test_loss_optimizer_and_schedule_are_the_configs():
    config = load_config(DEMO)
    terms = build.build_loss(build.check(config, "train"))
    optimizer, schedule = build.build_optimizer(config)
    logits = [paddle.to_tensor(np.zeros((1, 8, 2, 2), np.float32))] * 2
    losses = [float(term) for term in terms(logits, paddle.zeros([1, 2, 2], dtype="int64"))]
    assert losses == pytest.approx([np.log(8), 0.4 * np.log(8)], rel=1e-4)
    assert schedule.scheduler(300).get_lr() == pytest.approx(0.02)
    assert optimizer.create(paddle.nn.Linear(2, 2), schedule.scheduler(300)).get_lr() == pytest.approx(0.02)


@pytest.mark.parametrize("name", paddleisa.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(paddleisa, name) is not None
    assert name in dir(paddleisa)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        paddleisa.nosuch  # noqa: B018
