"""How long the tests with random inputs go on: for seconds in every run, for hours by hand.

``PADDLEISA_FUZZ_EXAMPLES=20000 pytest -m fuzz`` gives every one of them that many examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings


def fuzz(examples: int) -> Callable:
    """Mark a test of hypothesis as one that can go on; ``examples`` are drawn in every run."""
    many = int(os.environ.get("PADDLEISA_FUZZ_EXAMPLES", examples))
    bounded = settings(max_examples=many, deadline=None, suppress_health_check=list(HealthCheck))
    return lambda test: pytest.mark.fuzz(bounded(test))
