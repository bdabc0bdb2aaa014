import numpy as np
import pytest
from draws import Draws

from paddleisa.transforms import Padding, PaddingByAspectRatio, RandomCenterCrop, RandomPaddingCrop, RandomScaleAspect


def sample(h, w, training=True, dtype=np.uint8, seed=0):
    """An image whose red and green tell each pixel's row and column, and a label that tells row + column."""
    y, x = np.mgrid[:h, :w]
    img = np.stack([y, x, np.zeros_like(y)], -1).astype(dtype)
    label = (y + x).astype(np.uint8)
    rng = np.random.default_rng(seed)
    return {"img": img, "label": label, "gt_fields": ["label"] if training else [], "rng": rng, "trans_info": []}


def test_padding_goes_right_and_bottom_with_an_unrounded_grey():
    out = Padding((30, 20))(sample(10, 15))
    assert out["img"].shape == (20, 30, 3) and out["img"].dtype == np.float32
    np.testing.assert_array_equal(out["img"][:10, :15], sample(10, 15)["img"])
    assert (out["img"][10:] == 127.5).all() and (out["img"][:, 15:] == 127.5).all()
    assert (out["label"][10:] == 255).all() and (out["label"][:, 15:] == 255).all()
    assert out["trans_info"] == [("padding", (10, 15))]


def test_padding_uses_each_channels_own_value():
    out = Padding((4, 4), im_padding_value=(1, 2, 3), label_padding_value=9)(sample(2, 2))
    assert out["img"][3, 3].tolist() == [1, 2, 3] and out["label"][3, 3] == 9
    assert out["img"].dtype == np.uint8  # whole numbers need no float


@pytest.mark.parametrize(
    "size, expected",
    [((600, 400), (600, 512)), ((400, 600), (512, 600)), ((600, 700), (600, 700)), ((512, 512), (512, 512))],
)
def test_an_image_larger_than_the_target_keeps_its_size_in_that_direction(size, expected):
    out = Padding((512, 512))(sample(*size, training=False))
    assert out["img"].shape[:2] == expected
    assert out["trans_info"] == [("padding", size)]
    np.testing.assert_array_equal(out["img"][: size[0], : size[1]], sample(*size)["img"])


def test_the_label_is_not_padded_in_evaluation():
    assert Padding((30, 20))(sample(10, 15, training=False))["label"].shape == (10, 15)


@pytest.mark.parametrize(
    "size, ratio, expected", [((10, 20), 1, (20, 20)), ((20, 10), 2, (20, 40)), ((5, 10), 2, (5, 10))]
)
def test_padding_by_aspect_ratio(size, ratio, expected):
    assert PaddingByAspectRatio(ratio)(sample(*size))["img"].shape[:2] == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crop_is_a_window_of_image_and_label_together(dtype):
    for seed in range(20):
        out = RandomPaddingCrop((15, 10))(sample(40, 60, dtype=dtype, seed=seed))
        top, left = out["img"][0, 0, :2].astype(int)
        np.testing.assert_array_equal(out["img"], sample(40, 60)["img"][top : top + 10, left : left + 15])
        np.testing.assert_array_equal(out["label"], sample(40, 60)["label"][top : top + 10, left : left + 15])


def test_every_window_is_as_likely_and_the_last_one_is_reached():
    counts = np.zeros((4, 3), int)
    for seed in range(2400):
        top, left = RandomPaddingCrop((8, 7))(sample(10, 10, seed=seed))["img"][0, 0, :2]
        counts[top, left] += 1
    assert counts.min() > 200 - 4 * np.sqrt(200) and counts.max() < 200 + 4 * np.sqrt(200)


def test_a_smaller_image_is_padded_then_cropped():
    out = RandomPaddingCrop((30, 8))(sample(12, 20))
    assert out["img"].shape == (8, 30, 3) and out["label"].shape == (8, 30)
    assert (out["img"][:, 20:] == 127.5).all() and (out["label"][:, 20:] == 255).all()
    top = int(out["img"][0, 0, 0])
    np.testing.assert_array_equal(out["img"][:, :20], sample(12, 20)["img"][top : top + 8])


def test_scale_aspect_keeps_the_size_and_zooms_in():
    out = RandomScaleAspect(min_scale=0.3, aspect_ratio=0.5)(sample(100, 120, seed=1))
    assert out["img"].shape == (100, 120, 3) and out["label"].shape == (100, 120)
    assert np.ptp(out["img"][..., 0]) < 99  # a part of the rows fills all of them


def test_scale_aspect_of_zero_does_nothing():
    out = RandomScaleAspect(min_scale=0)(sample(20, 30))
    np.testing.assert_array_equal(out["img"], sample(20, 30)["img"])


def test_windows_are_drawn_until_one_is_varied():
    label = np.zeros((10, 20), np.uint8)
    label[:, 16:] = 1
    data = sample(10, 20) | {"label": label, "rng": Draws(0, 0, 0, 5, 0, 14)}  # rows and columns, three windows
    out = RandomPaddingCrop((5, 10), category_max_ratio=0.75)(data)
    assert data["rng"].left == []
    assert out["img"][0, 0].tolist() == [0, 14, 0]
    np.testing.assert_array_equal(out["label"], label[:, 14:19])


def test_after_loop_times_the_next_window_is_taken_as_it_is():
    data = sample(10, 20) | {"label": np.zeros((10, 20), np.uint8), "rng": Draws(0, 1, 0, 2, 0, 3)}
    out = RandomPaddingCrop((5, 10), category_max_ratio=0.75, loop_times=2)(data)
    assert out["img"][0, 0].tolist() == [0, 3, 0]


def test_ignored_pixels_make_no_window_varied():
    label = np.zeros((10, 20), np.uint8)
    label[:, 10:] = 3
    data = sample(10, 20) | {"label": label, "rng": Draws(0, 0, 0, 8, 0, 1)}
    out = RandomPaddingCrop((5, 10), category_max_ratio=0.9, ignore_index=3, loop_times=2)(data)
    assert data["rng"].left == [] and out["img"][0, 0].tolist() == [0, 1, 0]


def test_without_padding_a_small_image_keeps_its_size():
    out = RandomPaddingCrop((15, 5), padding=False)(sample(8, 9))
    assert out["img"].shape == (5, 9, 3) and out["label"].shape == (5, 9)


def test_a_centre_crop_takes_up_to_its_part_off_both_sides():
    data = sample(10, 20) | {"rng": Draws(8, 4, 3, 1)}
    out = RandomCenterCrop((0.5, 0.6))(data)
    # Eight columns and four rows go, three of them on the left, one at the top.
    np.testing.assert_array_equal(out["img"], sample(10, 20)["img"][1:7, 3:15])
    np.testing.assert_array_equal(out["label"], sample(10, 20)["label"][1:7, 3:15])
    assert data["rng"].asked == [(10,), (4,), (8,), (4,)]


@pytest.mark.parametrize("ratio", [(1.0, 1.0), (0.99, 0.99)])
def test_a_centre_crop_that_keeps_everything_draws_nothing(ratio):
    out = RandomCenterCrop(ratio)(sample(10, 20) | {"rng": Draws()})
    assert out["img"].shape == (10, 20, 3)
