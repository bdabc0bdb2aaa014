"""A state dict is compared with its manifest tensor by tensor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paddleisa.weights import verify_state

MANIFEST = [("conv.weight", [4, 3, 1, 1], "float32"), ("bn._mean", [4], "float32"), ("bn._variance", [4], "float32")]


def state():
    return {name: np.ones(shape, dtype) for name, shape, dtype in MANIFEST}


def kinds(changed):
    return [(difference.name, difference.kind) for difference in verify_state(changed, MANIFEST)]


def test_state_that_follows_its_manifest_has_no_difference():
    assert verify_state(state(), MANIFEST) == []


def test_missing_and_unexpected_names_are_differences():
    changed = state()
    changed["fc.weight"] = changed.pop("bn._mean")
    assert kinds(changed) == [("bn._mean", "missing"), ("fc.weight", "unexpected")]


def test_shape_and_dtype_are_both_reported():
    changed = state() | {"conv.weight": np.ones((4, 3, 3, 3), "float16")}
    found = verify_state(changed, MANIFEST)
    assert [str(difference) for difference in found] == [
        "conv.weight: shape should be [4, 3, 1, 1], is [4, 3, 3, 3]",
        "conv.weight: dtype should be float32, is float16",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_a_difference(value):
    changed = state()
    changed["conv.weight"][2, 1] = value
    (difference,) = verify_state(changed, MANIFEST)
    assert difference.kind == "finite" and "1 of 12 values" in difference.found


@pytest.mark.parametrize("value", [0.0, -1e-3])
def test_variances_must_be_positive_and_means_need_not(value):
    changed = state()
    changed["bn._variance"][3] = changed["bn._mean"][3] = value
    assert kinds(changed) == [("bn._variance", "variance")]


@pytest.mark.reference
def test_manifest_of_the_original_is_understood():
    path = Path(__file__).parents[1] / "reference" / "state_manifest.json"
    manifest = json.loads(path.read_text())["isanet_resnet50_os8_cityscapes_769x769_80k"]["state"]
    whole = {name: np.ones(shape, dtype) for name, shape, dtype in manifest}
    assert verify_state(whole, manifest) == []
    del whole["head.cls.1.bias"]
    assert [difference.name for difference in verify_state(whole, manifest)] == ["head.cls.1.bias"]
