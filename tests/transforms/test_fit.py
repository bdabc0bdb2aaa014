import numpy as np
import pytest
from PIL import Image

from paddleisa.errors import ConfigError
from paddleisa.transforms import ResizeToFit


def sample(height, width, **more):
    img = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return {"img": img, "trans_info": [], "gt_fields": [], "rng": np.random.default_rng(1), **more}


@pytest.mark.parametrize(
    "size, frame, expected",
    [  # (height, width), (width, height), (height, width); computed by hand: mmcv rounds halves up
        ((1024, 2048), (2049, 1025), (1025, 2049)),
        ((1024, 2048), (2048, 1024), (1024, 2048)),
        ((375, 500), (2048, 512), (512, 683)),
        ((500, 375), (2048, 512), (683, 512)),
        ((100, 1000), (2048, 512), (205, 2048)),
        ((1, 9), (3, 1), (1, 3)),
    ],
)
def test_the_largest_size_that_fits_either_way_round(size, frame, expected):
    out = ResizeToFit(frame)(sample(*size))
    assert out["img"].shape[:2] == expected and out["img"].dtype == np.uint8
    assert out["trans_info"] == [("resize", size)]


def test_enlarging_is_bilinear_at_half_pixel_centres():
    s = sample(20, 30)
    expected = np.asarray(Image.fromarray(s["img"]).resize((60, 40), Image.BILINEAR)).astype(int)
    assert np.abs(ResizeToFit((60, 40))(s)["img"].astype(int) - expected).max() <= 1


def test_a_drawn_ratio_changes_the_frame_and_labels_follow():
    s = sample(20, 40, label=np.zeros((20, 40), np.uint8), gt_fields=["label"])
    out = ResizeToFit((400, 200), (0.5, 2.0))(s)
    ratio = np.random.default_rng(1).uniform(0.5, 2.0)
    assert out["img"].shape[:2] == out["label"].shape
    assert abs(out["img"].shape[1] - 400 * ratio) <= 2


def test_a_range_upside_down_is_refused():
    with pytest.raises(ConfigError, match="upside down"):
        ResizeToFit((8, 8), (2.0, 0.5))
