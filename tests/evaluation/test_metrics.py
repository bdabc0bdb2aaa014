"""Scores against counts made pixel by pixel, and areas under the curve against pairs."""

import numpy as np
import pytest

from paddleisa.errors import DataError
from paddleisa.evaluation.metrics import ConfusionMatrix, RocAreas, confusion
from paddleisa.inference.lazy_logits import LazyLogits, probability_bands


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


def pairs(scores, own):
    """Share of (pixel of the class, other pixel) in which the first is the more probable one; ties are half."""
    better = (scores[own][:, None] > scores[~own][None]).mean()
    return better + (scores[own][:, None] == scores[~own][None]).mean() / 2


@pytest.fixture
def image():
    """Probabilities (3, 30, 20) and a label in which 255 is ignored."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, (30, 20))
    logits = rng.standard_normal((3, 30, 20)) + 1.5 * (label == np.arange(3)[:, None, None])
    probabilities = np.exp(logits) / np.exp(logits).sum(0)
    label[rng.random(label.shape) < 0.2] = 255
    return probabilities.astype(np.float32), label.astype(np.uint8)


def test_areas_are_the_shares_of_rightly_ordered_pairs(image):
    probabilities, label = image
    roc = RocAreas(3)
    roc.add([(0, probabilities[:, :16]), (16, probabilities[:, 16:])], label)
    counted = label != 255
    expected = [pairs(probabilities[k][counted], label[counted] == k) for k in range(3)]
    np.testing.assert_allclose(roc.areas(), expected, atol=1e-3)
    assert roc.area() == pytest.approx(np.mean(expected), abs=1e-3)


def test_of_two_classes_the_seconds_area_is_the_score(image):
    probabilities, label = image[0][:2], image[1] % 2
    roc = RocAreas(2, ignore_index=254)
    roc.add([(0, probabilities)], label)
    assert roc.area() == pytest.approx(pairs(probabilities[1].ravel(), label.ravel() == 1), abs=1e-3)


def test_a_class_without_pixels_has_no_area():
    roc = RocAreas(3)
    roc.add([(0, np.full((3, 2, 2), 1 / 3, np.float32))], np.array([[0, 1], [1, 0]], np.uint8))
    assert np.isnan(roc.areas()[2]) and roc.area() == 0.5


def test_probability_bands_are_the_softmax_of_the_mean_logits():
    maps = [np.random.default_rng(k).standard_normal((4, 70, 9)).astype(np.float32) for k in range(2)]
    found = np.concatenate([band for _, band in probability_bands([LazyLogits.of(x, (70, 9)) for x in maps])], axis=1)
    mean = sum(maps) / 2
    np.testing.assert_allclose(found, np.exp(mean) / np.exp(mean).sum(0), atol=1e-5)
