"""Update rules and learning rates against the original's numbers and against arithmetic by hand."""

import json
import math

import numpy as np
import paddle
import pytest
from published import REFERENCE

from paddleisa.errors import ConfigError
from paddleisa.optimizers import SGD, AdamW
from paddleisa.schedules import CosineAnnealingDecay, PiecewiseDecay, PolynomialDecay, StepDecay


def rates(schedule, iters):
    scheduler, seen = schedule.scheduler(iters), []
    for _ in range(iters):
        seen.append(scheduler())
        scheduler.step()
    return seen


@pytest.mark.reference
@pytest.mark.parametrize(("key", "iters"), [("cityscapes_80k", 80000), ("voc12aug_40k", 40000)])
def test_polynomial_decay_equals_the_original(key, iters):
    expected = {int(k): v for k, v in json.loads((REFERENCE / "learning_rate.json").read_text())[key].items()}
    seen = rates(PolynomialDecay(0.01, power=0.9), iters)
    for i, rate in expected.items():
        assert seen[i] == pytest.approx(rate, rel=1e-12)


def test_warm_up_rises_linearly_and_then_the_schedule_starts_at_its_beginning():
    seen = rates(PolynomialDecay(0.1, power=1.0, warmup_iters=4, warmup_start_lr=0.02), 14)
    np.testing.assert_allclose(seen[:4], [0.02, 0.04, 0.06, 0.08])
    np.testing.assert_allclose(seen[4:], 0.1 * (1 - np.arange(10) / 10))


def test_cosine_reaches_its_end():
    seen = rates(CosineAnnealingDecay(0.2), 10)
    np.testing.assert_allclose(seen, [0.1 * (1 + math.cos(math.pi * i / 10)) for i in range(10)], atol=1e-9)


def test_steps_and_pieces():
    assert rates(StepDecay(2, 1.0, gamma=0.5), 5) == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert rates(PiecewiseDecay([1, 3], [3.0, 2.0, 1.0]), 5) == [3.0, 2.0, 2.0, 1.0, 1.0]
    with pytest.raises(ConfigError, match="2 boundaries need 3 values, not 1"):
        PiecewiseDecay([1, 3], [3.0])


class TwoWeights(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        one = paddle.nn.initializer.Constant(1.0)
        self.body = paddle.nn.Linear(1, 1, weight_attr=paddle.ParamAttr(initializer=one), bias_attr=False)
        self.tail = paddle.nn.Linear(1, 1, weight_attr=paddle.ParamAttr(initializer=one), bias_attr=False)

    def forward(self, x):
        return self.tail(x) + self.body(x)  # both gradients are x


def two_steps(optimizer_config):
    model = TwoWeights()
    optimizer = optimizer_config.create(model, 0.1)
    for _ in range(2):
        model(paddle.to_tensor([[2.0]])).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
    return model.body.weight.item(), model.tail.weight.item()


def test_sgd_with_momentum_and_weight_decay_follows_the_textbook():
    weight, velocity = 1.0, 0.0
    for _ in range(2):
        velocity = 0.9 * velocity + (2.0 + 0.01 * weight)
        weight -= 0.1 * velocity
    assert two_steps(SGD(momentum=0.9, weight_decay=0.01)) == pytest.approx((weight, weight), rel=1e-6)


def test_groups_have_their_own_learning_rate_and_decay():
    config = SGD(momentum=0.0, weight_decay=0.5, custom_cfg=[{"name": "body", "lr_mult": 0.1, "weight_decay_mult": 0}])
    body, tail = two_steps(config)
    assert body == pytest.approx(1 - 2 * 0.01 * 2)
    first = 1 - 0.1 * (2 + 0.5)
    assert tail == pytest.approx(first - 0.1 * (2 + 0.5 * first))


def test_a_group_that_matches_nothing_is_an_error():
    with pytest.raises(ConfigError, match="no parameter's name contains 'bckbone'"):
        SGD(custom_cfg=[{"name": "bckbone"}]).create(TwoWeights(), 0.1)


def test_clipping_bounds_the_step():
    config = SGD(momentum=0.0, grad_clip_cfg={"name": "ClipGradByGlobalNorm", "clip_norm": 1.0})
    body, tail = two_steps(config)  # two equal gradients of norm 2 * sqrt(2) -> 1 / sqrt(2) each
    assert (body, tail) == pytest.approx((1 - 0.2 / math.sqrt(2),) * 2, rel=1e-5)
    with pytest.raises(ConfigError, match="ClipGradByNorm needs 'clip_norm'"):
        SGD(grad_clip_cfg={"name": "ClipGradByNorm"})


def test_adamw_decays_apart_from_the_gradient():
    body, _ = two_steps(AdamW(weight_decay=0.1))
    weight = 1.0
    for _ in range(2):  # a constant gradient makes Adam's step equal to the learning rate
        weight = weight * (1 - 0.1 * 0.1) - 0.1
    assert body == pytest.approx(weight, rel=1e-5)
