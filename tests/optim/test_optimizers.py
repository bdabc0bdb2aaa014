"""Update rules against arithmetic by hand."""

import math

import numpy as np
import paddle
import pytest

import paddleisa.optimizers
from paddleisa.config import build_part, check, load_config
from paddleisa.errors import ConfigError
from paddleisa.optim import SGD, Adam, AdamW, Momentum
from paddleisa.registry import OPTIMIZERS


class TwoWeights(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        one = paddle.nn.initializer.Constant(1.0)
        self.body = paddle.nn.Linear(1, 1, weight_attr=paddle.ParamAttr(initializer=one), bias_attr=False)
        self.tail = paddle.nn.Linear(1, 1, weight_attr=paddle.ParamAttr(initializer=one), bias_attr=False)

    def forward(self, x, slope=1.0):
        return self.tail(x) + slope * self.body(x)  # the gradients are x and slope * x


def steps(config, number=2, x=2.0, slope=1.0):
    model = TwoWeights()
    optimizer = config.create(model, 0.1)
    for _ in range(number):
        model(paddle.to_tensor([[x]]), slope).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
    return model.body.weight.item(), model.tail.weight.item()


def test_sgd_with_momentum_and_weight_decay_follows_the_textbook():
    weight, velocity = 1.0, 0.0
    for _ in range(2):
        velocity = 0.9 * velocity + (2.0 + 0.01 * weight)
        weight -= 0.1 * velocity
    assert steps(SGD(momentum=0.9, weight_decay=0.01)) == pytest.approx((weight, weight), rel=1e-6)
    assert steps(Momentum(weight_decay=0.01)) == pytest.approx((weight, weight), rel=1e-6)


def test_sgd_without_momentum_is_plain():
    assert steps(SGD()) == pytest.approx((1 - 2 * 0.1 * 2,) * 2, rel=1e-6)


def test_nesterov_looks_ahead():
    weight, velocity = 1.0, 0.0
    for _ in range(3):
        velocity = 0.5 * velocity + 2.0
        weight -= 0.1 * (2.0 + 0.5 * velocity)
    assert steps(Momentum(0.5, use_nesterov=True), 3) == pytest.approx((weight, weight), rel=1e-6)
    assert steps(SGD(momentum=0.5, use_nesterov=True), 3) == pytest.approx((weight, weight), rel=1e-6)


def test_nesterov_without_a_momentum_is_told():
    with pytest.raises(ConfigError, match="use_nesterov needs a momentum"):
        SGD(use_nesterov=True)


@pytest.mark.parametrize(
    ("yaml", "momentum"),
    [
        ("{type: SGD}", 0.0),
        ("{type: SGD, momentum: 0.8}", 0.8),
        ("{type: sgd}", 0.9),
        ("{type: Momentum}", 0.9),
        ("{type: momentum, momentum: 0.7}", 0.7),
    ],
)
def test_what_a_config_means_by_sgd(tmp_path, yaml, momentum):
    path = tmp_path / "a.yml"
    path.write_text(f"optimizer: {yaml}\n")
    assert build_part(check(load_config(str(path))), "optimizer", OPTIMIZERS).momentum == momentum


def test_groups_have_their_own_learning_rate_and_decay():
    config = SGD(weight_decay=0.5, custom_cfg=[{"name": "body", "lr_mult": 0.1, "weight_decay_mult": 0}])
    body, tail = steps(config)
    assert body == pytest.approx(1 - 2 * 0.01 * 2)
    first = 1 - 0.1 * (2 + 0.5)
    assert tail == pytest.approx(first - 0.1 * (2 + 0.5 * first))


def test_adamw_has_groups_with_their_own_learning_rate_and_decay():
    body, tail = steps(AdamW(weight_decay=0.1, custom_cfg=[{"name": "body", "lr_mult": 0.5, "weight_decay_mult": 3}]))
    for found, rate, decay in ((body, 0.05, 0.3), (tail, 0.1, 0.1)):
        weight = 1.0
        for _ in range(2):  # a constant gradient makes Adam's step equal to the learning rate
            weight = weight * (1 - rate * decay) - rate
        assert found == pytest.approx(weight, rel=1e-5)


def test_an_optimizer_does_not_inherit_the_factors_of_the_models_last_one():
    model = TwoWeights()
    SGD(weight_decay=0.5, custom_cfg=[{"name": "body", "lr_mult": 0.1}]).create(model, 0.1)
    optimizer = SGD().create(model, 0.1)
    model(paddle.to_tensor([[2.0]])).sum().backward()
    optimizer.step()
    assert model.body.weight.item() == pytest.approx(1 - 0.1 * 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"custom_cfg": [{"name": "bckbone"}]}, "no parameter's name contains 'bckbone'"),
        ({"custom_cfg": [{"name": "body"}, {"name": "body.weight"}]}, "'body.weight' without an earlier group"),
        ({"freeze": ["bckbone"]}, "optimizer.freeze: no parameter's name contains 'bckbone'"),
        ({"freeze": ["weight"]}, "every parameter is frozen"),
    ],
)
def test_names_that_cannot_be_meant_are_told(options, message):
    with pytest.raises(ConfigError, match=message):
        SGD(**options).create(TwoWeights(), 0.1)


def test_the_global_norm_bounds_the_step():
    config = SGD(grad_clip_cfg={"name": "ClipGradByGlobalNorm", "clip_norm": 1.0})
    body, tail = steps(config)  # two equal gradients of norm 2 * sqrt(2) -> 1 / sqrt(2) each
    assert (body, tail) == pytest.approx((1 - 0.2 / math.sqrt(2),) * 2, rel=1e-5)


@pytest.mark.parametrize("make", [SGD, Momentum, Adam, AdamW])
@pytest.mark.parametrize("groups", [[{"name": "body"}], [{"name": "body"}, {"name": "tail"}]])
def test_the_global_norm_is_of_all_groups_together(make, groups):
    clip = {"name": "ClipGradByGlobalNorm", "clip_norm": 1.0}
    together = steps(make(grad_clip_cfg=clip), slope=3.0)
    assert steps(make(grad_clip_cfg=clip, custom_cfg=groups), slope=3.0) == pytest.approx(together, rel=1e-6)


def test_the_global_norm_keeps_the_gradients_direction():
    clip = {"name": "ClipGradByGlobalNorm", "clip_norm": 1.0}
    body, tail = steps(SGD(grad_clip_cfg=clip, custom_cfg=[{"name": "body"}]), 1, slope=3.0)
    assert (1 - body) / (1 - tail) == pytest.approx(3.0, rel=1e-5)
    assert np.hypot(1 - body, 1 - tail) == pytest.approx(0.1, rel=1e-5)


def test_gradients_within_the_global_norm_stay():
    assert steps(SGD(grad_clip_cfg={"name": "ClipGradByGlobalNorm", "clip_norm": 9.0})) == steps(SGD())


def test_the_norm_of_every_tensor_is_bounded_by_itself():
    body, tail = steps(SGD(grad_clip_cfg={"name": "ClipGradByNorm", "clip_norm": 1.0}), 1, x=0.5, slope=4.0)
    assert (body, tail) == pytest.approx((1 - 0.1, 1 - 0.05), rel=1e-5)


@pytest.mark.parametrize(("low", "expected"), [(None, 1 - 0.1 * -1.0), (-0.25, 1 - 0.1 * -0.25)])
def test_values_are_bounded_on_both_sides(low, expected):
    clip = {"name": "ClipGradByValue", "max": 1.0} | ({} if low is None else {"min": low})
    _, tail = steps(SGD(grad_clip_cfg=clip), 1, x=-2.0)
    assert tail == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ({"name": "ClipGradByNorm"}, "ClipGradByNorm needs 'clip_norm'"),
        ({"name": "ClipGradByValue", "clip_norm": 1.0}, "ClipGradByValue needs 'max'"),
        ({"name": "ClipGradByGlobalNorm", "clip_norm": 1.0, "max": 2.0}, "ClipGradByGlobalNorm has no 'max'"),
        ({"name": "ClipGradByValue", "max": 1.0, "min": 1.0}, "min 1.0 is not below max 1.0"),
    ],
)
def test_bounds_that_a_clipping_does_not_have_are_told(clip, message):
    with pytest.raises(ConfigError, match=message):
        SGD(grad_clip_cfg=clip)


def test_adamw_decays_apart_from_the_gradient():
    body, _ = steps(AdamW(weight_decay=0.1))
    weight = 1.0
    for _ in range(2):  # a constant gradient makes Adam's step equal to the learning rate
        weight = weight * (1 - 0.1 * 0.1) - 0.1
    assert body == pytest.approx(weight, rel=1e-5)


def test_adamw_decays_by_a_hundredth_where_nothing_is_said():
    assert steps(AdamW()) == steps(AdamW(weight_decay=0.01)) != steps(AdamW(weight_decay=0.0))


def test_lazy_mode_is_accepted():
    assert steps(Adam(lazy_mode=True)) == pytest.approx((0.8, 0.8), rel=1e-5)


@pytest.mark.parametrize("name", ["AdamWDL", "AdamWDL_CAE"])
def test_layer_decay_is_refused_with_what_to_write(name):
    with pytest.raises(ConfigError, match=rf"there is no optimizer '{name}'. .*write AdamW"):
        OPTIMIZERS.get(name)


def test_the_former_module_still_gives_the_same_classes():
    assert paddleisa.optimizers.SGD is SGD
