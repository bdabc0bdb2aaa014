"""The augmentation of the authors' training code, step by step as it does it, with OpenCV on bytes."""

import math

import cv2
import numpy as np
import pytest
from draws import Draws

from paddleisa.errors import ConfigError
from paddleisa.transforms import (
    Compose,
    Normalize,
    Padding,
    RandomBrightnessShift,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    Resize,
    ResizeByShort,
    ResizeStepScaling,
)

IMG = np.random.default_rng(3).integers(0, 256, (30, 44, 3), dtype=np.uint8)
LABEL = np.random.default_rng(4).integers(0, 20, (30, 44), dtype=np.uint8)


def sample(*draws):
    return {"img": IMG.copy(), "label": LABEL.copy(), "gt_fields": ["label"], "rng": Draws(*draws)}


def test_the_short_side_is_resized_with_cubic_interpolation_on_bytes():
    out = ResizeByShort(21, interp="CUBIC", as_bytes=True)(sample())
    np.testing.assert_array_equal(out["img"], cv2.resize(IMG, (31, 21), interpolation=cv2.INTER_CUBIC))
    np.testing.assert_array_equal(out["label"], cv2.resize(LABEL, (31, 21), interpolation=cv2.INTER_NEAREST))


def test_lips_images_are_resized_with_cubic_interpolation_on_bytes_whatever_their_proportions():
    out = Resize((25, 25), interp="CUBIC", as_bytes=True)(sample())
    np.testing.assert_array_equal(out["img"], cv2.resize(IMG, (25, 25), interpolation=cv2.INTER_CUBIC))
    np.testing.assert_array_equal(out["label"], cv2.resize(LABEL, (25, 25), interpolation=cv2.INTER_NEAREST))


@pytest.mark.parametrize("scale, aspect", [(0.5, 0.9), (1.7, 1.1), (2.0, 1.0), (1.234, 0.987)])
def test_scale_and_aspect_give_the_authors_sizes(scale, aspect):
    transform = ResizeStepScaling(0.5, 2.0, 0, aspect_range=(0.9, 1.1), interp="CUBIC", as_bytes=True)
    out = transform(sample(scale, aspect))
    size = int(44 * (math.sqrt(aspect) * scale)), int(30 * (math.sqrt(1.0 / aspect) * scale))
    np.testing.assert_array_equal(out["img"], cv2.resize(IMG, size, interpolation=cv2.INTER_CUBIC))
    np.testing.assert_array_equal(out["label"], cv2.resize(LABEL, size, interpolation=cv2.INTER_NEAREST))


def test_a_flip_swaps_left_and_right_labels():
    out = RandomHorizontalFlip(1.0, [(14, 15), (16, 17), (18, 19)])(sample(0.0))
    swap = {14: 15, 15: 14, 16: 17, 17: 16, 18: 19, 19: 18}
    expected = [[swap.get(value, value) for value in row[::-1]] for row in LABEL.tolist()]
    assert out["label"].tolist() == expected
    np.testing.assert_array_equal(out["img"], IMG[:, ::-1])


def test_no_flip_swaps_nothing():
    np.testing.assert_array_equal(RandomHorizontalFlip(0.5, [(14, 15)])(sample(0.5))["label"], LABEL)


def test_two_flips_give_the_sample_back():
    flip = RandomHorizontalFlip(1.0, [(14, 15)])
    out = flip(flip(sample(0.0, 0.0)))
    np.testing.assert_array_equal(out["img"], IMG)
    np.testing.assert_array_equal(out["label"], LABEL)


def test_padding_behind_normalize_is_the_mean_and_the_ignored_label_at_a_random_place():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    steps = [
        RandomPaddingCrop((40, 40), padding=False),
        RandomBrightnessShift(10),
        Normalize(mean, std),
        Padding((40, 40), 0, 255, position="random"),
    ]
    out = Compose(steps)(sample(0, 3, 0.5, -7, 0, 6))  # the crop's row and column, the shift, left and top
    part = IMG[:, 3:43].astype(np.float64)
    normalised = (np.clip(part - 7, 0, 255) / 255 - mean) / std
    assert out["img"].shape == (3, 40, 40)
    np.testing.assert_allclose(out["img"][:, 6:36].transpose(1, 2, 0), normalised, atol=1e-5)
    assert (out["img"][:, :6] == 0).all() and (out["img"][:, 36:] == 0).all()
    np.testing.assert_array_equal(out["label"][6:36], LABEL[:, 3:43])
    assert (out["label"][:6] == 255).all() and (out["label"][36:] == 255).all()


def test_aspects_upside_down_are_refused():
    with pytest.raises(ConfigError, match="upside down"):
        ResizeStepScaling(aspect_range=(1.1, 0.9))


def test_scaling_with_an_aspect_is_never_fused_with_the_crop():
    steps = [ResizeStepScaling(aspect_range=(0.5, 2.0)), RandomPaddingCrop((20, 20))]
    for seed in range(5):
        data = [sample() | {"rng": np.random.default_rng(seed)} for _ in range(2)]
        one, two = (Compose(steps, fuse=fuse)(d) for fuse, d in zip((True, False), data, strict=True))
        np.testing.assert_array_equal(one["img"], two["img"])
