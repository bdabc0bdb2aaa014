"""Noise, blurs and the brightness shift, given their draws, against NumPy, SciPy and Pillow."""

import numpy as np
import pytest
from draws import Draws
from PIL import Image, ImageFilter
from scipy import ndimage

from paddleisa.transforms import RandomBlur, RandomBrightnessShift, RandomDistort, RandomNoise

IMG = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def run(transform, *draws, img=IMG):
    return transform({"img": img.copy(), "rng": Draws(*draws)})["img"]


def test_noise_is_added_and_cut_to_the_range_of_bytes():
    noise = np.random.default_rng(0).normal(0, 60, IMG.shape)
    out = run(RandomNoise(0.5, max_sigma=80.0), 0.49, 0.75, noise)
    np.testing.assert_allclose(out, np.clip(IMG + noise, 0, 255), atol=1e-4)
    assert out.dtype == np.float32


def test_the_noise_has_the_drawn_deviation():
    draws = Draws(0.0, 0.25, np.zeros(IMG.shape))
    RandomNoise(1.0, max_sigma=12.0)({"img": IMG, "rng": draws})
    assert draws.asked[2] == (0.0, 3.0, IMG.shape)


def test_noise_stays_away_with_its_probability():
    np.testing.assert_array_equal(run(RandomNoise(0.5), 0.5), IMG)


@pytest.mark.parametrize("drawn, width", [(3, 3), (4, 5), (5, 5), (8, 9), (9, 9)])
def test_a_median_is_pillows(drawn, width):
    out = run(RandomBlur(1.0, "median"), 0, drawn)
    inside = np.s_[width // 2 : -(width // 2), width // 2 : -(width // 2)]
    expected = np.asarray(Image.fromarray(IMG).filter(ImageFilter.MedianFilter(width)))
    np.testing.assert_array_equal(out[inside], expected[inside])


@pytest.mark.parametrize("drawn, width", [(3, 3), (6, 7), (9, 9)])
def test_a_blur_is_the_mean_of_a_square(drawn, width):
    out = run(RandomBlur(1.0, "blur"), 0, drawn)
    expected = ndimage.uniform_filter(IMG.astype(float), (width, width, 1), mode="mirror")
    assert np.abs(out - expected).max() <= 0.51 and out.dtype == np.uint8


def test_a_gaussian_of_width_3_has_weights_1_2_1():
    out = run(RandomBlur(1.0), 0, 3)
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    assert np.abs(out - ndimage.convolve(IMG.astype(float), kernel, mode="mirror")).max() <= 1


@pytest.mark.parametrize(
    "draw, kind", [(0.29, "gaussian"), (0.3, "median"), (0.59, "median"), (0.6, "blur"), (0.99, "blur")]
)
def test_a_random_blur_is_one_of_the_three(draw, kind):
    np.testing.assert_array_equal(run(RandomBlur(1.0, "random"), 0, 7, draw), run(RandomBlur(1.0, kind), 0, 7))


def test_a_blurred_image_is_cut_to_whole_numbers_first():
    np.testing.assert_array_equal(
        run(RandomBlur(1.0), 0, 5, img=IMG + np.float32(0.75)), run(RandomBlur(1.0), 0, 5, img=IMG)
    )


@pytest.mark.parametrize("shift", [-10, 0, 7])
def test_a_brightness_shift_is_the_same_for_all_values_and_cut_to_bytes(shift):
    out = run(RandomBrightnessShift(), 0.3, shift)
    np.testing.assert_array_equal(out, np.clip(IMG.astype(int) + shift, 0, 255))
    assert out.dtype == np.uint8


def test_all_shifts_are_drawn():
    img = np.full((1, 1, 3), 100, np.uint8)
    found = {
        int(RandomBrightnessShift(3)({"img": img, "rng": np.random.default_rng(s)})["img"][0, 0, 0]) for s in range(100)
    }
    assert found == set(range(97, 104))


def test_sharpness_left_out_leaves_the_other_draws_as_they_were():
    a = RandomDistort()({"img": IMG, "rng": np.random.default_rng(5)})["img"]
    b = RandomDistort(sharpness_range=0.9, sharpness_prob=0.0)({"img": IMG, "rng": np.random.default_rng(5)})["img"]
    np.testing.assert_array_equal(a, b)


def test_sharpness_alone_changes_the_image():
    only = RandomDistort(brightness_prob=0, contrast_prob=0, saturation_prob=0, hue_prob=0, sharpness_prob=1)
    out = only({"img": IMG, "rng": np.random.default_rng(5)})["img"]
    assert (out != IMG).any()


def test_what_overshoots_a_byte_is_not_wrapped_around():
    img = np.array([[[-3.0, 260.0, 127.9]]], np.float32)
    still = RandomDistort(brightness_prob=0, contrast_prob=0, saturation_prob=0, hue_prob=0)
    assert run_distort(still, img).tolist() == [[[0, 255, 127]]]


def run_distort(transform, img):
    return transform({"img": img, "rng": np.random.default_rng(0)})["img"]
