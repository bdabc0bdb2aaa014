"""What counts as the same function, and on which sizes it is tried."""

import numpy as np
import pytest

from paddleisa.deploy.export.compare import compare, shapes_to_compare
from paddleisa.errors import DeployError

SHAPES = [(1, 3, 6, 5), (2, 3, 4, 4)]


def model(x):
    """Three classes from three colours, and a fourth that is never first."""
    return np.concatenate([x * 4, x[:, :1] - 9], axis=1)


def run(exported, output_op="none"):
    return compare(model, exported, output_op, SHAPES, "model.onnx")


def test_rounding_is_accepted_and_measured():
    found = run(lambda x: model(x) + np.float32(1e-4))
    assert [d.shape for d in found] == SHAPES
    assert all(5e-5 < d.largest < 2e-4 and d.equal == 1 for d in found)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda y: y * np.nan,
        lambda y: y + 1e15,
        lambda y: y + 0.05,
        lambda y: np.roll(y, 1, axis=3),
        lambda y: y[:, :, :, :-1],
        lambda y: y[:1],
        lambda y: y.argmax(1),
    ],
    ids=["nan", "1e15", "off", "shifted", "cropped", "one of a batch", "class ids"],
)
def test_another_function_is_refused_with_the_size_it_was_seen_on(wrong):
    with pytest.raises(DeployError, match=r"model.onnx: .* does not compute what the model computes \([12]x3x"):
        run(lambda x: wrong(model(x)))


def test_a_mistake_that_only_one_size_shows_is_found():
    with pytest.raises(DeployError, match="2x3x4x4"):
        run(lambda x: model(x) + (x.shape[0] == 2))


def test_class_ids_are_compared_exactly_but_for_ties():
    assert all(d.largest is None and d.equal == 1 for d in run(lambda x: model(x).argmax(1), "argmax"))

    def one_wrong(x):
        ids = model(x).argmax(1)
        ids[0, 0, 0] = 3
        return ids

    with pytest.raises(DeployError):
        run(one_wrong, "argmax")
    tied = lambda x: model(x).argmin(1)  # noqa: E731
    assert compare(lambda x: model(x) * 0, tied, "argmax", SHAPES, "f")


def test_probabilities_are_compared_with_the_softmax_of_the_logits():
    def softmax(x):
        e = np.exp(model(x))
        return e / e.sum(1, keepdims=True)

    run(softmax, "softmax")
    with pytest.raises(DeployError):
        run(model, "softmax")


def test_free_sizes_are_tried_with_and_without_padding_and_in_batches():
    shapes = shapes_to_compare((-1, 3, -1, -1), (64, 32))
    assert {s[0] for s in shapes} == {1, 2}
    padded = [(h % 64 != 0, w % 32 != 0) for _, _, h, w in shapes]
    assert (False, False) in padded and (True, False) in padded and (True, True) in padded


@pytest.mark.parametrize(
    ("given", "tried"),
    [((1, 3, 97, 65), {(1, 3, 97, 65)}), ((2, 3, -1, 40), {(2, 3, h, 40) for h in (64, 65, 97, 128)})],
)
def test_fixed_sizes_stay_as_they_are(given, tried):
    assert set(shapes_to_compare(given, (64, 64))) == tried
