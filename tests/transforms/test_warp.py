"""Rotation and affine maps against SciPy's interpolation, written from the maps' definition."""

import math

import numpy as np
import pytest
from draws import Draws
from scipy import ndimage

from paddleisa.errors import ConfigError
from paddleisa.transforms import RandomAffine, RandomRotation


def smooth(h=40, w=60):
    """A picture without sharp edges, so that interpolation in 1/32 of a pixel and in floats differ by little."""
    y, x = np.mgrid[:h, :w]
    return np.stack([127 + 100 * np.sin(x / 9), 2.0 * y + x, 250 - 3.0 * x], -1).clip(0, 255)


def sample(draws, img, label=None):
    label = np.arange(img.shape[0] * img.shape[1], dtype=np.uint8).reshape(img.shape[:2]) if label is None else label
    return {"img": img, "label": label, "gt_fields": ["label"], "rng": draws}


def mapped(img, forward, size, colour, order):
    """``img`` under the 3x3 matrix ``forward`` of (x, y, 1), each result pixel looked up at its source."""
    back = np.linalg.inv(forward)
    y, x = np.mgrid[: size[1], : size[0]]
    source = np.tensordot(back, np.stack([x, y, np.ones_like(x)]), 1)
    at = [source[1], source[0]]
    planes = np.atleast_3d(img).transpose(2, 0, 1)
    # The border is one constant pixel beyond the image, as when the plane around it had that colour.
    padded = [np.pad(p.astype(float), 2, constant_values=c) for p, c in zip(planes, colour, strict=True)]
    out = [ndimage.map_coordinates(p, [a + 2 for a in at], order=order, mode="nearest") for p in padded]
    return np.stack(out, -1)


def matrix(rows):
    return np.vstack([rows, [0, 0, 1]])


@pytest.mark.parametrize("angle", [-15.0, 0.0, 7.5, 14.0])
def test_a_rotation_turns_about_the_centre_and_keeps_all_of_the_image(angle):
    h, w = 40, 60
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    size = int(h * abs(s) + w * abs(c)), int(h * abs(c) + w * abs(s))
    to_centre = matrix([[1, 0, -(w // 2)], [0, 1, -(h // 2)]])
    turn = matrix([[c, s, 0], [-s, c, 0]])  # counter-clockwise on a screen, whose y points down
    back = matrix([[1, 0, size[0] / 2], [0, 1, size[1] / 2]])
    draws = Draws(angle)
    out = RandomRotation()(sample(draws, smooth(h, w).astype(np.float32)))
    assert draws.asked == [(-15, 15)]
    expected = mapped(smooth(h, w), back @ turn @ to_centre, size, (127.5,) * 3, order=1)
    assert out["img"].shape == expected.shape == (size[1], size[0], 3)
    assert np.abs(out["img"] - expected).mean() < 0.5  # the corners' edges fall on 1/32 of a pixel
    inside = ndimage.binary_erosion((expected != 127.5).all(-1), iterations=3)
    assert np.abs(out["img"] - expected)[inside].max() < 1


def test_a_rotation_fills_image_and_label_with_their_own_values():
    out = RandomRotation(45, im_padding_value=9, label_padding_value=77)(sample(Draws(45.0), smooth()))
    assert (out["img"][0, 0] == 9).all() and out["label"][0, 0] == 77


def test_labels_are_turned_to_the_nearest_pixel_with_the_image():
    label = np.kron(np.arange(6).reshape(2, 3), np.ones((20, 20))).astype(np.uint8)
    img = np.repeat(label[..., None] * 40.0, 3, -1)
    out = RandomRotation(label_padding_value=255, im_padding_value=255)(sample(Draws(10.0), img, label))
    sure = np.isin(out["img"][..., 0], np.arange(6) * 40.0)  # pixels that no edge runs through
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(out["label"][sure], out["img"][sure][:, 0] / 40)


def test_no_rotation_draws_nothing():
    img = smooth()
    assert RandomRotation(0)(sample(Draws(), img))["img"] is img


@pytest.mark.parametrize("draws", [(0.5, 0.5, 0.5, 0.5), (0.1, 0.8, 0.9, 0.0), (1.0, 0.0, 0.2, 1.0)])
def test_an_affine_map_scales_to_the_size_and_turns_about_a_point_near_the_middle(draws):
    (h, w), size = (40, 60), (50, 30)
    x_draw, y_draw, angle_draw, scale_draw = draws
    x, y = size[0] / 2 + (2 * x_draw - 1) * 6, size[1] / 2 + (2 * y_draw - 1) * 6
    angle = math.radians((2 * angle_draw - 1) * 20)
    scale = (0.75 + 0.5 * scale_draw) * np.mean([size[0] / (w - 1), size[1] / (h - 1)])
    middle_to_middle = matrix([[1, 0, size[0] / 2 - (w - 1) / 2], [0, 1, size[1] / 2 - (h - 1) / 2]])
    away, back = matrix([[1, 0, -x], [0, 1, -y]]), matrix([[1, 0, x], [0, 1, y]])
    turn = matrix(scale * np.array([[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0]]))
    forward = back @ turn @ away @ middle_to_middle
    img = smooth(h, w).astype(np.uint8)
    out = RandomAffine(size, translation_offset=6, max_rotation=20)(sample(Draws(*draws), img))
    expected = mapped(img, forward, size, (128,) * 3, order=1)
    assert out["img"].dtype == np.uint8 and out["img"].shape == expected.shape
    inside = ndimage.binary_erosion(
        mapped(np.ones_like(img), forward, size, (0,) * 3, order=1)[..., 0] == 1, iterations=2
    )
    assert inside.sum() > 200
    assert np.abs(out["img"] - expected)[inside].max() <= 2
    assert out["label"].shape == (size[1], size[0])


def test_a_one_pixel_image_can_be_mapped():
    out = RandomAffine((8, 8))(sample(Draws(0.5, 0.5, 0.5, 0.5), np.full((1, 1, 3), 200, np.uint8)))
    assert out["img"].shape == (8, 8, 3)


def test_factors_upside_down_are_refused():
    with pytest.raises(ConfigError, match="min_scale_factor 2 is larger"):
        RandomAffine(min_scale_factor=2, max_scale_factor=1)
