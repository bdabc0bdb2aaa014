"""mmsegmentation's protocol against its description in PyTorch: views, window, resize, softmax, sum, argmax."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from one_mask import predict_mask

from paddleisa.evaluation.metrics import Scores
from paddleisa.inference.masks import predict_masks
from paddleisa.inference.settings import InferenceSettings

torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")
F = torch.nn.functional
RATIOS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)


def network(x):
    """Logits that depend on the place, so that mirroring and resizing matter; works in both frameworks."""
    lib = paddle if isinstance(x, paddle.Tensor) else torch
    n, _, h, w = x.shape
    rows = lib.arange(h, dtype=lib.float32).reshape([1, 1, h, 1]) / 9
    cols = lib.arange(w, dtype=lib.float32).reshape([1, 1, 1, w]) / 7
    parts = [x[:, :1] * 3 + lib.sin(rows) * cols, x[:, 1:2] * 3 + cols, x[:, 2:] * 2 + lib.cos(cols) * rows]
    return paddle.concat(parts, axis=1) if lib is paddle else torch.cat(parts, 1)


def slide(x, crop, stride):
    (h, w), total, count = x.shape[2:], 0, 0
    for i in range(max(h - crop[1] + stride[1] - 1, 0) // stride[1] + 1):
        for j in range(max(w - crop[0] + stride[0] - 1, 0) // stride[0] + 1):
            bottom, right = min(i * stride[1] + crop[1], h), min(j * stride[0] + crop[0], w)
            top, left = max(bottom - crop[1], 0), max(right - crop[0], 0)
            pad = (left, w - right, top, h - bottom)
            total = total + F.pad(network(x[:, :, top:bottom, left:right]), pad)
            count = count + F.pad(torch.ones(1, 1, bottom - top, right - left), pad)
    return total / count


def expected_mask(image, original, ratios, flip, window, align_corners):
    total = 0
    for ratio in ratios:
        size = [int(side * ratio) for side in image.shape[2:]]
        view = F.interpolate(torch.from_numpy(image), size, mode="bilinear", align_corners=False)
        for mirrored in (False, True) if flip else (False,):
            x = view.flip(3) if mirrored else view
            logits = slide(x, *window) if window else network(x)
            logits = F.interpolate(logits, original, mode="bilinear", align_corners=align_corners)
            scores = logits.softmax(1)
            total = total + (scores.flip(3) if mirrored else scores)
    return total.argmax(1)[0].numpy()


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("window", [None, ((24, 16), (10, 7))])
@pytest.mark.parametrize("ratios, flip", [((1.0,), False), ((1.0,), True), (RATIOS, True)])
def test_mask_equals_the_description(ratios, flip, window, align_corners):
    image = np.random.default_rng(0).standard_normal((1, 3, 33, 47)).astype(np.float32)
    original = (41, 59)
    crop, stride = window or (None, None)
    settings = InferenceSettings(ratios, flip, crop_size=crop, stride=stride, protocol="mmseg")
    mask = predict_mask(network, paddle.to_tensor(image), [("resize", original)], settings, align_corners)
    expected = expected_mask(image, original, ratios, flip, window, align_corners)
    assert mask.shape == original and mask.dtype == np.uint8
    assert (mask == expected).mean() > 0.999  # rounding decides near ties


def test_it_differs_from_the_other_protocols_and_shares_passes_with_them():
    image = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, 32, 48)).astype(np.float32))
    calls = []

    def counted(x):
        calls.append(x.shape)
        return network(x)

    ways = [InferenceSettings((0.5, 1.0), True, protocol=name) for name in ("corrected", "mmseg")]
    masks = predict_masks(counted, image, [("resize", (40, 60))], ways)
    assert len(calls) == 4
    assert (masks[0] != masks[1]).any()
    for way, mask in zip(ways, masks, strict=True):
        np.testing.assert_array_equal(mask, predict_mask(network, image, [("resize", (40, 60))], way))


def test_a_class_that_is_nowhere_is_left_out_of_the_mean():
    matrix = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert Scores.from_matrix(matrix, "mmseg").miou == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert Scores.from_matrix(matrix, "corrected").miou == pytest.approx((3 / 4 + 4 / 5 + 1) / 3)
    assert Scores.from_matrix(matrix, "mmseg").to_dict()["class_iou"][2] is None
    assert np.isnan(Scores.from_matrix(np.zeros((2, 2), np.int64), "mmseg").miou)
