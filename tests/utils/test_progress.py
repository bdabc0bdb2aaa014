"""Progress where there is no terminal: lines, with the time left."""

import pytest

from paddleisa.utils import progress
from paddleisa.utils.progress import Progress


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
