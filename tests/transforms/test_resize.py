import numpy as np
import pytest
from PIL import Image

from paddleisa.errors import ConfigError, DataError
from paddleisa.transforms import LimitLong, Resize, ResizeByLong, ResizeByShort, ResizeRangeScaling, ResizeStepScaling


def sample(h, w, training=False, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 19, (h, w), dtype=np.uint8)
    img = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    return {"img": img, "label": label, "gt_fields": ["label"] if training else [], "rng": rng, "trans_info": []}


@pytest.mark.parametrize(
    "transform, size, expected",
    [
        (Resize((64, 32)), (50, 70), (32, 64)),
        (Resize((200, 100), keep_ratio=True), (50, 80), (100, 160)),  # the short side reaches 100 first
        (Resize((100, 200), keep_ratio=True), (50, 80), (100, 160)),  # width and height are interchangeable
        (Resize((100, 60), size_divisor=32), (50, 70), (64, 128)),
        (ResizeByLong(140), (50, 70), (100, 140)),
        (ResizeByShort(25), (50, 70), (25, 35)),
        (ResizeByShort(100, max_size=120), (50, 70), (85, 119)),  # int(120 / 70 * 50), as PaddleSeg
        (ResizeByShort(100, max_size=1e10), (50, 70), (100, 140)),
        (LimitLong(max_long=35), (50, 70), (25, 35)),
        (LimitLong(min_long=140), (50, 70), (100, 140)),
        (LimitLong(max_long=80, min_long=60), (50, 70), (50, 70)),
        (ResizeRangeScaling(140, 140), (50, 70), (100, 140)),
        (ResizeByLong(3), (1, 300), (1, 3)),  # a side never vanishes
    ],
)
def test_output_size(transform, size, expected):
    out = transform(sample(*size, training=True))
    assert out["img"].shape == (*expected, 3)
    assert out["label"].shape == expected


def test_the_size_before_the_step_is_remembered_in_order():
    out = ResizeByShort(20)(ResizeByLong(140)(sample(50, 70)))
    assert out["trans_info"] == [("resize", (50, 70)), ("resize", (100, 140))]


def test_the_label_keeps_its_size_in_evaluation():
    assert Resize((20, 10))(sample(50, 70))["label"].shape == (50, 70)


def test_labels_are_taken_from_the_nearest_pixel_and_never_mixed():
    data = sample(40, 60, training=True)
    data["label"][:] = np.where(np.arange(60) < 30, 3, 17)
    assert set(np.unique(Resize((33, 29))(data)["label"])) == {3, 17}


def test_uint8_images_get_the_same_fractions_as_float_images():
    as_bytes, as_floats = sample(50, 70), sample(50, 70)
    as_floats["img"] = as_floats["img"].astype(np.float32)
    resize = Resize((31, 33))
    np.testing.assert_array_equal(resize(as_bytes)["img"], resize(as_floats)["img"])


@pytest.mark.parametrize("interp, pillow", [("NEAREST", Image.NEAREST), ("LINEAR", Image.BILINEAR)])
def test_interpolation_agrees_with_pillow_when_enlarging_twice(interp, pillow):
    data = sample(20, 30)
    expected = np.asarray(Image.fromarray(data["img"]).resize((60, 40), pillow), np.float32)
    out = Resize((60, 40), interp=interp)(data)["img"]
    assert np.abs(out[2:-2, 2:-2] - expected[2:-2, 2:-2]).max() <= 1  # Pillow rounds to whole numbers


def test_random_interpolation_uses_several_kinds():
    outs = [Resize((33, 21), interp="RANDOM")(sample(50, 70) | {"rng": np.random.default_rng(s)}) for s in range(40)]
    assert len({out["img"].tobytes() for out in outs}) == 5


def test_the_published_scales_are_equally_likely():
    scaling, rng = ResizeStepScaling(0.5, 2.0, 0.25), np.random.default_rng(0)
    values, counts = np.unique([scaling.draw(rng) for _ in range(7000)], return_counts=True)
    np.testing.assert_allclose(values, [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0])
    assert counts.min() > 880 and counts.max() < 1120  # 1000 +- 4 standard deviations


def test_a_step_that_divides_the_range_only_up_to_rounding_loses_no_scale():
    np.testing.assert_allclose(ResizeStepScaling(0.6, 0.9, 0.1).factors(), [0.6, 0.7, 0.8, 0.9])


def test_a_step_of_zero_draws_any_scale():
    scaling, rng = ResizeStepScaling(0.5, 2.0, 0), np.random.default_rng(0)
    drawn = [scaling.draw(rng) for _ in range(100)]
    assert len(set(drawn)) == 100 and min(drawn) >= 0.5 and max(drawn) <= 2.0


def test_the_same_generator_gives_the_same_image():
    transform = ResizeStepScaling(0.5, 2.0, 0.25)
    np.testing.assert_array_equal(transform(sample(50, 70, seed=3))["img"], transform(sample(50, 70, seed=3))["img"])


@pytest.mark.parametrize(
    "build",
    [
        lambda: ResizeStepScaling(2.0, 0.5),
        lambda: LimitLong(max_long=10, min_long=20),
        lambda: ResizeRangeScaling(600, 400),
        lambda: ResizeByShort(500, max_size=400),
    ],
)
def test_limits_in_the_wrong_order_are_refused(build):
    with pytest.raises(ConfigError, match="Swap"):
        build()


def test_a_result_of_more_pixels_than_an_image_may_have_is_refused_before_it_is_made(monkeypatch):
    data = sample(50, 70, training=True) | {"image_path": "street.png"}
    with pytest.raises(DataError, match=r"street\.png: the resized image would have 32767x23405 pixels"):
        ResizeByLong(32767)(data)
    monkeypatch.setenv("PADDLEISA_MAX_PIXELS", "100")
    with pytest.raises(DataError, match="more than 100"):
        ResizeByLong(20)(data)
