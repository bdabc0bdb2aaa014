"""One model and one cache of converted models for all tests of this folder."""

from __future__ import annotations

import paddle
import pytest
from deploy_models import small_model

from paddleisa.deploy import packages
from paddleisa.deploy.export import export as export_module


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


@pytest.fixture
def quick(monkeypatch):
    """Formats that are written in no time, for what happens around them."""

    def write(model, format, folder, **settings):
        files = [folder / f"model.{format}", folder / f"numbers.{format}"]
        for file in files:
            file.write_text("new")
        return export_module.Written(format, files, [], False)

    monkeypatch.setattr(export_module, "write_checked", write)


@pytest.fixture
def converter(monkeypatch):
    """``converter(version)``: paddle2onnx is of that version, else of one that fits this Paddle; the rest as it is."""
    real = packages.versions

    def is_of(version=None):
        fitting = "2.1.0" if paddle.__version__.startswith("3") else "1.3.1"
        fixed = {"paddle2onnx": version or fitting}
        monkeypatch.setattr(
            packages, "versions", lambda names: real(names) | {n: fixed[n] for n in names if n in fixed}
        )

    return is_of
