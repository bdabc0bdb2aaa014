"""What several tests of data preparation use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """Caches of checks go into the test's folder."""
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
