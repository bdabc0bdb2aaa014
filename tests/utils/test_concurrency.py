"""What happens while the network computes: reading ahead, writing behind, and how far it is."""

import threading
import time

import pytest

from paddleisa.utils import progress
from paddleisa.utils.concurrency import Behind, prefetched
from paddleisa.utils.progress import Progress


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(workers):
    def load(item):
        time.sleep(0.004 * (item % 3))  # later items are often ready first
        return item * item

    assert list(prefetched(load, range(20), workers)) == [item * item for item in range(20)]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_at_most_one_item_more_than_workers_is_read_ahead(workers):
    started = []

    def load(item):
        started.append(item)
        return item

    for taken, _ in enumerate(prefetched(load, range(30), workers), 1):
        time.sleep(0.002)
        assert len(started) <= taken + workers


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_is_raised_at_its_items_place(workers):
    def load(item):
        if item == 3:
            raise ValueError("item 3")
        return item

    seen = []
    with pytest.raises(ValueError, match="item 3"):
        for item in prefetched(load, range(10), workers):
            seen.append(item)
    assert seen == [0, 1, 2]


def test_after_an_exception_the_rest_is_not_loaded():
    started = []

    def load(item):
        started.append(item)
        if item == 1:
            raise ValueError
        return item

    with pytest.raises(ValueError):
        list(prefetched(load, range(1000), 2))
    time.sleep(0.02)
    assert max(started) <= 4


def test_without_workers_everything_loads_in_the_callers_thread():
    threads = set(prefetched(lambda _: threading.current_thread(), range(5), 0))
    assert threads == {threading.current_thread()}


def test_workers_run_beside_the_caller_and_beside_one_another():
    barrier = threading.Barrier(3, timeout=10)  # breaks unless three loads run at once
    assert list(prefetched(lambda _: barrier.wait() is not None, range(3), 3)) == [True] * 3


def test_a_consumer_that_stops_early_leaves_no_work_behind():
    started = []
    results = prefetched(lambda item: started.append(item), range(1000), 2)
    next(results)
    results.close()
    time.sleep(0.02)
    assert len(started) <= 4


def test_no_items_give_no_results():
    assert list(prefetched(str, [], 2)) == []


def test_work_behind_is_done_in_order_in_another_thread_and_all_of_it_at_the_end():
    done, threads = [], set()

    def work(item, factor):
        time.sleep(0.002)
        threads.add(threading.current_thread())
        done.append(item * factor)

    with Behind(work) as behind:
        for item in range(10):
            behind(item, 3)
    assert done == [3 * item for item in range(10)]
    assert len(threads) == 1 and threading.main_thread() not in threads


def test_the_caller_gets_at_most_two_calls_ahead_of_the_work():
    started, gate = [], threading.Semaphore(0)

    def work(item):
        gate.acquire()
        started.append(item)

    with Behind(work) as behind:
        behind(0)
        behind(1)
        third = threading.Thread(target=behind, args=(2,))
        third.start()
        third.join(0.05)
        assert third.is_alive()  # waits for the first to be done
        gate.release()
        third.join(5)
        assert not third.is_alive() and started == [0]
        gate.release(2)
    assert started == [0, 1, 2]


@pytest.mark.parametrize("number", [0, 2])
def test_an_error_behind_reaches_the_caller_and_nothing_after_it_is_done(number):
    done = []

    def work(item):
        if item == number:
            raise ValueError(f"item {item}")
        done.append(item)

    with pytest.raises(ValueError, match=f"item {number}"), Behind(work) as behind:
        for item in range(3):
            behind(item)
            time.sleep(0.01)
    assert done == list(range(number))


def test_an_error_of_the_callers_leaves_the_work_handed_over_before_done():
    done = []
    with pytest.raises(KeyError), Behind(done.append) as behind:
        behind(1)
        behind(2)
        raise KeyError
    assert done == [1, 2]


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def test_a_line_a_minute_tells_how_far_it_is_and_how_long_it_will_take(clock, capsys):
    with Progress("evaluate", 12, done=2) as shown:
        for _ in range(4):
            clock[0] += 35.0
            shown.step("single 71.20")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "evaluate: 4/12 images, 35.0 s each, 04:40 left single 71.20",
        "evaluate: 6/12 images, 35.0 s each, 03:30 left single 71.20",
    ]


def test_a_quick_loop_says_nothing(clock, capsys):
    with Progress("evaluate", 3) as shown:
        for _ in range(3):
            clock[0] += 1.0
            shown.step()
    assert capsys.readouterr().err == ""


def test_what_is_not_to_be_shown_is_not(clock, capsys):
    with Progress("evaluate", 3, show=False) as shown:
        clock[0] += 100.0
        shown.step()
    assert capsys.readouterr().err == ""
