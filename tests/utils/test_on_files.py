"""Work on many files: in order, with failures named, however a worker ends."""

from __future__ import annotations

import os

import pytest

from paddleisa.errors import DataError
from paddleisa.utils.concurrency import MANY, on_files


def square(number):
    return number * number


def odd_fails(number):
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


def third_dies(number):
    if number == 3:
        os._exit(9)  # as when the system kills a process that takes too much memory
    return number


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_items(workers):
    assert on_files(square, list(range(30)), workers, what="square", progress=False) == [n * n for n in range(30)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failure_is_named_after_all_others_were_tried(workers):
    with pytest.raises(DataError) as caught:
        on_files(odd_fails, [0, 1, 2, 3], workers, what="halve", name="file{}".format, progress=False)
    assert "2 of 4 files failed to halve" in str(caught.value)
    assert "file1: ValueError: 1 is odd; file3: ValueError: 3 is odd" in str(caught.value)


def test_many_failures_end_the_work():
    with pytest.raises(DataError, match=f"{MANY} of 1000 files failed to halve before giving up"):
        on_files(odd_fails, [1] * 1000, 0, what="halve", progress=False)


def test_a_worker_that_dies_is_an_error_with_the_files_it_may_have_held():
    with pytest.raises(DataError, match="a worker process died") as caught:
        on_files(third_dies, [3], 1, what="pass", name="file{}".format, progress=False)
    assert "file3" in str(caught.value) and "--num_workers 0" in str(caught.value)


def test_no_files_is_no_work():
    assert on_files(square, [], 2, what="square", progress=False) == []
