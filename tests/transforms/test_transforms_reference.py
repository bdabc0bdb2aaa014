"""Deterministic transforms against the original's outputs (tests/reference/transforms.npz)."""

from pathlib import Path

import numpy as np
import pytest

from paddleisa.transforms import (
    Compose,
    LimitLong,
    Normalize,
    Padding,
    Resize,
    ResizeByLong,
    ResizeByShort,
)

pytestmark = pytest.mark.reference
VECTORS = Path(__file__).parents[1] / "reference" / "transforms.npz"
EXACT = {
    "padding_161x129": Padding(target_size=(161, 129)),
    "normalize": Normalize(),
    "normalize_imagenet": Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
}
# OpenCV 4 and 5 interpolate with the last bit different: 255 * 2**-24.
ROUNDED = {
    "resize_100x60": Resize(target_size=(100, 60)),
    "resize_keep_200x200": Resize(target_size=(200, 200), keep_ratio=True),
    "resizebylong_97": ResizeByLong(long_size=97),
    "resizebyshort_65": ResizeByShort(short_size=65),
    "limitlong_max100": LimitLong(max_long=100),
}


@pytest.fixture(scope="module")
def vectors():
    with np.load(VECTORS) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", EXACT)
def test_equals_the_original_to_the_bit(vectors, name, dtype):
    out = Compose([EXACT[name]])({"img": vectors["image"].astype(dtype)})["img"]
    np.testing.assert_array_equal(out.transpose(1, 2, 0), vectors[name])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", ROUNDED)
def test_equals_the_original_up_to_the_last_bit(vectors, name, dtype):
    out = Compose([ROUNDED[name]])({"img": vectors["image"].astype(dtype)})["img"]
    np.testing.assert_allclose(out.transpose(1, 2, 0), vectors[name], atol=2e-5, rtol=0)


def test_every_vector_is_tested(vectors):
    assert set(vectors) - {"image"} == set(EXACT) | set(ROUNDED)
