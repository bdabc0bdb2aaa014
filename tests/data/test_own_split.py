"""The division into training and validation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddleisa.data.prepare.own.split import groups_of, likely_sequences, split
from paddleisa.errors import UsageError


def names(count):
    return [f"n{number}" for number in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 9), st.floats(0.05, 0.95))
def test_both_sides_hold_something_and_groups_stay_whole(count, groups, seed, share):
    rng = np.random.default_rng(seed)
    of = [f"g{rng.integers(groups)}" for _ in range(count)]
    if len(set(of)) < 2:
        of[0] = "other"
    chosen = split(rng.random((count, 4)) < 0.4, of, share, seed)
    assert 0 < chosen.sum() < count
    assert all(len({chosen[n] for n in range(count) if of[n] == group}) == 1 for group in set(of))


def test_a_class_in_two_images_is_on_both_sides():
    presence = np.zeros((40, 3), bool)
    presence[:, 0] = True
    presence[[3, 17], 1] = presence[[5, 6], 2] = True
    for seed in range(10):
        chosen = split(presence, names(40), 0.5, seed)
        assert all(chosen[presence[:, k]].any() and not chosen[presence[:, k]].all() for k in range(3))


def test_the_share_is_met_for_images_and_classes():
    presence = np.random.default_rng(1).random((200, 5)) < 0.5
    chosen = split(presence, names(200), 0.2, 0)
    assert abs(chosen.mean() - 0.2) < 0.03
    assert all(abs(chosen[presence[:, k]].mean() - 0.2) < 0.05 for k in range(5))


def test_the_seed_decides_and_nothing_else_does():
    presence = np.random.default_rng(1).random((50, 5)) < 0.5
    one, again, other = (split(presence, names(50), 0.2, seed) for seed in (0, 0, 1))
    assert (one == again).all() and (one != other).any()


def test_a_pattern_groups_frames_by_its_first_bracket():
    assert groups_of(["a_1", "a_2", "b_1", "x"], r"^(.*)_") == ["a", "a", "b", "x"]
    with pytest.raises(UsageError, match="matches no name"):
        groups_of(["a"], r"^(\d+)_")
    with pytest.raises(UsageError, match="cannot be read"):
        groups_of(["a"], "(")


def test_one_group_cannot_be_divided():
    with pytest.raises(UsageError, match="1 group cannot be divided"):
        split(np.ones((3, 1), bool), ["a"] * 3, 0.2, 0)


def test_frames_of_videos_are_recognised_by_their_names():
    videos = [f"{video}_f{n:05}" for video in ("0001TP", "0006R0") for n in range(10)]
    assert "2 sequences" in likely_sequences(videos)
    assert likely_sequences([f"photo of {word}" for word in "abcdefgh"]) is None
