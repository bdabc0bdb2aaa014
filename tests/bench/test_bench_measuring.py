"""Measurements in children: what they return, and how they die."""

import os
import signal
import sys

import pytest

from paddleisa.bench.measuring import Outcome, run_in_child
from paddleisa.errors import DataError


def doubled(number):
    print("a library says something")
    os.write(1, b"and so does its C++ part\n")
    return {"number": 2 * number, "pid": os.getpid()}


def refusing():
    raise DataError("is not there", where="a.png", fix="Put it there")


def greedy():
    raise MemoryError


def like_paddle():
    raise RuntimeError(
        "\n\n-----\nC++ Traceback\n-----\nError Message Summary:\n-----\n"
        "ResourceExhaustedError: \n\nOut of memory error on GPU 0. Cannot allocate 9 GB memory."
    )


def broken():
    raise RuntimeError("\n-----\nC++ Traceback\n-----\n(InvalidArgument) the shapes differ")


def dying(number):
    os.kill(os.getpid(), number)


def aborting(words):
    print(words, file=sys.stderr)
    sys.stderr.flush()
    os.abort()


def test_the_value_comes_from_another_process_whatever_is_printed_there():
    outcome = run_in_child(doubled, number=21)
    assert outcome.problem is None
    assert outcome.value["number"] == 42
    assert outcome.value["pid"] != os.getpid()


@pytest.mark.parametrize(
    ("function", "params", "cell", "problem"),
    [
        (refusing, {}, "cannot run", "a.png: is not there. Put it there"),
        (broken, {}, "cannot run", "failed: RuntimeError: (InvalidArgument) the shapes differ"),
        (dying, {"number": signal.SIGSEGV}, "cannot run", "crashed with SIGSEGV"),
        (aborting, {"words": "terminate called"}, "cannot run", "crashed with SIGABRT"),
        (greedy, {}, "out of memory", "out of memory: an allocation failed"),
        (like_paddle, {}, "out of memory", "out of memory: an allocation failed"),
        (aborting, {"words": "what():  std::bad_alloc"}, "out of memory", "out of memory: an allocation failed"),
        (dying, {"number": signal.SIGKILL}, "out of memory", "out of memory: the system killed the process"),
    ],
)
def test_a_measurement_that_fails_has_its_reason(function, params, cell, problem):
    outcome = run_in_child(function, **params)
    assert (outcome.value, outcome.cell, outcome.problem) == (None, cell, problem)
    assert outcome.out_of_memory == (cell == "out of memory")


def test_a_measurement_without_a_problem_has_no_words_for_a_cell():
    assert Outcome(value={}).cell is None


def test_the_child_imports_what_its_parent_can(monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("def there():\n    return {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    assert run_in_child(only_here.there) == Outcome(value={})
