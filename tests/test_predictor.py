"""The Python interface: from an image to a mask, with preprocessing and its geometry."""

import numpy as np
import paddle
import pytest

from paddleisa.config import Config
from paddleisa.errors import ConfigError, DataError, UsageError
from paddleisa.inference.settings import InferenceSettings
from paddleisa.predictor import Predictor


class Brightest(paddle.nn.Layer):
    """A network whose class is the brightest colour: masks can be told from the image by eye."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, x):
        self.sizes += [tuple(x.shape[2:])] * x.shape[0]
        return [x * 10]


def config(*transforms):
    return Config.from_dict(
        {
            "model": {"type": "ISANet", "backbone": {"type": "ResNet18_vd"}},
            "val_dataset": {
                "type": "Dataset",
                "dataset_root": "nowhere",
                "num_classes": 3,
                "mode": "val",
                "val_path": "nowhere/val.txt",
                "transforms": [*transforms, {"type": "Normalize"}],
            },
        }
    )


VOC_PADDING = {"type": "Padding", "target_size": [512, 512]}


def colours(height, width):
    """Four fields of pure colours, and their classes."""
    classes = np.zeros((height, width), np.uint8)
    classes[: height // 2, width // 2 :] = 1
    classes[height // 2 :, : width // 2] = 2
    return np.eye(3, dtype=np.uint8)[classes] * 255, classes


SIZES_THROUGH_VOC = [((30, 40), (512, 512)), ((520, 600), (520, 600)), ((20, 600), (512, 600))]


@pytest.mark.parametrize(("size", "network_size"), SIZES_THROUGH_VOC)
def test_an_image_of_any_size_gives_a_mask_of_its_size_through_vocs_padding(size, network_size):
    network = Brightest()
    image, classes = colours(*size)
    mask = Predictor(network, config(VOC_PADDING))(image)
    assert network.sizes == [network_size]
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, classes)


def test_a_resized_image_gives_a_mask_of_the_originals_size():
    network = Brightest()
    image, classes = colours(40, 60)
    mask = Predictor(network, config({"type": "Resize", "target_size": [30, 20]}))(image)
    assert network.sizes == [(20, 30)]
    assert mask.shape == (40, 60)
    assert (mask == classes).mean() > 0.9


def test_scales_and_flips_multiply_the_passes():
    network = Brightest()
    image, classes = colours(32, 48)
    predictor = Predictor(network, config(), scales=(0.5, 1.0), flip_horizontal=True)
    mask = predictor(image)
    assert network.sizes == [(16, 24)] * 2 + [(32, 48)] * 2
    assert (mask == classes).mean() > 0.9


def test_a_single_number_is_one_scale():
    network = Brightest()
    Predictor(network, config(), scales=2)(colours(8, 8)[0])
    assert network.sizes == [(16, 16)]


def test_a_scale_that_leaves_less_than_a_pixel_uses_one_pixel():
    network = Brightest()
    assert Predictor(network, config(), scales=0.01)(colours(8, 8)[0]).shape == (8, 8)
    assert network.sizes == [(1, 1)]


def test_the_sliding_window_sees_windows_only():
    network = Brightest()
    image, classes = colours(32, 48)
    mask = Predictor(network, config(), crop_size=(16, 16), stride=(16, 16))(image)
    assert set(network.sizes) == {(16, 16)}
    np.testing.assert_array_equal(mask, classes)


def test_the_model_is_put_into_evaluation_mode():
    network = Brightest()
    network.train()
    Predictor(network, config())
    assert not network.training


def test_the_image_is_not_changed_and_the_same_mask_comes_again():
    image, _ = colours(16, 16)
    before = image.copy()
    predictor = Predictor(Brightest(), config(VOC_PADDING))
    first, second = predictor(image), predictor(image)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, second)


def test_preparing_leaves_the_samples_other_keys_alone():
    image, classes = colours(16, 16)
    sample = {"img": image, "label": classes, "image_path": "x.png"}
    Predictor(Brightest(), config(VOC_PADDING)).prepare(sample)
    assert sample == {"img": image, "label": classes, "image_path": "x.png"}


def test_what_is_not_given_is_as_the_configs_test_config_says():
    values = {**config().to_dict(), "test_config": {"aug_eval": True, "scales": [0.5, 1.0], "protocol": "published"}}
    predictor = Predictor(Brightest(), Config.from_dict(values), flip_horizontal=True)
    assert predictor.settings == InferenceSettings((0.5, 1.0), flip_horizontal=True, protocol="paddleseg-2021")


def test_corners_are_aligned_as_the_model_aligns_them_whatever_its_config_says():
    network = Brightest()
    assert not Predictor(network, config()).align_corners
    network.align_corners = True
    assert Predictor(network, config()).align_corners


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        None,
        "street.png",
    ],
    ids=["grey", "rgba", "float", "empty", "batch", "none", "path"],
)
def test_anything_but_an_rgb_image_is_refused(array):
    with pytest.raises(DataError, match=r"must be an array \(height, width, 3\) of uint8 RGB.*read_image"):
        Predictor(Brightest(), config())(array)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "padle"}, "there is no engine 'padle'. Did you mean 'paddle'"),
        ({"precision": "fp8"}, "'paddle' has no precision 'fp8'.* fp32"),
        ({"scales": ()}, "scales"),
        ({"scales": float("nan")}, r"scales \[nan\] must be positive"),
        ({"scales": (1.0, float("inf"))}, "must be positive"),
        ({"crop_size": (8, 8)}, "needs its size and its stride"),
        ({"protocol": "2021"}, "there is no protocol '2021'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_before_any_image(options, message):
    with pytest.raises(UsageError, match=message):
        Predictor(Brightest(), config(), **options)


def test_a_transform_that_does_not_exist_is_a_config_error():
    with pytest.raises(ConfigError, match="Did you mean 'Padding'"):
        Predictor(Brightest(), config({"type": "Pading", "target_size": [8, 8]}))


@pytest.mark.parametrize("options", [{}, {"flip_horizontal": True}, {"flip_horizontal": True, "protocol": "published"}])
def test_the_confidence_is_the_probability_of_the_pixels_class(options):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    predictor = Predictor(Brightest(), config(VOC_PADDING), **options)
    mask, confidence = predictor(image, confidence=True)
    np.testing.assert_array_equal(mask, predictor(image))
    logits = (image / 255 - 0.5) / 0.5 * 10  # mirrored back, the flipped pass gives the same
    expected = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    np.testing.assert_allclose(confidence, expected.max(2), atol=1e-4)
