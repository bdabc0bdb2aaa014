"""Tests that need a graphics card: ``make test-gpu``. What they measure goes into ``gpu-report.json``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paddleisa.cli.doctor import as_data, examine

REPORT = Path("gpu-report.json")
_measured: dict[str, object] = {}
_outcomes: dict[str, str] = {}


def cards() -> int:
    """Number of cards that this build of Paddle sees."""
    import paddle

    return paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0


def pytest_collection_modifyitems(items):
    """Skip, with the reason, what this machine has no card for."""
    here = [item for item in items if item.get_closest_marker("gpu")]
    found = cards() if here else 0
    for item in here:
        needed = item.get_closest_marker("gpu").kwargs.get("cards", 1)
        if found < needed:
            item.add_marker(pytest.mark.skip(reason=f"needs {needed} graphics cards, this Paddle sees {found}"))


@pytest.fixture
def measured(request):
    """``measured(name=value, ...)`` puts figures into the report under the test's name."""

    def put(**figures):
        _measured.setdefault(request.node.name, {}).update(figures)

    return put


def pytest_runtest_logreport(report):
    """Keep every outcome for the report, with the last line of an error."""
    if "gpu" in report.keywords and (report.when == "call" or report.outcome != "passed"):
        text = str(report.longrepr).strip().splitlines()[-1] if report.outcome != "passed" else ""
        _outcomes[report.nodeid.rpartition("::")[2]] = f"{report.outcome} {text}".strip()


def pytest_sessionfinish(session):
    """One file to send back."""
    if any(not outcome.startswith("skipped") for outcome in _outcomes.values()):
        data = {"outcomes": _outcomes, "measured": _measured, "machine": as_data(examine())}
        REPORT.write_text(json.dumps(data, indent=1, default=str) + "\n", encoding="utf-8")
        print(f"\nreport for sending back: {REPORT.resolve()}")
