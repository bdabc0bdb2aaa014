"""The four published networks against the original's vectors."""

import numpy as np
import paddle
import pytest
import reference
from published import ROWS

pytestmark = pytest.mark.reference

# tests/reference/README.md: another path through MKL moves the original's own logits by up to 7e-5.
ATOL = 5e-4
SIZES = ((129, 193), (97, 97), (128, 256))


@pytest.fixture(scope="module", params=ROWS)
def row(request):
    return request.param


@pytest.fixture(scope="module")
def model(row, published_model):
    return published_model(row)


def test_names_shapes_types_and_order_are_the_published_ones(row, model, manifest):
    state = [[name, list(t.shape), str(t.numpy().dtype)] for name, t in model.state_dict().items()]
    assert state == manifest[row]["state"]


def test_number_of_parameters_is_the_published_one(row, model, manifest):
    assert sum(int(np.prod(p.shape)) for p in model.parameters()) == manifest[row]["parameters"]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_logits_and_mask_equal_the_original(row, model, size, vectors):
    height, width = size
    x = paddle.to_tensor(reference.image(height * 1000 + width, (1, 3, height, width)))
    with paddle.no_grad():
        (logits,) = model(x)
    expected = vectors("forward")
    key = f"{row}/{height}x{width}"
    np.testing.assert_allclose(logits.numpy()[:, :, ::4, ::4], expected[f"{key}/logit"], rtol=0, atol=ATOL)
    assert (logits.numpy().argmax(1) == expected[f"{key}/pred"]).mean() >= 0.999


def test_auxiliary_logits_equal_the_original(row, model, vectors):
    x = paddle.to_tensor(reference.image(97 * 1000 + 97, (1, 3, 97, 97)))
    for head in (model, model.head):  # only these two switch on `training`; batch norm and dropout stay in evaluation
        head.training = True
    with paddle.no_grad():
        _, aux = model(x)
    model.eval()
    np.testing.assert_allclose(aux.numpy()[:, :, ::4, ::4], vectors("forward")[f"{row}/97x97/aux"], rtol=0, atol=ATOL)


def test_a_batch_of_two_equals_the_original(row, model, vectors):
    with paddle.no_grad():
        (logits,) = model(paddle.to_tensor(reference.image(7, (2, 3, 65, 97))))
    expected = vectors("forward")[f"{row}/batch2_65x97/logit"]
    np.testing.assert_allclose(logits.numpy()[:, :, ::4, ::4], expected, rtol=0, atol=ATOL)
