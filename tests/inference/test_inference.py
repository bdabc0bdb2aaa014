"""Test-time augmentation against the original's masks, and its parts against slow, obvious forms."""

import numpy as np
import paddle
import pytest
from one_mask import predict_mask

from paddleisa.errors import DataError, UsageError
from paddleisa.inference import settings as inference
from paddleisa.inference.lazy_logits import LowResLogits
from paddleisa.inference.masks import mask_from, view_logits
from paddleisa.inference.settings import InferenceSettings
from paddleisa.utils.interpolation import Upsampling

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


def settings_of(way, year):
    return InferenceSettings(**WAYS[way], protocol={"2021": "published", "2023": "corrected"}[year])


@pytest.fixture(scope="module")
def passes(case):
    """Every forward pass that any of the ways needs, each once."""
    _, network, x, geometry = case
    return view_logits(network, x, geometry, [settings_of(way, year) for way in WAYS for year in ("2021", "2023")])


@pytest.mark.reference
@pytest.mark.parametrize("year", ["2021", "2023"])
@pytest.mark.parametrize("way", WAYS)
def test_mask_equals_the_original(case, passes, way, year, vectors):
    tag, *_ = case
    mask = mask_from(passes, settings_of(way, year))
    expected = vectors("inference")[f"{tag}/{way}/{year}"]
    # 99.9 %: tests/reference/README.md, rounding decides near ties.
    assert mask.dtype == np.uint8
    assert (mask == expected).mean() >= 0.999


@pytest.mark.reference
def test_sliding_window_equals_the_original(case, vectors):
    tag, network, x, geometry = case
    mask = predict_mask(network, x, geometry, InferenceSettings(crop_size=(97, 97), stride=(64, 64)))
    assert (mask == vectors("inference")[f"{tag}/slide97_64"]).mean() >= 0.999


def position_network(x):
    """Logits that depend on the place inside the window: any mistake in averaging shows."""
    n, _, h, w = x.shape
    rows = paddle.arange(h, dtype="float32").reshape([1, 1, h, 1])
    cols = paddle.arange(w, dtype="float32").reshape([1, 1, 1, w])
    return paddle.concat([x[:, :1] * 30 + paddle.sin(rows) * cols, x[:, 1:2] * 30, paddle.cos(cols) * rows], axis=1)


@pytest.mark.parametrize("size", [(40, 70), (23, 31), (16, 90), (33, 16)])
def test_sliding_window_equals_summing_over_the_whole_image(size):
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
    mask = predict_mask(position_network, x, [], InferenceSettings(crop_size=(crop_w, crop_h), stride=(step_w, step_h)))
    np.testing.assert_array_equal(mask, (total / count).argmax(0))


@pytest.mark.parametrize("settings", [{}, {"crop_size": (64, 64), "stride": (64, 48)}])
def test_what_is_kept_of_an_image_is_the_scores_and_not_its_logits(settings):
    def network(x):
        n, _, h, w = x.shape
        return LowResLogits(np.zeros((n, 19, h // 8, w // 8), np.float32), Upsampling(align_mode=1))

    way = InferenceSettings(scales=(1.0, 1.25), flip_horizontal=True, **settings)
    passes = view_logits(network, paddle.rand([1, 3, 256, 512]), [], [way])
    kept = sum(term.values.nbytes for logits in passes.maps.values() for term in logits.terms)
    full = 4 * 4 * 19 * 256 * 512
    assert len(passes.maps) == 4 and kept < full / 20


def test_images_that_are_too_large_go_through_the_network_in_windows(monkeypatch):
    monkeypatch.setattr(inference, "WHOLE_PIXELS", 40 * 60)
    monkeypatch.setattr(inference, "LARGE_WINDOW", (32, 24))
    monkeypatch.setattr(inference, "LARGE_STRIDE", (24, 18))
    seen = []

    def network(x):
        seen.append(tuple(x.shape[2:]))
        return position_network(x)

    whole = predict_mask(network, paddle.rand([1, 3, 40, 60]), [], InferenceSettings())
    assert (seen, whole.shape) == ([(40, 60)], (40, 60))
    x = paddle.rand([1, 3, 41, 60])
    mask = predict_mask(network, x, [], InferenceSettings())
    assert set(seen[1:]) == {(24, 32)}
    window = InferenceSettings(crop_size=(32, 24), stride=(24, 18))
    np.testing.assert_array_equal(mask, predict_mask(network, x, [], window))
    assert "60x41 pixels are computed in windows of 32x24" in InferenceSettings().note((41, 60))
    assert InferenceSettings().note((40, 60)) is None and window.note((41, 60)) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(wrong):
    with pytest.raises(DataError, match="not finite"):
        predict_mask(lambda x: x * wrong, paddle.ones([1, 3, 8, 8]), [], InferenceSettings())


def test_resize_is_undone_to_the_size_before_it():
    x = paddle.rand([1, 3, 20, 30])
    for protocol in ("published", "corrected"):
        mask = predict_mask(
            lambda t: t, x, [("resize", (41, 59)), ("padding", (18, 27))], InferenceSettings(protocol=protocol)
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
        InferenceSettings(**bad)
