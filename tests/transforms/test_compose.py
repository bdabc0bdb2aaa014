import numpy as np
import pytest

from paddleisa.transforms import (
    Compose,
    Normalize,
    Padding,
    RandomDistort,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    ResizeStepScaling,
)

PUBLISHED = [
    ResizeStepScaling(0.5, 2.0, 0.25),
    RandomPaddingCrop((97, 83)),
    RandomHorizontalFlip(),
    RandomDistort(0.4, contrast_range=0.4, saturation_range=0.4),
    Normalize(),
]


def sample(h, w, seed, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    img = rng.integers(0, 256, (h, w, 3)).astype(dtype)
    label = rng.integers(0, 19, (h, w), dtype=np.uint8)
    return {"img": img, "label": label, "gt_fields": ["label"], "rng": rng}


def test_the_image_comes_out_channels_first_float32_contiguous():
    out = Compose([])(sample(20, 30, 0))
    assert out["img"].shape == (3, 20, 30) and out["img"].dtype == np.float32 and out["img"].flags.c_contiguous
    np.testing.assert_array_equal(out["img"].transpose(1, 2, 0), sample(20, 30, 0)["img"])
    assert out["trans_info"] == [] and out["label"].shape == (20, 30)


def test_the_published_pipeline_gives_crops_with_their_labels():
    out = Compose(PUBLISHED)(sample(128, 256, 0))
    assert out["img"].shape == (3, 83, 97) and out["label"].shape == (83, 97)
    assert out["img"].min() >= -1 and out["img"].max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [(128, 256), (100, 140), (61, 97), (97, 83), (200, 90), (31, 17)])
def test_scaling_and_cropping_in_one_step_equals_two_steps(size, dtype):
    pair = PUBLISHED[:2]
    for seed in range(30):
        fused = Compose(pair)(sample(*size, seed, dtype))
        plain = Compose(pair, fuse=False)(sample(*size, seed, dtype))
        # Sampling positions are the same; the interpolation weights differ in their last bits.
        np.testing.assert_allclose(fused["img"], plain["img"], atol=0.01, rtol=0)
        np.testing.assert_array_equal(fused["label"], plain["label"])
        assert fused["trans_info"] == plain["trans_info"]


def test_one_step_and_two_steps_leave_the_generator_in_the_same_state():
    for seed in range(20):
        one, two = sample(60, 80, seed), sample(60, 80, seed)
        Compose(PUBLISHED)(one)
        Compose(PUBLISHED, fuse=False)(two)
        assert one["rng"].random() == two["rng"].random()


def test_a_subclass_of_a_fused_transform_is_not_fused():
    class Centre(RandomPaddingCrop):
        def __call__(self, sample):
            sample["img"] = sample["img"][:5, :5]
            return sample

    out = Compose([ResizeStepScaling(), Centre((9, 9))])(sample(40, 40, 0) | {"gt_fields": []})
    assert out["img"].shape == (3, 5, 5)


def test_bytes_and_floats_give_the_same_sample():
    for seed in range(10):
        a, b = Compose(PUBLISHED)(sample(90, 140, seed)), Compose(PUBLISHED)(sample(90, 140, seed, np.float32))
        np.testing.assert_array_equal(a["img"], b["img"])
        np.testing.assert_array_equal(a["label"], b["label"])


def test_evaluation_leaves_the_label_alone_and_remembers_the_geometry():
    data = sample(20, 30, 0) | {"gt_fields": []}
    out = Compose([Padding((40, 32)), Normalize()])(data)
    assert out["img"].shape == (3, 32, 40) and out["label"].shape == (20, 30)
    assert out["trans_info"] == [("padding", (20, 30))]
    assert (out["img"][:, 20:] == 0).all()  # 127.5 is exactly the mean
