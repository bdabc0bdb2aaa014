"""Test-time augmentation against the original's masks, and its parts against slow, obvious forms."""

import numpy as np
import paddle
import pytest

from paddleisa.errors import UsageError
from paddleisa.inference import TestSettings, _slide, predict_mask

ROW = {"cityscapes": "isanet_resnet50_os8_cityscapes_769x769_80k", "voc": "isanet_resnet50_os8_voc12aug_512x512_40k"}
PADDED = {"cityscapes": (129, 257), "voc": (160, 160)}
WAYS = {
    "single": {},
    "flip": {"flip_horizontal": True},
    "ms_flip": {"scales": (0.75, 1.0, 1.25), "flip_horizontal": True},
    "ms": {"scales": (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)},
}


@pytest.fixture(scope="module", params=ROW)
def case(request, published_model, vectors):
    tag = request.param
    image = vectors("inference")[f"{tag}/image"]
    height, width = image.shape[:2]
    padded = np.full((*PADDED[tag], 3), 127.5, np.float32)
    padded[:height, :width] = image
    x = paddle.to_tensor(((padded / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32))
    model = published_model(ROW[tag])
    return tag, lambda t: model(t)[0], x, [("padding", (height, width))]


@pytest.mark.reference
@pytest.mark.parametrize("year", ["2021", "2023"])
@pytest.mark.parametrize("way", WAYS)
def test_mask_equals_the_original(case, way, year, vectors):
    tag, network, x, geometry = case
    settings = TestSettings(**WAYS[way], protocol={"2021": "published", "2023": "corrected"}[year])
    mask = predict_mask(network, x, geometry, settings)
    expected = vectors("inference")[f"{tag}/{way}/{year}"]
    # 99.9 %: tests/reference/README.md, rounding decides near ties.
    assert mask.dtype == np.uint8
    assert (mask == expected).mean() >= 0.999


@pytest.mark.reference
def test_sliding_window_equals_the_original(case, vectors):
    tag, network, x, geometry = case
    mask = predict_mask(network, x, geometry, TestSettings(crop_size=(97, 97), stride=(64, 64)))
    assert (mask == vectors("inference")[f"{tag}/slide97_64"]).mean() >= 0.999


def position_network(x):
    """Logits that depend on the place inside the window: any mistake in averaging shows."""
    n, _, h, w = x.shape
    rows = paddle.arange(h, dtype="float32").reshape([1, 1, h, 1])
    cols = paddle.arange(w, dtype="float32").reshape([1, 1, 1, w])
    return paddle.concat([x[:, :1] * 30 + paddle.sin(rows) * cols, x[:, 1:2] * 30, paddle.cos(cols) * rows], axis=1)


@pytest.mark.parametrize("size", [(40, 70), (23, 31), (16, 90), (33, 16)])
def test_sliding_window_in_bands_equals_summing_over_the_whole_image(size):
    x = paddle.to_tensor(np.random.default_rng(1).standard_normal((1, 3, *size)).astype(np.float32))
    crop_w, crop_h, step_w, step_h = 24, 16, 10, 7
    total, count = np.zeros((3, *size)), np.zeros(size)
    top = 0
    while True:
        top = max(min(top, size[0] - crop_h), 0)
        left = 0
        while True:
            left = max(min(left, size[1] - crop_w), 0)
            part = (slice(top, top + crop_h), slice(left, left + crop_w))
            total[(slice(None), *part)] += position_network(x[(slice(None), slice(None), *part)]).numpy()[0]
            count[part] += 1
            if left + crop_w >= size[1]:
                break
            left += step_w
        if top + crop_h >= size[0]:
            break
        top += step_h
    mask = predict_mask(position_network, x, [], TestSettings(crop_size=(crop_w, crop_h), stride=(step_w, step_h)))
    np.testing.assert_array_equal(mask, (total / count).argmax(0))


def test_a_band_of_the_sliding_window_leaves_before_the_next_row_of_windows_runs():
    windows = []

    def network(x):
        windows.append(tuple(x.shape[2:]))
        return x[:, :2]

    bands = _slide(network, paddle.rand([1, 3, 304, 32]), (16, 16), (16, 16))
    ran_at_each_band = [(top, len(windows)) for top, _ in bands]
    assert ran_at_each_band == [(16 * row, 2 * (row + 1)) for row in range(19)]


def test_resize_is_undone_to_the_size_before_it():
    x = paddle.rand([1, 3, 20, 30])
    for protocol in ("published", "corrected"):
        mask = predict_mask(
            lambda t: t, x, [("resize", (41, 59)), ("padding", (18, 27))], TestSettings(protocol=protocol)
        )
        assert mask.shape == (41, 59)


@pytest.mark.parametrize(
    "bad",
    [
        {"scales": ()},
        {"scales": (0.0,)},
        {"protocol": "2021"},
        {"crop_size": (8, 8)},
        {"crop_size": (8, 8), "stride": (9, 8)},
    ],
)
def test_settings_that_cannot_be_used_are_refused(bad):
    with pytest.raises(UsageError):
        TestSettings(**bad)
