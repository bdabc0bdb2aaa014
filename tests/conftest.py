"""What every test may use. The threads are set before any test imports paddle."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from published import REFERENCE

import paddleisa

paddleisa.setup_threads()


@pytest.fixture(scope="session")
def manifest():
    """Published tensor names, shapes and dtypes of the four rows."""
    return json.loads((REFERENCE / "state_manifest.json").read_text())


@pytest.fixture(scope="session")
def vectors():
    """``vectors("forward")`` opens one of the reference files."""
    return lambda name: np.load(REFERENCE / f"{name}.npz")


@pytest.fixture(scope="session")
def published_model(manifest):
    """``published_model(row)`` builds a row's network and fills it with the reference weights, in eval mode.

    It calls the constructors by hand, so that a test of the network does not depend on the config system.
    """
    import paddle
    import reference

    from paddleisa import models

    built = {}

    def build(row):
        if row not in built:
            backbone = getattr(models, "ResNet50_vd" if "resnet50" in row else "ResNet101_vd")(output_stride=8)
            voc = "voc" in row
            model = models.ISANet(21 if voc else 19, backbone, align_corners=voc)
            state = {name: paddle.to_tensor(reference.weight(name, shape)) for name, shape, _ in manifest[row]["state"]}
            model.set_state_dict(state)
            model.eval()
            built.clear()  # one model in memory at a time
            built[row] = model
        built[row].eval()
        return built[row]

    return build


@pytest.fixture
def call(capfd):
    """``call("val", "--config", ...)`` runs a command in this process: its exit code and what it printed."""
    from paddleisa.cli.main import main

    def call(*words):
        code = main([str(word) for word in words])
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        assert "a fault of paddleisa" not in captured.err
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call
