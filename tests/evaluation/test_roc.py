"""The area under the ROC curve against its definition: the share of pairs that are ordered rightly."""

import numpy as np
import pytest

from paddleisa.evaluation.metrics import RocAreas
from paddleisa.inference.lazy_logits import LazyLogits, probability_bands


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
