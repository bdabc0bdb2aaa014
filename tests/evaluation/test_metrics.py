import numpy as np
import pytest

from paddleisa.errors import DataError
from paddleisa.evaluation.metrics import ConfusionMatrix, confusion


@pytest.fixture(scope="module")
def scores(vectors):
    v = vectors("metrics")
    matrix = ConfusionMatrix(19)
    matrix.add(v["pred"], v["label"])
    return matrix.scores("corrected"), v


@pytest.mark.reference
@pytest.mark.parametrize(
    ("ours", "original"),
    [
        ("miou", "miou"),
        ("accuracy", "acc"),
        ("kappa", "kappa"),
        ("mdice", "mdice"),
        ("class_iou", "class_iou"),
        ("class_dice", "class_dice"),
        ("class_precision", "precision"),
        ("class_recall", "recall"),
    ],
)
def test_score_equals_the_original(scores, ours, original):
    # rtol: the original divides some areas in float32.
    np.testing.assert_allclose(getattr(scores[0], ours), scores[1][original], rtol=1e-6)


def test_an_absent_class_counts_as_zero_under_the_published_protocol():
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([0, 1]), np.array([0, 1]))
    assert matrix.scores("published").miou == pytest.approx(2 / 3)
    assert matrix.scores("corrected").miou == 1.0


def test_confusion_counts_equal_counting_one_pixel_at_a_time():
    rng = np.random.default_rng(0)
    pred, label = rng.integers(0, 5, (7, 9)), rng.integers(0, 5, (7, 9)).astype(np.uint8)
    label[rng.random((7, 9)) < 0.2] = 255
    expected = np.zeros((5, 5), int)
    for p, t in zip(pred.ravel(), label.ravel(), strict=True):
        if t != 255:
            expected[t, p] += 1
    np.testing.assert_array_equal(confusion(pred, label, 5), expected)


def test_ignore_index_inside_the_class_range_is_not_counted():
    assert confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, ignore_index=0).tolist() == [[0, 0], [0, 1]]


def test_a_label_outside_the_classes_is_an_error_that_names_its_value():
    with pytest.raises(DataError, match=r"street\.png: the label holds the values \[33\]"):
        confusion(np.zeros((2, 2), int), np.array([[0, 33], [255, 1]]), 19, where="street.png")


def test_different_shapes_are_an_error():
    with pytest.raises(DataError, match=r"\(2, 2\) differs from the label's \(2, 3\)"):
        confusion(np.zeros((2, 2), int), np.zeros((2, 3), int), 19)
