"""What happens at which iteration, and who sees which image."""

from collections import Counter

import numpy as np
import pytest

from paddleisa.errors import ConfigError
from paddleisa.training.batches import Plan

CITYSCAPES = Plan(iters=80000, dataset_size=2975, batch_size=2, world_size=4)
VOC = Plan(iters=40000, dataset_size=10582, batch_size=4, world_size=4)


@pytest.mark.parametrize(("plan", "steps", "epochs"), [(CITYSCAPES, 371, 216), (VOC, 661, 61)])
def test_epochs_of_the_published_schedules(plan, steps, epochs):
    assert plan.steps_per_epoch == steps
    assert plan.epoch(1) == 1
    assert (plan.epoch(steps), plan.epoch(steps + 1)) == (1, 2)
    assert plan.epoch(plan.iters) == epochs


def test_an_epoch_shows_no_image_twice_and_its_processes_share_nothing():
    plan = Plan(iters=6, dataset_size=13, batch_size=2, world_size=2)
    shares = [[i for batch in plan.batches(rank) for i, _ in batch] for rank in range(2)]
    first_epoch = shares[0][:6] + shares[1][:6]
    assert len(set(first_epoch)) == len(first_epoch) == 12


def test_every_epoch_has_another_order():
    plan = Plan(iters=4, dataset_size=50, batch_size=25)
    first, second = plan.order(1), plan.order(2)
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)


def test_starting_later_continues_the_same_sequence():
    plan = Plan(iters=20, dataset_size=7, batch_size=2, world_size=1)
    whole = list(plan.batches(0))
    for start in range(20):
        assert list(plan.batches(0, start)) == whole[start:]


def test_positions_of_a_run_never_repeat():
    plan = Plan(iters=9, dataset_size=8, batch_size=2, world_size=2)
    positions = [p for rank in range(2) for batch in plan.batches(rank) for _, p in batch]
    assert sorted(positions) == list(range(36))


def test_two_processes_see_together_what_one_sees_with_twice_the_batch():
    one = Plan(iters=6, dataset_size=9, batch_size=4)
    two = Plan(iters=6, dataset_size=9, batch_size=2, world_size=2)
    joined = [a + b for a, b in zip(two.batches(0), two.batches(1), strict=True)]
    assert joined == list(one.batches(0))


def test_repeats_show_each_image_that_often_in_an_epoch():
    plan = Plan(iters=7, dataset_size=7, batch_size=3, repeats=3)
    assert set(Counter(i for batch in plan.batches(0) for i, _ in batch).values()) == {3}


def test_dropout_differs_between_iterations_processes_and_runs():
    plan, other = Plan(10, 10, 1, seed=1), Plan(10, 10, 1, seed=2)
    seeds = [p.step_seed(i, rank) for p in (plan, other) for i in range(50) for rank in range(4)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= s < 2**31 for s in seeds)


def test_checkpoints_follow_the_interval_and_the_end():
    plan = Plan(iters=10, dataset_size=5, batch_size=1, save_interval=4)
    assert [i for i in range(1, 11) if plan.saves(i)] == [4, 8, 10]


def test_an_epoch_without_a_whole_batch_is_refused():
    with pytest.raises(ConfigError, match="3 images, fewer than the total batch of 8"):
        Plan(iters=1, dataset_size=3, batch_size=2, world_size=4)


@pytest.mark.parametrize(
    ("iteration", "count", "kept"),
    [(4, 2, {4}), (8, 2, {4, 8}), (12, 2, {8, 12}), (10, 2, {4, 8, 10}), (14, 2, {12, 14}), (14, 1, {14}), (0, 2, {0})],
)
def test_what_is_kept_is_a_function_of_the_iteration(iteration, count, kept):
    assert Plan(14, 9, 2, save_interval=4).kept(iteration, count) == kept
