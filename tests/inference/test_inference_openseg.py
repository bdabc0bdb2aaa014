"""The protocol of ISA's authors against its description in PyTorch and OpenCV: views, sum of logits, cubic resize."""

from __future__ import annotations

import cv2
import numpy as np
import paddle
import pytest
from one_mask import predict_mask

from paddleisa.errors import ConfigError
from paddleisa.evaluation.metrics import Scores
from paddleisa.inference.lazy_logits import LazyLogits, LowResLogits
from paddleisa.inference.masks import predict_masks
from paddleisa.inference.settings import InferenceSettings, inference_settings
from paddleisa.utils.interpolation import Upsampling

torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")
F = torch.nn.functional
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
WEIGHT = np.random.default_rng(5).standard_normal((6, 3, 3, 3)).astype(np.float32)
PAIRS = ((1, 2), (4, 5))


def scores(x, lib):
    """A strided convolution: scores at a quarter of the resolution, others where the image is mirrored."""
    return lib.nn.functional.conv2d(x, lib.to_tensor(WEIGHT) if lib is paddle else torch.from_numpy(WEIGHT), stride=4)


def network(x):
    return LowResLogits(scores(x, paddle).numpy(), Upsampling(align_corners=True))


def described(image, original, border, scales, flip, pairs):
    """As segmentor/tester.py does it, step by step on whole maps."""
    x, total = torch.from_numpy(image), 0
    h, w = x.shape[2:]
    order = list(range(6))
    for one, other in pairs:
        order[one], order[other] = other, one
    for scale in scales:
        for mirrored in (False, True) if flip else (False,):
            view = x.flip(3) if mirrored else x
            view = F.interpolate(view, (int(h * scale), int(w * scale)), mode="bilinear", align_corners=True)
            logits = F.interpolate(scores(view, torch), view.shape[2:], mode="bilinear", align_corners=True)
            logits = F.interpolate(logits, (h, w), mode="bilinear", align_corners=True)
            total = total + (logits.flip(3)[:, order] if mirrored else logits)
    kept = total[0].permute(1, 2, 0).numpy()[: border[0], : border[1]]
    return cv2.resize(np.ascontiguousarray(kept), original[::-1], interpolation=cv2.INTER_CUBIC).argmax(-1)


@pytest.mark.parametrize("original", [(60, 83), (19, 27), (41, 51)], ids=["enlarged", "reduced", "as it is"])
@pytest.mark.parametrize(
    ("scales", "flip", "pairs"), [((1.0,), False, ()), (SCALES, True, ()), (SCALES, True, PAIRS)], ids=str
)
def test_mask_equals_the_description(original, scales, flip, pairs):
    image = np.random.default_rng(0).standard_normal((1, 3, 48, 56)).astype(np.float32)
    image = cv2.GaussianBlur(image[0].transpose(1, 2, 0), (0, 0), 2).transpose(2, 0, 1)[None] * 4
    border = (41, 51)
    settings = InferenceSettings(scales, flip, swapped_labels=pairs, protocol="openseg")
    geometry = [("resize", original), ("padding", border)]
    mask = predict_mask(network, paddle.to_tensor(image), geometry, settings)
    expected = described(image, original, border, scales, flip, pairs)
    assert mask.shape == original
    assert (mask == expected).mean() > 0.999  # rounding decides near ties
    assert len(np.unique(expected)) == 6


@pytest.mark.parametrize("sizes", [(7, 19), (19, 7), (5, 64), (1, 3), (2, 2), (64, 5)], ids=str)
def test_cubic_logits_are_opencvs(sizes):
    old, new = sizes
    values = np.random.default_rng(1).standard_normal((3, old, 9)).astype(np.float32)
    found = LazyLogits.of(values, (old, 9)).resized_cubic((new, 14))
    expected = cv2.resize(values.transpose(1, 2, 0), (14, new), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    np.testing.assert_allclose(found.band(0, new), expected, rtol=0, atol=1e-5)


def test_a_window_of_a_map_is_resized_with_zeros_around_it():
    values = np.random.default_rng(2).standard_normal((2, 6, 5)).astype(np.float32)
    whole = np.zeros((2, 20, 18), np.float32)
    whole[:, 8:14, 3:8] = values
    part = LazyLogits.of(values, (6, 5)).terms[0]
    rows, columns = part.rows.placed_in(8, 20, np.ones(6)), part.columns.placed_in(3, 18, np.ones(5))
    found = LazyLogits((type(part)(values, rows, columns),)).resized_cubic((31, 11))
    expected = cv2.resize(whole.transpose(1, 2, 0), (11, 31), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    np.testing.assert_allclose(found.band(0, 31), expected, rtol=0, atol=1e-5)


def test_scaled_images_are_not_those_of_other_protocols_and_the_image_itself_is():
    image = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, 32, 48)).astype(np.float32))
    inputs = []

    def counted(x):
        inputs.append(x.shape[2:])
        return network(x)

    predict_masks(counted, image, [], [InferenceSettings((0.5, 1.0), protocol=n) for n in ("mmseg", "openseg")])
    assert sorted(map(tuple, inputs)) == [(16, 24), (16, 24), (32, 48)]


def test_a_config_names_the_classes_that_a_mirror_exchanges():
    settings = inference_settings({"protocol": "openseg", "swapped_labels": [[14, 15]]}, {"flip_horizontal": True})
    assert settings.swapped_labels == ((14, 15),)
    assert "classes exchanged: 14-15" in settings.describe()


def test_classes_that_the_model_does_not_have_cannot_be_exchanged():
    image = paddle.zeros([1, 3, 16, 16])
    with pytest.raises(ConfigError, match="classes 5 and 6 cannot be exchanged: the model's are 0 to 5"):
        predict_mask(network, image, [], InferenceSettings((1.0,), True, swapped_labels=((5, 6),)))


def test_an_absent_class_is_left_out_of_the_mean():
    matrix = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert Scores.from_matrix(matrix, "openseg").miou == pytest.approx((3 / 4 + 4 / 5) / 2)
