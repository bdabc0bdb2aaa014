"""Losses against numpy forms written pixel by pixel."""

import numpy as np
import paddle
import pytest

from paddleisa.errors import ConfigError, DataError
from paddleisa.losses import (
    BCELoss,
    BootstrappedCrossEntropyLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    LossTerms,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    MixedLoss,
    MultiClassFocalLoss,
    OhemCrossEntropyLoss,
    RMILoss,
)
from paddleisa.registry import LOSSES

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
    hard = [v for v, _ in per_pixel() if np.exp(-v) < 0.2]
    assert value(OhemCrossEntropyLoss(thresh=0.2, min_kept=1)) == pytest.approx(np.mean(hard), rel=1e-4)


def test_ohem_keeps_what_is_harder_than_the_min_keptth_pixel():
    expected = np.mean(sorted((v for v, _ in per_pixel()), reverse=True)[:6])
    assert value(OhemCrossEntropyLoss(thresh=0.0, min_kept=7)) == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("min_kept", [0, 10000])
def test_ohem_keeps_every_labelled_pixel_without_a_number_to_keep_or_with_too_few_pixels(min_kept):
    expected = np.mean([v for v, _ in per_pixel()])
    assert value(OhemCrossEntropyLoss(thresh=0.2, min_kept=min_kept)) == pytest.approx(expected, rel=1e-4)


def test_bootstrapping_averages_each_images_hard_pixels():
    expected = []
    for n in range(len(LABEL)):
        z = LOGITS[n].astype(np.float64).reshape(4, -1)
        y = LABEL[n].flatten()
        loss = np.log(np.exp(z).sum(0)) - z[np.where(y == 255, 0, y), np.arange(y.size)]
        loss = np.sort(np.where(y == 255, 0, loss))[::-1]
        hard = loss[loss > 2.0]
        expected.append((hard if len(hard) > 5 else loss[:5]).mean())
    assert value(BootstrappedCrossEntropyLoss(min_K=5, loss_th=2.0)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_focal_loss_with_gamma_0_is_cross_entropy():
    assert value(MultiClassFocalLoss(4, gamma=0.0)) == pytest.approx(value(CrossEntropyLoss()), rel=1e-6)


def test_focal_loss_turns_down_what_is_right():
    expected = np.mean([0.5 * (1 - np.exp(-v)) ** 3 * v for v, _ in per_pixel()])
    assert value(MultiClassFocalLoss(4, alpha=0.5, gamma=3.0)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_zero_for_a_certain_and_right_prediction():
    truth = np.where(LABEL == 255, 0, LABEL)
    logits = 50.0 * np.eye(4, dtype=np.float32)[truth].transpose(0, 3, 1, 2)
    assert float(DiceLoss()(paddle.to_tensor(logits), paddle.to_tensor(LABEL))) == pytest.approx(0, abs=1e-6)


def test_dice_is_taken_for_each_image_and_class():
    p = np.exp(LOGITS.astype(np.float64))
    p /= p.sum(1, keepdims=True)
    terms = []
    for n, k in np.ndindex(2, 4):
        known, truth = LABEL[n] != 255, LABEL[n] == k
        both, each = p[n, k][truth].sum(), p[n, k][known].sum() + truth.sum()
        terms.append(1 - (2 * both + 0.5) / (each + 0.5))
    assert value(DiceLoss(smooth=0.5)) == pytest.approx(np.mean(terms), rel=1e-5)


def certain(mask, classes):
    """Logits that say ``mask`` without doubt."""
    return paddle.to_tensor(60.0 * np.eye(classes, dtype=np.float32)[mask].transpose(0, 3, 1, 2))


def test_lovasz_softmax_of_a_certain_prediction_is_1_minus_the_mean_iou():
    predicted, known = RNG.integers(0, 4, LABEL.shape), LABEL != 255
    ious = []
    for k in range(4):
        said, true = (predicted == k) & known, np.equal(LABEL, k)
        ious.append((said & true).sum() / (said | true).sum())
    loss = LovaszSoftmaxLoss()(certain(predicted, 4), paddle.to_tensor(LABEL))
    assert float(loss) == pytest.approx(1 - np.mean(ious), rel=1e-5)


def test_lovasz_softmax_leaves_out_absent_classes_unless_it_is_told_otherwise():
    label = np.where(LABEL == 2, 255, LABEL)
    shares = {
        name: float(LovaszSoftmaxLoss(classes=name)(paddle.to_tensor(LOGITS), paddle.to_tensor(label)))
        for name in ("present", "all")
    }
    each = [float(LovaszSoftmaxLoss(classes=[k])(paddle.to_tensor(LOGITS), paddle.to_tensor(label))) for k in range(4)]
    assert shares["present"] == pytest.approx(np.mean([each[k] for k in (0, 1, 3)]), rel=1e-6)
    assert shares["all"] == pytest.approx(np.mean(each), rel=1e-6)


def test_lovasz_hinge_of_scores_of_1_is_twice_1_minus_the_iou():
    truth, predicted = RNG.integers(0, 2, (1, 5, 6)), RNG.integers(0, 2, (1, 5, 6))
    scores = paddle.to_tensor(
        2.0 * predicted[:, None] - 1, "float32"
    )  # a wrong pixel's hinge error is 2, a right one's 0
    iou = (truth & predicted).sum() / (truth | predicted).sum()
    assert float(LovaszHingeLoss()(scores, paddle.to_tensor(truth))) == pytest.approx(2 * (1 - iou), rel=1e-5)


@pytest.mark.parametrize(("pos_weight", "factor"), [(None, 1.0), (3.0, 3.0)])
def test_bce_of_paddle_3_multiplies_the_positives_loss(pos_weight, factor):
    p = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    terms = []
    for n, k, y, x in np.ndindex(*LOGITS.shape):
        if LABEL[n, y, x] != 255:
            q = p[n, k, y, x]
            terms.append(-factor * np.log(q) if LABEL[n, y, x] == k else -np.log(1 - q))
    assert value(BCELoss(pos_weight=pos_weight, pos_weight_of="paddle-3")) == pytest.approx(np.mean(terms), rel=1e-5)


def test_bce_says_that_pos_weight_is_computed_as_by_paddle_26():
    with pytest.warns(UserWarning, match="add pos_weight_of: paddle-3"):
        BCELoss(pos_weight=2.0)


@pytest.mark.parametrize("way", [0, 1, 2])
def test_rmi_is_lower_for_a_better_prediction(way):
    label = np.kron(RNG.integers(0, 4, (1, 8, 8)), np.ones((1, 6, 6), int))
    noise = RNG.standard_normal((1, 4, 48, 48)).astype(np.float32)
    right = 6 * (np.eye(4, dtype=np.float32)[label].transpose(0, 3, 1, 2) - 0.5)
    loss = RMILoss(num_classes=4, rmi_pool_way=way)
    values = [float(loss(paddle.to_tensor(a * right + noise), paddle.to_tensor(label))) for a in (0.0, 0.5, 1.0)]
    assert values == sorted(values, reverse=True)


def each_loss():
    """(name, a loss of its default options, its number of channels)"""
    needed = {
        "BootstrappedCrossEntropyLoss": {"min_K": 5, "loss_th": 0.5},
        "MultiClassFocalLoss": {"num_class": 2},
        "RMILoss": {"num_classes": 2},
    }
    return [(name, LOSSES.get(name)(**needed.get(name, {}))) for name in LOSSES if name != "MixedLoss"]


@pytest.mark.parametrize("bad", [-1, 2, 7])
@pytest.mark.parametrize(("name", "loss"), each_loss())
def test_a_label_that_is_no_class_is_told(name, loss, bad):
    label = np.zeros((1, 24, 24), np.int64)
    label[0, 3, 4], label[0, 5] = bad, 255
    with pytest.raises(
        DataError, match=rf"labels hold the value {bad}, but the model's classes are 0 to 1 and the ign"
    ):
        loss(paddle.zeros([1, 2, 24, 24]), paddle.to_tensor(label))


@pytest.mark.parametrize(("name", "loss"), each_loss())
def test_the_ignored_label_is_an_option_and_an_attribute_of_every_loss(name, loss):
    assert loss.ignore_index == 255
    loss.ignore_index = 7
    label = np.random.default_rng(0).integers(0, 2, (1, 24, 24))
    label[0, :5] = 7
    assert np.isfinite(float(loss(paddle.ones([1, 2, 24, 24]), paddle.to_tensor(label))))


@pytest.mark.parametrize(("name", "loss"), each_loss())
def test_half_precision_is_computed_in_float32(name, loss):
    label = paddle.randint(0, 2, [1, 24, 24])
    assert loss(paddle.rand([1, 2, 24, 24]).astype("bfloat16"), label).dtype == paddle.float32


@pytest.mark.parametrize(("name", "loss"), each_loss())
def test_one_channel_is_refused_where_it_would_teach_nothing(name, loss):
    logits, label = paddle.rand([1, 1, 24, 24]), paddle.randint(0, 2, [1, 24, 24])
    if name in ("BCELoss", "LovaszHingeLoss"):
        assert float(loss(logits, label)) > 0
    else:
        with pytest.raises(ConfigError, match="of a model with 1 class is constant"):
            loss(logits, label)


def test_the_labels_of_one_channel_may_stand_in_a_channel():
    label = paddle.to_tensor(LABEL)
    logits = paddle.to_tensor(LOGITS)
    assert float(CrossEntropyLoss()(logits, label.unsqueeze(1))) == float(CrossEntropyLoss()(logits, label))


def test_channels_may_be_last():
    logits = paddle.to_tensor(LOGITS.transpose(0, 2, 3, 1))
    loss = CrossEntropyLoss(data_format="NHWC")(logits, paddle.to_tensor(LABEL))
    assert float(loss) == pytest.approx(value(CrossEntropyLoss()), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "channels"), [(FocalLoss(), 4), (LovaszHingeLoss(), 3), (MultiClassFocalLoss(3), 4), (RMILoss(), 4)]
)
def test_a_loss_for_another_number_of_classes_is_told(loss, channels):
    with pytest.raises(ConfigError, match=rf"{type(loss).__name__} is for .* the model has {channels}"):
        loss(paddle.zeros([1, channels, 24, 24]), paddle.zeros([1, 24, 24], "int64"))


@pytest.mark.parametrize(
    "name",
    [
        "DistillCrossEntropyLoss",
        "DistillationLoss",
        "KLLoss",
        "L1Loss",
        "MSELoss",
        "DualTaskLoss",
        "EdgeAttentionLoss",
        "OhemEdgeAttentionLoss",
        "RelaxBoundaryLoss",
        "DetailAggregateLoss",
        "PointCrossEntropyLoss",
        "PixelContrastCrossEntropyLoss",
        "SECrossEntropyLoss",
        "MaskFormerLoss",
        "SemanticConnectivityLoss",
    ],
)
def test_losses_that_cannot_concern_isanet_are_refused_with_what_to_write(name):
    with pytest.raises(ConfigError, match=rf"there is no loss '{name}'. [A-Z].*(leave it out|CrossEntropyLoss)"):
        LOSSES.get(name)


def test_mixed_loss_is_the_weighted_sum():
    expected = 0.7 * value(CrossEntropyLoss()) + 0.3 * value(DiceLoss())
    assert value(MixedLoss([CrossEntropyLoss(), DiceLoss()], [0.7, 0.3])) == pytest.approx(expected, rel=1e-6)


def test_a_wrong_number_of_losses_is_named():
    with pytest.raises(ConfigError, match="gives 2 outputs in training, but the config has 1 losses"):
        LossTerms([CrossEntropyLoss()], [1.0])([paddle.to_tensor(LOGITS)] * 2, paddle.to_tensor(LABEL))


def test_a_wrong_number_of_class_weights_is_named():
    with pytest.raises(ConfigError, match="3 weights for 4 classes"):
        value(CrossEntropyLoss(weight=[1.0, 1.0, 1.0]))
