"""Colour operations against Pillow itself, on noise (every colour) and on a smooth picture."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from paddleisa.transforms import enhance

FACTORS = [0.0, 0.6, 0.87, 1.0, 1.013, 1.4, 1.5]


@pytest.fixture(scope="module", params=["noise", "smooth", "grey"])
def img(request):
    rng = np.random.default_rng(5)
    if request.param == "noise":
        return rng.integers(0, 256, (150, 170, 3), dtype=np.uint8)
    if request.param == "smooth":
        small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        return np.asarray(small.resize((170, 150), Image.BICUBIC))
    return np.repeat(rng.integers(0, 256, (150, 170, 1), dtype=np.uint8), 3, axis=2)


def difference(a, b):
    return np.abs(a.astype(int) - np.asarray(b).astype(int))


def pillow_hue(img, shift):
    hsv = np.asarray(Image.fromarray(img).convert("HSV")).astype(np.float64)
    level = np.trunc(hsv[..., 0] + shift) % 256
    hsv = np.concatenate([level[..., None], hsv[..., 1:]], -1).astype(np.uint8)
    return np.asarray(Image.fromarray(hsv, mode="HSV").convert("RGB"))


@pytest.mark.parametrize("factor", FACTORS)
def test_brightness_is_pillows(img, factor):
    expected = ImageEnhance.Brightness(Image.fromarray(img)).enhance(factor)
    np.testing.assert_array_equal(enhance.brightness(img, factor), expected)


@pytest.mark.parametrize("factor", FACTORS)
def test_contrast_is_pillows(img, factor):
    expected = ImageEnhance.Contrast(Image.fromarray(img)).enhance(factor)
    np.testing.assert_array_equal(enhance.contrast(img, factor), expected)


@pytest.mark.parametrize("factor", FACTORS)
def test_saturation_is_pillows_but_for_one_level_in_few_values(img, factor):
    wrong = difference(enhance.saturation(img, factor), ImageEnhance.Color(Image.fromarray(img)).enhance(factor))
    # At 0.6, every fifth difference from grey blends to a whole number, which rounding may put on either side.
    assert wrong.max() <= 1 and (wrong > 0).mean() < (1e-2 if factor == 0.6 else 1e-3)


def test_luma_is_pillows_but_for_ties(img):
    wrong = difference(enhance.luma(img), Image.fromarray(img).convert("L"))
    assert wrong.max() <= 1 and (wrong > 0).mean() < 1e-3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shift", [-18.0, -7.3, -0.5, 0.0, 0.9, 7.3, 18.0])
def test_hue_is_pillows_but_for_one_step_of_its_255_in_few_pixels(img, shift):
    wrong = difference(enhance.hue(img, shift), pillow_hue(img, shift))
    assert wrong.max() <= 7  # one step of hue moves a channel by at most 255 * 6 / 255, plus rounding
    assert (wrong.max(-1) > 0).mean() < 5e-3


@pytest.mark.parametrize("operation", [enhance.brightness, enhance.contrast, enhance.saturation, enhance.hue])
def test_the_input_is_not_changed(operation):
    img = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    before = img.copy()
    operation(img, 1.3)
    np.testing.assert_array_equal(img, before)


@pytest.mark.parametrize("factor", [*FACTORS, -0.5])
def test_sharpness_is_pillows(img, factor):
    expected = ImageEnhance.Sharpness(Image.fromarray(img)).enhance(factor)
    np.testing.assert_array_equal(enhance.sharpness(img, factor), expected)
