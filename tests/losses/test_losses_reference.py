"""Every loss against the values and gradients that PaddleSeg's own give."""

import json

import numpy as np
import paddle
import pytest
from published import REFERENCE

from paddleisa.registry import LOSSES

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore:BCELoss with pos_weight")]
ENTRIES = json.loads((REFERENCE / "losses.json").read_text())
INPUTS = np.load(REFERENCE / "losses.npz")


def value_and_gradient(entry, dtype="float32"):
    loss = LOSSES.get(entry["loss"])(**entry["args"])
    logits = paddle.to_tensor(INPUTS[entry["input"]].astype(dtype), stop_gradient=False)
    label = paddle.to_tensor(INPUTS[f"{entry['input']}_label"].astype("int64"))
    value = loss(logits, label)
    value.backward()
    return value, logits.grad.numpy().astype(np.float64)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['loss']}-{e['input']}-{'-'.join(e['args']) or 'default'}")
def test_value_and_gradient_equal_the_originals(entry):
    value, gradient = value_and_gradient(entry)
    direction = np.random.default_rng(12).standard_normal(gradient.shape)
    np.testing.assert_allclose(float(value), entry["value"], rtol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(gradient), entry["grad_norm"], rtol=2e-5)
    # atol: the terms of the dot product nearly cancel out
    dot, atol = (gradient * direction).sum(), 2e-5 * entry["grad_norm"]
    np.testing.assert_allclose(dot, entry["grad_dot"], rtol=2e-5, atol=atol)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['loss']}-{e['input']}-{'-'.join(e['args']) or 'default'}")
def test_float64_stays_float64(entry):
    value, _ = value_and_gradient(entry, "float64")
    assert value.dtype == paddle.float64
    np.testing.assert_allclose(float(value), entry["value"], rtol=2e-5)
