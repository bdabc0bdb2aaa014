"""No size of image is too small for a transform, before or behind Normalize, in bytes or floats."""

import numpy as np
import pytest
from test_transforms_metamorphic import NAMES, built, traits

from paddleisa.transforms import Compose, Normalize


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3), (7, 7)])
@pytest.mark.parametrize("name", NAMES)
def test_image_and_label_stay_of_one_size_and_finite(name, size):
    transform = built(name)
    works_behind = traits(name).values == "any"
    for seed in range(12):
        for dtype in (np.uint8, np.float32):
            rng = np.random.default_rng(seed)
            img, label = rng.integers(0, 256, (*size, 3)).astype(dtype), rng.integers(0, 5, size, dtype=np.uint8)
            steps = [Normalize(), transform] if works_behind and seed % 2 else [transform]
            out = Compose(steps)({"img": img, "label": label, "gt_fields": ["label"], "rng": rng})
            assert out["img"].shape == (3, *out["label"].shape) and min(out["label"].shape) >= 1
            assert out["label"].dtype == np.uint8 and np.isfinite(out["img"]).all()
