import numpy as np
import pytest

from paddleisa.errors import ConfigError
from paddleisa.transforms import Normalize, RandomBlur, RandomDistort, RandomHorizontalFlip, RandomVerticalFlip


def sample(seed=0, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    img = rng.integers(0, 256, (24, 32, 3)).astype(dtype)
    return {"img": img, "label": img[..., 0].astype(np.uint8), "gt_fields": ["label"], "rng": rng}


def test_normalize_is_the_formula():
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])
    expected = (sample()["img"] / 255.0 - mean) / std
    np.testing.assert_allclose(Normalize(tuple(mean), tuple(std))(sample())["img"], expected, atol=1e-6)


def test_normalize_gives_bytes_and_floats_the_same_bits():
    normalize = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    np.testing.assert_array_equal(normalize(sample())["img"], normalize(sample(dtype=np.float32))["img"])


def test_normalize_changes_neither_its_input_nor_the_label():
    data = sample(dtype=np.float32)
    img, before = data["img"], data["img"].copy()
    label = Normalize()(data)["label"]
    np.testing.assert_array_equal(img, before)
    np.testing.assert_array_equal(label, sample()["label"])


def test_a_standard_deviation_of_zero_is_refused():
    with pytest.raises(ConfigError, match="std"):
        Normalize(std=(0.5, 0, 0.5))


def test_distort_cuts_fractions_off_even_when_nothing_is_distorted():
    still = RandomDistort(brightness_prob=0, contrast_prob=0, saturation_prob=0, hue_prob=0)
    out = still({"img": np.full((4, 4, 3), 127.5, np.float32), "rng": np.random.default_rng(0)})["img"]
    assert (out == 127).all()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_each_distortion_has_its_own_probability(name):
    probs = {f"{n}_prob": float(n == name) for n in ("brightness", "contrast", "saturation", "hue")}
    out = RandomDistort(**probs)(sample())["img"]
    assert (out != sample()["img"]).any()
    probs[f"{name}_prob"] = 0.0
    np.testing.assert_array_equal(RandomDistort(**probs)(sample())["img"], sample()["img"])


def test_brightness_factors_are_uniform_in_one_plus_minus_the_range():
    only = RandomDistort(brightness_range=0.4, brightness_prob=1, contrast_prob=0, saturation_prob=0, hue_prob=0)
    white = [
        only({"img": np.full((2, 2, 3), 100, np.uint8), "rng": np.random.default_rng(s)})["img"] for s in range(500)
    ]
    levels = np.array([w[0, 0, 0] for w in white])
    assert 59 <= levels.min() <= 63 and 136 <= levels.max() <= 140
    assert abs(levels.mean() - 99.5) < 4 * 23.1 / np.sqrt(500)


def test_the_order_of_distortions_varies():
    # Brightness then contrast differs from contrast then brightness; with equal factors, two outcomes remain.
    both = RandomDistort(0, 1, 0, 1, 0, 0, 0, 0)
    both._operations = tuple((op, 1.3 if prob else 1, 0, prob) for op, _, _, prob in both._operations)
    img = sample()["img"]
    outs = {both({"img": img, "rng": np.random.default_rng(s)})["img"].tobytes() for s in range(30)}
    assert len(outs) == 2


@pytest.mark.parametrize("transform, axis", [(RandomHorizontalFlip, 1), (RandomVerticalFlip, 0)])
def test_flips_turn_image_and_label_together(transform, axis):
    out = transform(prob=1.0)(sample())
    np.testing.assert_array_equal(out["img"], np.flip(sample()["img"], axis))
    np.testing.assert_array_equal(out["label"], np.flip(sample()["label"], axis))


def test_flips_happen_with_their_probability():
    flipped = sum(
        (RandomHorizontalFlip(0.3)(sample() | {"rng": np.random.default_rng(s)})["img"] != sample()["img"]).any()
        for s in range(1000)
    )
    assert abs(flipped - 300) < 4 * np.sqrt(1000 * 0.3 * 0.7)


def test_blur_keeps_the_mean_and_lowers_the_variance():
    out = RandomBlur(prob=1.0)(sample())["img"]
    assert out.std() < 0.7 * sample()["img"].std()
    assert abs(out.mean() - sample()["img"].mean()) < 5


def test_blur_of_probability_zero_does_nothing():
    np.testing.assert_array_equal(RandomBlur(prob=0)(sample())["img"], sample()["img"])
