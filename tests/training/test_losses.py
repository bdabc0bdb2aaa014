"""Losses against numpy forms written pixel by pixel."""

import numpy as np
import paddle
import pytest

from paddleisa.errors import ConfigError
from paddleisa.losses import CrossEntropyLoss, DiceLoss, LossTerms, MixedLoss, OhemCrossEntropyLoss

RNG = np.random.default_rng(3)
LOGITS = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)
LABEL = RNG.integers(0, 4, (2, 5, 6))
LABEL[RNG.random(LABEL.shape) < 0.3] = 255


def per_pixel():
    """[(loss, true class)] of the labelled pixels."""
    found = []
    for n, y, x in np.ndindex(*LABEL.shape):
        if LABEL[n, y, x] != 255:
            z = LOGITS[n, :, y, x].astype(np.float64)
            found.append((np.log(np.exp(z).sum()) - z[LABEL[n, y, x]], LABEL[n, y, x]))
    return found


def value(loss):
    return float(loss(paddle.to_tensor(LOGITS), paddle.to_tensor(LABEL)))


def test_cross_entropy_is_the_mean_over_labelled_pixels():
    assert value(CrossEntropyLoss()) == pytest.approx(np.mean([v for v, _ in per_pixel()]), rel=1e-5)


def test_class_weights_give_a_weighted_mean():
    weight = [0.5, 1.0, 2.0, 0.0]
    expected = sum(weight[c] * v for v, c in per_pixel()) / sum(weight[c] for _, c in per_pixel())
    assert value(CrossEntropyLoss(weight=weight)) == pytest.approx(expected, rel=1e-5)


def test_top_k_keeps_the_largest_losses():
    kept = int(0.25 * LABEL.size)
    expected = np.mean(sorted((v for v, _ in per_pixel()), reverse=True)[:kept])
    assert value(CrossEntropyLoss(top_k_percent_pixels=0.25)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_a_labelled_pixel_costs_nothing():
    loss = CrossEntropyLoss()(paddle.to_tensor(LOGITS), paddle.full(LABEL.shape, 255, "int64"))
    assert float(loss) == 0.0


def test_ohem_keeps_pixels_whose_true_class_is_improbable():
    hard = [v for v, _ in per_pixel() if np.exp(-v) <= 0.2]
    assert value(OhemCrossEntropyLoss(thresh=0.2, min_kept=0)) == pytest.approx(np.mean(hard), rel=1e-5)


def test_ohem_keeps_at_least_min_kept():
    expected = np.mean(sorted((v for v, _ in per_pixel()), reverse=True)[:7])
    assert value(OhemCrossEntropyLoss(thresh=0.0, min_kept=7)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_zero_for_a_certain_and_right_prediction():
    truth = np.where(LABEL == 255, 0, LABEL)
    logits = 50.0 * np.eye(4, dtype=np.float32)[truth].transpose(0, 3, 1, 2)
    assert float(DiceLoss()(paddle.to_tensor(logits), paddle.to_tensor(LABEL))) == pytest.approx(0, abs=1e-6)


def test_mixed_loss_is_the_weighted_sum():
    expected = 0.7 * value(CrossEntropyLoss()) + 0.3 * value(DiceLoss())
    assert value(MixedLoss([CrossEntropyLoss(), DiceLoss()], [0.7, 0.3])) == pytest.approx(expected, rel=1e-6)


def test_a_wrong_number_of_losses_is_named():
    with pytest.raises(ConfigError, match="gives 2 outputs in training, but the config has 1 losses"):
        LossTerms([CrossEntropyLoss()], [1.0])([paddle.to_tensor(LOGITS)] * 2, paddle.to_tensor(LABEL))


def test_a_wrong_number_of_class_weights_is_named():
    with pytest.raises(ConfigError, match="3 weights for 4 classes"):
        value(CrossEntropyLoss(weight=[1.0, 1.0, 1.0]))
