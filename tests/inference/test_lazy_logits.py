"""Maps that are kept as small scores, against Paddle's and numpy's operations on the full logits."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddleisa.inference import lazy_logits as logit_map
from paddleisa.inference.lazy_logits import LazyLogits, SeparableTerm, mask_of, upsampled
from paddleisa.utils.interpolation import HALF_PIXEL, Upsampling, matrix, nearest

WAYS = [Upsampling(), Upsampling(align_mode=1), Upsampling(align_corners=True)]
SIDE = st.integers(1, 40)


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def interpolated(x, size, how):
    options = {"mode": "bilinear", "align_corners": how.align_corners, "align_mode": how.align_mode}
    return F.interpolate(paddle.to_tensor(x[None]), list(size), **options).numpy()[0]


def logits(map_):
    return map_.band(0, map_.size[0])


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("small, large", [(129, 1025), (257, 2049), (64, 512), (1, 7), (7, 1), (60, 45), (33, 33)])
def test_the_matrix_interpolates_as_paddle_does(how, small, large):
    x = values(1, small, 1)
    found = matrix(small, large, how) @ x[0]
    # Rounding of float32 positions around 2000 pixels, times a difference of about 3 between neighbours.
    np.testing.assert_allclose(found, interpolated(x, (large, 1), how)[0], rtol=0, atol=2e-6 if large < 600 else 2e-3)


@given(small=SIDE, large=SIDE)
def test_nearest_takes_the_pixel_that_paddle_takes(small, large):
    x = np.arange(small, dtype=np.float32).reshape(1, 1, small, 1)
    expected = F.interpolate(paddle.to_tensor(x), [large, 1], mode="nearest").numpy().ravel()
    np.testing.assert_array_equal(nearest(small, large), expected)


STEP = st.one_of(
    st.tuples(st.just("resize"), SIDE, SIDE, st.sampled_from(WAYS)),
    st.tuples(st.just("crop"), SIDE, SIDE),
    st.tuples(st.just("mirror"), st.sampled_from([(2,), (3,), (2, 3)])),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=4), band=st.integers(1, 45))
def test_steps_on_the_map_equal_steps_on_the_logits(steps, band):
    x = values(3, 5, 6)
    found, expected = LazyLogits.of(x, (19, 23), WAYS[1]), interpolated(x, (19, 23), WAYS[1])
    for kind, *arguments in steps:
        if kind == "resize":
            height, width, how = arguments
            found, expected = found.resized((height, width), how), interpolated(expected, (height, width), how)
        elif kind == "crop":
            found, expected = found.cropped(arguments), expected[:, : arguments[0], : arguments[1]]
        else:
            found, expected = found.mirrored(arguments[0]), np.flip(expected, [axis - 1 for axis in arguments[0]])
    assert found.size == expected.shape[1:]
    bands = [found.band(top, min(top + band, found.size[0])) for top in range(0, found.size[0], band)]
    np.testing.assert_allclose(np.concatenate(bands, axis=1), expected, rtol=0, atol=1e-4)


def test_a_part_placed_in_a_larger_map_is_resized_with_zeros_around_it():
    x = values(2, 4, 5)
    rows = upsampled(4, 12, HALF_PIXEL).placed_in(6, 30, np.full(12, 0.5, np.float32))
    columns = upsampled(5, 10, HALF_PIXEL).placed_in(3, 25, np.ones(10, np.float32))
    full = np.zeros((2, 30, 25), np.float32)
    full[:, 6:18, 3:13] = interpolated(x, (12, 10), HALF_PIXEL) / 2
    for size in ((30, 25), (45, 31), (11, 9), (2, 2)):
        found = LazyLogits((SeparableTerm(x, rows, columns),)).resized(size)
        np.testing.assert_allclose(logits(found), interpolated(full, size, HALF_PIXEL), rtol=0, atol=1e-5)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("height", [1, 63, 64, 65, 200])
def test_mask_is_the_argmax_of_the_sum(softmax, height):
    maps = [values(5, height, 9, seed=seed) * 3 for seed in range(3)]
    powers = [np.exp(x.astype(np.float64)) for x in maps]
    terms = [p / p.sum(0) for p in powers] if softmax else maps
    found = mask_of([LazyLogits.of(x, (height, 9)) for x in maps], softmax)
    np.testing.assert_array_equal(found, sum(terms).argmax(0))
    assert found.dtype == np.uint8


def test_of_equal_classes_the_first_is_taken_and_the_scores_are_not_changed():
    x = np.ones((4, 3, 3), np.float32)
    x[2, 1, 1] = x[3, 1, 1] = 7
    before = x.copy()
    for softmax in (False, True):
        mask = mask_of([LazyLogits.of(x, (3, 3))] * 2, softmax)
        assert mask[1, 1] == 2 and mask.sum() == 2
    np.testing.assert_array_equal(x, before)


def test_more_than_256_classes_need_more_than_a_byte():
    x = np.zeros((300, 2, 2), np.float32)
    x[299] = 1
    mask = mask_of([LazyLogits.of(x, (2, 2))])
    assert mask.dtype == np.int32 and (mask == 299).all()


def test_the_logits_of_a_large_map_appear_only_in_bands(monkeypatch):
    heights = []
    real = LazyLogits.band
    monkeypatch.setattr(LazyLogits, "band", lambda self, a, b: heights.append(b - a) or real(self, a, b))
    mask_of([LazyLogits.of(values(3, 20, 4), (1000, 32))])
    assert max(heights) == logit_map.BAND and sum(heights) == 1000


def test_logits_at_full_size_are_mirrored_without_a_matrix_of_the_image_s_width():
    x = values(3, 30, 40)
    found = LazyLogits.of(x, (30, 40)).mirrored((2, 3))
    assert found.terms[0].rows.weights is None and found.terms[0].columns.weights is None
    np.testing.assert_array_equal(logits(found), x[:, ::-1, ::-1])
