"""Learning rates against Paddle's own schedules, the original's numbers, and arithmetic by hand."""

import json
import math

import numpy as np
import pytest
from paddle.optimizer import lr
from published import REFERENCE

from paddleisa.config import check, load_config
from paddleisa.errors import ConfigError
from paddleisa.optim import (
    CosineAnnealingDecay,
    ExponentialDecay,
    OneCycleLR,
    PiecewiseDecay,
    PolynomialDecay,
    Schedule,
    StepDecay,
)
from paddleisa.registry import SCHEDULES

ITERS = 60
# name, our options, Paddle's where they differ (its total length has no default)
CASES = [
    ("PolynomialDecay", {"learning_rate": 0.1, "end_lr": 0.001, "power": 0.9}, {"decay_steps": ITERS}),
    ("PolynomialDecay", {"learning_rate": 0.1, "decay_steps": 25, "power": 2.0}, {"end_lr": 0.0}),
    ("PolynomialDecay", {"learning_rate": 0.1, "decay_steps": 7, "end_lr": 0.01, "cycle": True}, {"power": 0.9}),
    ("PiecewiseDecay", {"boundaries": [3, 20], "values": [1.0, 0.5, 0.1]}, {}),
    ("StepDecay", {"learning_rate": 0.1, "step_size": 9, "gamma": 0.3}, {}),
    ("MultiStepDecay", {"learning_rate": 0.1, "milestones": [5, 6, 40], "gamma": 0.5}, {}),
    ("ExponentialDecay", {"learning_rate": 0.1, "gamma": 0.95}, {}),
    ("NaturalExpDecay", {"learning_rate": 0.1, "gamma": 0.1}, {}),
    ("InverseTimeDecay", {"learning_rate": 0.1, "gamma": 0.1}, {}),
    ("NoamDecay", {"learning_rate": 0.1, "d_model": 16, "warmup_steps": 8}, {}),
    ("CosineAnnealingDecay", {"learning_rate": 0.1, "eta_min": 0.001}, {"T_max": ITERS}),
    ("CosineAnnealingDecay", {"learning_rate": 0.1, "T_max": 11}, {}),
    ("CosineAnnealingWarmRestarts", {"learning_rate": 0.1, "T_0": 7, "eta_min": 0.001}, {}),
    ("CosineAnnealingWarmRestarts", {"learning_rate": 0.1, "T_0": 4, "T_mult": 3}, {}),
    ("LinearLR", {"learning_rate": 0.1}, {"total_steps": ITERS}),
    ("LinearLR", {"learning_rate": 0.1, "total_steps": 9, "start_factor": 0.9, "end_factor": 0.1}, {}),
    ("OneCycleLR", {"max_learning_rate": 0.1}, {"total_steps": ITERS}),
    ("OneCycleLR", {"max_learning_rate": 0.1, "total_steps": 80, "anneal_strategy": "linear"}, {}),
    ("OneCycleLR", {"max_learning_rate": 0.1, "three_phase": True, "phase_pct": 0.4}, {"total_steps": ITERS}),
    ("CyclicLR", {"base_learning_rate": 0.01, "max_learning_rate": 0.1, "step_size_up": 5}, {}),
    (
        "CyclicLR",
        {"base_learning_rate": 0.01, "max_learning_rate": 0.1, "step_size_up": 5, "step_size_down": 9},
        {"mode": "triangular2"},
    ),
    (
        "CyclicLR",
        {"base_learning_rate": 0.01, "max_learning_rate": 0.1, "step_size_up": 5, "exp_gamma": 0.97},
        {"mode": "exp_range"},
    ),
]
EXACT = {"CosineAnnealingDecay", "LinearLR"}  # Paddle computes these from the rate before, and rounding adds up


def rates(scheduler, iters):
    seen = []
    for _ in range(iters):
        seen.append(scheduler())
        scheduler.step()
    return seen


def ours(name, options, more):
    same = {key: value for key, value in more.items() if key in ("power", "mode")}
    return SCHEDULES.get(name)(**options, **same)


@pytest.mark.parametrize(("name", "options", "more"), CASES)
def test_rates_equal_paddles_schedule_stepped_from_the_start(name, options, more):
    expected = rates(getattr(lr, name)(**options, **more), ITERS)
    tolerance = {"atol": 1e-12} if name in EXACT else {"rtol": 1e-14, "atol": 1e-17}
    np.testing.assert_allclose(rates(ours(name, options, more).scheduler(ITERS), ITERS), expected, **tolerance)


@pytest.mark.parametrize(("name", "options", "more"), [case for case in CASES if case[0][:3] not in ("One", "Cyc")])
def test_a_warm_up_equals_paddles(name, options, more):
    warm, first = 12, options.get("learning_rate", 1.0)
    lengths = {key: ITERS - warm if value == ITERS else value for key, value in more.items()}
    main = getattr(lr, name)(**options, **lengths)
    expected = rates(lr.LinearWarmup(main, warm, 1e-4, first), ITERS)
    schedule = ours(name, {**options, "warmup_iters": warm, "warmup_start_lr": 1e-4}, more)
    np.testing.assert_allclose(rates(schedule.scheduler(ITERS), ITERS), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "options", "more"), CASES)
def test_the_rate_is_a_function_of_the_iteration_alone(name, options, more):
    schedule = ours(name, options, more)
    straight = rates(schedule.scheduler(ITERS), ITERS)
    for start in (1, 29, 59):
        scheduler = schedule.scheduler(ITERS)
        scheduler.step(start)
        assert scheduler() == schedule.rate(start, ITERS) == straight[start]


@pytest.mark.reference
@pytest.mark.parametrize(("key", "iters"), [("cityscapes_80k", 80000), ("voc12aug_40k", 40000)])
def test_polynomial_decay_equals_the_original(key, iters):
    expected = {int(k): v for k, v in json.loads((REFERENCE / "learning_rate.json").read_text())[key].items()}
    schedule = PolynomialDecay(0.01, power=0.9)
    for i, rate in expected.items():
        assert schedule.rate(i, iters) == pytest.approx(rate, rel=1e-12)


def test_every_schedule_of_the_table_is_compared():
    ours = {name for name in SCHEDULES if SCHEDULES.get(name).__module__.startswith("paddleisa.")}  # no plug-in's
    assert {name for name, _, _ in CASES} == ours


def test_warm_up_rises_linearly_and_then_the_schedule_starts_at_its_beginning():
    seen = rates(PolynomialDecay(0.1, power=1.0, warmup_iters=4, warmup_start_lr=0.02).scheduler(14), 14)
    np.testing.assert_allclose(seen[:4], [0.02, 0.04, 0.06, 0.08])
    np.testing.assert_allclose(seen[4:], 0.1 * (1 - np.arange(10) / 10))


def test_cosine_reaches_its_end():
    seen = rates(CosineAnnealingDecay(0.2).scheduler(10), 11)
    np.testing.assert_allclose(seen, [0.1 * (1 + math.cos(math.pi * i / 10)) for i in range(11)], atol=1e-16)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PiecewiseDecay([1, 3], [3.0]), "2 boundaries need 3 values, not 1"),
        (lambda: PiecewiseDecay([3, 1], [3.0, 2.0, 1.0]), "boundaries must be rising"),
        (lambda: PiecewiseDecay([1], [3.0, 2.0], learning_rate=1.0), "learning_rate 1.0 is not the first of values"),
        (lambda: PolynomialDecay(0.1, warmup_iters=5, warmup_start_lr=0.1), "is not below learning_rate 0.1"),
        (lambda: OneCycleLR(0.1, three_phase=True, phase_pct=0.5), "phase_pct must be below 0.5"),
        (lambda: OneCycleLR(0.1, total_steps=9).scheduler(10), "total_steps 9 is less than the 10 iterations"),
    ],
)
def test_options_that_contradict_each_other_are_told(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


@pytest.mark.parametrize("name", ["ReduceOnPlateau", "LambdaDecay", "MultiplicativeDecay", "LinearWarmup"])
def test_schedules_that_are_no_plan_are_refused_with_what_to_write(name):
    with pytest.raises(ConfigError, match=rf"there is no learning-rate schedule '{name}'. .*(write|Give)"):
        SCHEDULES.get(name)


def test_a_config_gives_the_options_of_a_schedule_and_of_its_warm_up(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("lr_scheduler: {type: StepDecay, step_size: 0, warmup_iters: -1, warm: 3}\n")
    with pytest.raises(ConfigError) as error:
        check(load_config(str(path)))
    told = str(error.value)
    assert "lr_scheduler.step_size" in told
    assert "lr_scheduler.warmup_iters" in told
    assert "StepDecay has no option 'warm'" in told


@pytest.mark.parametrize(("iters", "warnings"), [(10, 1), (9, 1), (11, 0)])
def test_a_warm_up_longer_than_the_training_is_told(tmp_path, iters, warnings):
    path = tmp_path / "a.yml"
    path.write_text(f"iters: {iters}\nlr_scheduler: {{type: StepDecay, step_size: 3, warmup_iters: 10}}\n")
    found = [line for line in check(load_config(str(path))).warnings if "the rate never reaches learning_rate" in line]
    assert len(found) == warnings


def test_a_schedule_of_ones_own_defines_a_rate():
    class Halves(Schedule):
        def _rate(self, i, iters):
            return 0.5**i

    assert rates(Halves().scheduler(3), 3) == [1.0, 0.5, 0.25]


def test_exponential_and_step_decay_by_hand():
    assert rates(StepDecay(2, 1.0, gamma=0.5).scheduler(5), 5) == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert rates(ExponentialDecay(0.5, 1.0).scheduler(3), 3) == [1.0, 0.5, 0.25]
