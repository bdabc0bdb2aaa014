"""Padding at a random place, by one value, and around the image, against plain arrays and Pillow."""

import numpy as np
import pytest
from draws import Draws

from paddleisa.errors import ConfigError
from paddleisa.transforms import Padding, PaddingByAspectRatio, RandomPaddingCrop, ScalePadding


def sample(h, w, draws=None, seed=0, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    img = rng.integers(0, 256, (h, w, 3)).astype(dtype)
    label = rng.integers(0, 5, (h, w), dtype=np.uint8)
    return {"img": img, "label": label, "gt_fields": ["label"], "rng": draws, "trans_info": []}


@pytest.mark.parametrize(
    "transform",
    [Padding((9, 9), 7), PaddingByAspectRatio(1.0, 7), RandomPaddingCrop((9, 9), 7)],
    ids=lambda t: type(t).__name__,
)
def test_one_padding_value_is_that_of_every_channel(transform):
    out = transform(sample(4, 9, np.random.default_rng(0)))
    assert out["img"].shape[:2] == (9, 9) and (out["img"][4:] == 7).all()


@pytest.mark.parametrize("left, top", [(0, 0), (5, 2), (3, 0)])
def test_the_image_stands_where_it_was_drawn_and_the_label_with_it(left, top):
    before = sample(6, 7)
    draws = Draws(left, top)
    out = Padding((12, 8), 0, 255, position="random")(sample(6, 7, draws, dtype=np.float32))
    assert draws.asked == [(6,), (3,)]  # every free column and row is as likely
    expected = np.zeros((8, 12, 3))
    expected[top : top + 6, left : left + 7] = before["img"]
    np.testing.assert_array_equal(out["img"], expected)
    label = np.full((8, 12), 255)
    label[top : top + 6, left : left + 7] = before["label"]
    np.testing.assert_array_equal(out["label"], label)


def test_a_larger_image_is_left_where_it_is():
    out = Padding((5, 20), position="random")(sample(6, 7, Draws(0, 9)))
    assert out["img"].shape == (20, 7, 3)
    np.testing.assert_array_equal(out["img"][9:15], sample(6, 7)["img"])


def cubic(old, new):
    """(new, old) weights of cubic convolution with a = -0.75, pixels' centres at halves, edges repeated."""
    weights = np.zeros((new, old))
    for row, position in enumerate((np.arange(new) + 0.5) * old / new - 0.5):
        for pixel in range(int(np.floor(position)) - 1, int(np.floor(position)) + 3):
            t = abs(position - pixel)
            inner, outer = 1.25 * t**3 - 2.25 * t**2 + 1, -0.75 * (t**3 - 5 * t**2 + 8 * t - 4)
            weights[row, min(max(pixel, 0), old - 1)] += inner if t <= 1 else outer
    return weights


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (21, 30), (25, 25)])
def test_scale_padding_centres_the_image_in_a_square_and_resizes_it(size):
    h, w = size
    out = ScalePadding((16, 16), im_padding_value=50, label_padding_value=9)(sample(h, w))
    side = max(h, w)
    square = np.full((side, side, 3), 50, np.uint8)
    left, top = int((side - w) / 2), int((side - h) / 2)
    square[top : top + h, left : left + w] = sample(h, w)["img"]
    assert out["img"].dtype == np.uint8 and out["img"].shape == (16, 16, 3)
    rows = cubic(side, 16)
    expected = np.einsum("ab,bdc,ed->aec", rows, square.astype(float), rows)
    assert np.abs(out["img"] - expected.clip(0, 255)).max() <= 1
    assert set(np.unique(out["label"])) <= {*range(5), 9}


def test_scale_padding_of_a_square_of_its_size_changes_nothing():
    np.testing.assert_array_equal(ScalePadding((12, 12))(sample(12, 12))["img"], sample(12, 12)["img"])


def test_scale_padding_cuts_fractions_of_its_grey():
    assert (ScalePadding((20, 20))(sample(20, 10))["img"][:, :4] == 127).all()


@pytest.mark.parametrize(("target", "size"), [(None, (32, 48)), ((40, 33), (40, 48)), ((50, 40), (40, 56))])
def test_sides_are_rounded_up_to_a_multiple_and_undone_by_what_is_recorded(target, size):
    img = np.random.default_rng(0).standard_normal((30, 44, 3)).astype(np.float32)
    out = Padding(target, 0, size_divisor=8)({"img": img.copy()})
    assert out["img"].shape[:2] == size
    np.testing.assert_array_equal(out["img"][:30, :44], img)
    assert not out["img"][30:].any() and not out["img"][:, 44:].any()
    assert out["trans_info"] == [("padding", (30, 44))]


def test_padding_without_a_size_is_refused():
    with pytest.raises(ConfigError, match="Padding needs a size.*size_divisor"):
        Padding()
