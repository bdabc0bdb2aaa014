"""One model and one cache of converted models for all tests of this folder."""

from __future__ import annotations

import pytest
from deploy_models import small_model


@pytest.fixture(scope="session")
def model():
    return small_model()


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def home(shared_home, monkeypatch):
    """PADDLEISA_HOME, kept between tests, so that a model is converted once."""
    monkeypatch.setenv("PADDLEISA_HOME", str(shared_home))
    return shared_home


@pytest.fixture
def fresh_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "fresh"))
    return tmp_path / "fresh"
