"""Ways that share forward passes: the masks of each way alone, and no pass twice."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from one_mask import predict_mask

from paddleisa.inference.masks import predict_masks
from paddleisa.inference.settings import InferenceSettings
from paddleisa.inference.views import views

MS = (0.75, 1.0, 1.25)
WAYS = {
    f"{protocol}/{name}": InferenceSettings(protocol=protocol, scales=scales, flip_horizontal=flip)
    for protocol in ("published", "corrected")
    for name, scales, flip in (("single", (1.0,), False), ("flip", (1.0,), True), ("ms_flip", MS, True))
}
GEOMETRIES = {
    "padded": [("padding", (30, 43))],
    "resized": [("resize", (61, 80)), ("padding", (30, 43))],
    "as it is": [],
}


class CountingNetwork:
    """Five classes from a strided convolution and the place in the image; keeps every input."""

    def __init__(self):
        rng = np.random.default_rng(5)
        self.kernel = paddle.to_tensor(rng.standard_normal((5, 3, 5, 5)).astype("float32"))
        self.inputs = []

    def __call__(self, x):
        self.inputs.append(x.numpy())
        h, w = x.shape[2:]
        small = F.conv2d(x, self.kernel, stride=2, padding=2)
        rows = paddle.sin(paddle.arange(small.shape[2], dtype="float32")).reshape([1, 1, -1, 1])
        cols = paddle.cos(paddle.arange(small.shape[3], dtype="float32")).reshape([1, 1, 1, -1])
        return F.interpolate(small + 3 * rows * cols, (h, w), mode="bilinear")


def alone(network, image, geometry, way):
    """One way by the words of the two protocols, nothing shared."""
    height, width = image.shape[2:]
    augmented = way.flip_horizontal or way.scales != (1.0,)
    total, previous = 0, image
    for scale in way.scales:
        size = (int(height * scale + 0.5), int(width * scale + 0.5))
        source = previous if way.protocol == "paddleseg-2021" else image
        x = source if list(source.shape[2:]) == list(size) else F.interpolate(source, size, mode="bilinear")
        previous = x
        for mirror in (False, True) if way.flip_horizontal else (False,):
            logits = network(x.flip([3])).flip([3]) if mirror else network(x)
            if list(logits.shape[2:]) != [height, width]:
                logits = F.interpolate(logits, (height, width), mode="bilinear")
            total = total + (F.softmax(logits, axis=1) if way.protocol == "paddleseg-2021" and augmented else logits)
    if way.protocol == "paddleseg-2021":
        mask = total.argmax(axis=1, keepdim=True).astype("float32")
        for kind, (h, w) in reversed(geometry):
            mask = mask[:, :, :h, :w] if kind == "padding" else F.interpolate(mask, (h, w), mode="nearest")
        return mask.numpy()[0, 0]
    for kind, (h, w) in reversed(geometry):
        total = total[:, :, :h, :w] if kind == "padding" else F.interpolate(total, (h, w), mode="bilinear")
    return total.argmax(axis=1).numpy()[0]


def assert_same(mask, expected):
    assert mask.shape == expected.shape
    assert (mask != expected).sum() <= 1  # rounding decides between logits that are equal to seven digits


@pytest.fixture
def image():
    return paddle.to_tensor(np.random.default_rng(2).uniform(-1, 1, (1, 3, 33, 47)).astype("float32"))


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_each_of_the_six_masks_is_that_of_its_way_alone(image, geometry):
    together = predict_masks(CountingNetwork(), image, geometry, list(WAYS.values()))
    for mask, way in zip(together, WAYS.values(), strict=True):
        assert_same(mask, alone(CountingNetwork(), image, geometry, way))
        np.testing.assert_array_equal(mask, predict_mask(CountingNetwork(), image, geometry, way))


def test_the_six_ways_differ_from_each_other_on_this_network(image):
    # Otherwise the test above would not notice two ways taken for one another.
    masks = predict_masks(CountingNetwork(), image, [], [w for k, w in WAYS.items() if k != "corrected/single"])
    assert len({mask.tobytes() for mask in masks}) == 5


def test_six_ways_need_ten_passes_and_none_twice(image):
    network = CountingNetwork()
    predict_masks(network, image, [], list(WAYS.values()))
    # 1.0, 0.75 once; 1.0 and 1.25 resized from the scale before; 1.25 from the image; each mirrored too.
    assert len(network.inputs) == 10
    assert len({x.tobytes() for x in network.inputs}) == 10


@pytest.mark.parametrize("order", [list(WAYS), list(WAYS)[::-1], [*list(WAYS)[3:], *list(WAYS)[:3]]])
def test_neither_masks_nor_passes_depend_on_the_order_of_the_ways(image, order):
    network = CountingNetwork()
    masks = predict_masks(network, image, [], [WAYS[key] for key in order])
    assert len(network.inputs) == 10
    for key, mask in zip(order, masks, strict=True):
        assert_same(mask, alone(CountingNetwork(), image, [], WAYS[key]))


def test_ways_that_take_the_scales_in_opposite_orders_still_get_their_own_masks(image):
    ways = [
        InferenceSettings(scales=MS),
        InferenceSettings(scales=MS[::-1]),
        InferenceSettings(scales=(1.0, 0.75, 1.0)),
    ]
    for way, mask in zip(ways, predict_masks(CountingNetwork(), image, [], ways), strict=True):
        assert_same(mask, alone(CountingNetwork(), image, [], way))


def test_a_network_that_returns_its_input_keeps_the_image_unchanged(image):
    before = image.numpy()
    predict_masks(lambda x: x, image, [], list(WAYS.values()))
    np.testing.assert_array_equal(image.numpy(), before)


def test_sliding_windows_are_shared_too(image):
    ways = [InferenceSettings(crop_size=(20, 20), stride=(15, 15), flip_horizontal=flip) for flip in (False, True)]
    network = CountingNetwork()
    masks = predict_masks(network, image, [], ways)
    windows = len(network.inputs) // 2  # of the image and of the mirrored one
    separate = CountingNetwork()
    for way, mask in zip(ways, masks, strict=True):
        np.testing.assert_array_equal(mask, predict_mask(separate, image, [], way))
    assert len(separate.inputs) == 3 * windows


@pytest.mark.parametrize("limit, sizes", [(0, [1] * 10), (2 * 33 * 47, [1] * 4 + [2] * 3), (10**9, [2, 2, 2, 4])])
def test_mirrored_views_share_a_batch_as_far_as_the_limit_allows(image, limit, sizes):
    network = CountingNetwork()
    masks = predict_masks(network, image, [], list(WAYS.values()), batch_pixels=limit)
    assert sorted(len(x) for x in network.inputs) == sizes  # two of 1.25 are more than the middle limit
    for way, mask in zip(WAYS.values(), masks, strict=True):
        assert_same(mask, alone(CountingNetwork(), image, [], way))


def test_a_cascade_resizes_from_the_scale_before_and_a_return_to_the_size_is_not_the_image():
    found = views((40, 60), MS, [()], cascaded=True)
    assert [view.sizes for view in found] == [((30, 45),), ((30, 45), (40, 60)), ((30, 45), (40, 60), (50, 75))]
    found = views((40, 60), MS, [()], cascaded=False)
    assert [view.sizes for view in found] == [((30, 45),), (), ((50, 75),)]
