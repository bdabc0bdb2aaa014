"""A part of the network that stays as it was loaded."""

import numpy as np
import paddle
import pytest

from paddleisa.optim import SGD

WAYS = [
    {"freeze": ["body"]},
    {"custom_cfg": [{"name": "body", "lr_mult": 0.0}]},
    {"custom_cfg": [{"name": "body", "lr_mult": 0}, {"name": "tail", "lr_mult": 2.0}]},
]


class Net(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.body = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 1), paddle.nn.BatchNorm2D(4), paddle.nn.Dropout(0.5))
        self.tail = paddle.nn.Sequential(paddle.nn.Conv2D(4, 4, 1), paddle.nn.BatchNorm2D(4))

    def forward(self, x):
        return self.tail(self.body(x))


def trained(options):
    """State before and after three steps."""
    paddle.seed(0)
    model, config = Net(), SGD(momentum=0.9, weight_decay=0.1, **options)
    optimizer = config.create(model, 0.1)
    before = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for _ in range(3):
        config.train_mode(model)
        (model(paddle.rand([2, 3, 5, 5])) ** 2).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
    return before, {name: tensor.numpy() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("options", WAYS)
def test_a_frozen_part_stays_as_it_was_running_statistics_included(options):
    before, after = trained(options)
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert same == {name for name in before if name.startswith("body")}


def test_nothing_is_frozen_where_nothing_is_said():
    before, after = trained({})
    assert not [name for name in before if np.array_equal(before[name], after[name])]


def test_dropout_of_a_frozen_part_goes_on():
    model, config = Net(), SGD(freeze=["body"])
    config.create(model, 0.1)
    config.train_mode(model)
    assert model.body[2].training
    assert not model.body[1].training
    assert model.tail[1].training


def test_one_frozen_layer_is_named_by_more_of_its_name():
    model, config = Net(), SGD(freeze=["tail.1"])
    config.create(model, 0.1)
    config.train_mode(model)
    assert [name for name, layer in model.named_sublayers() if not layer.training] == ["tail.1"]


@pytest.mark.parametrize("options", WAYS)
def test_what_is_frozen_is_told(options):
    (line,) = SGD(**options).frozen_lines(Net())
    assert line.startswith("frozen: 6 of 12 tensors stay as loaded, running statistics of batch norm included")
    assert SGD().frozen_lines(Net()) == []
