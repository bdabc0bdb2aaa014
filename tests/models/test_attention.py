"""Interlaced attention: its groups against slicing, its values against loops in numpy."""

import itertools

import numpy as np
import paddle
import pytest

from paddleisa.models import SelfAttention, interlace
from paddleisa.models.attention import COLUMNS, ROWS, scaled_dot_product_attention
from paddleisa.models.windows import WindowGrid

WINDOWS = [(1, 1), (2, 3), (4, 2), (8, 8)]


def group_mean(x, groups):
    """Attention replaced by the mean of its group: of its row or of its column."""
    return x.mean(axis=3 if groups == ROWS else 2, keepdim=True).expand(x.shape)


def grouped_mean(x, window, groups):
    grid = WindowGrid(x.shape[2:], window)
    return grid.unpartition(group_mean(grid.partition(x), groups))


def random_map(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("window", WINDOWS)
def test_long_range_groups_pixels_one_window_apart(window):
    ph, pw = window
    x = random_map(2, 5, 2 * ph, 3 * pw)
    y = grouped_mean(paddle.to_tensor(x), window, ROWS).numpy()
    for i, j in itertools.product(range(2 * ph), range(3 * pw)):
        group = x[:, :, i % ph :: ph, j % pw :: pw].mean((2, 3))
        np.testing.assert_allclose(y[:, :, i, j], group, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_short_range_groups_the_pixels_of_one_window(window):
    ph, pw = window
    x = random_map(2, 5, 2 * ph, 3 * pw)
    y = grouped_mean(paddle.to_tensor(x), window, COLUMNS).numpy()
    for i, j in itertools.product(range(2 * ph), range(3 * pw)):
        top, left = i - i % ph, j - j % pw
        group = x[:, :, top : top + ph, left : left + pw].mean((2, 3))
        np.testing.assert_allclose(y[:, :, i, j], group, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(6, 12), (5, 10), (1, 1)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])  # integers go the way of GPUs and static graphs
def test_unpartition_undoes_partition(size, dtype):
    x = paddle.to_tensor((100 * random_map(2, 5, *size)).astype(dtype))
    grid = WindowGrid(list(size), (2, 3))
    np.testing.assert_array_equal(grid.unpartition(grid.partition(x)).numpy(), x.numpy())


@pytest.mark.parametrize("size", [(6, 12), (5, 10)], ids=str)
def test_a_cpu_s_kernels_move_positions_as_the_transposition_does(size):
    x = (100 * random_map(2, 5, *size)).astype("int32")
    grid = WindowGrid(list(size), (2, 3))
    found, expected = (grid.partition(paddle.to_tensor(x.astype(kind))).numpy() for kind in ("float32", "int32"))
    np.testing.assert_array_equal(found, expected)


def test_every_position_reaches_every_other_one_in_the_two_steps():
    """Paper, section 3.2: with means in place of attention, the result is one number, that of all positions."""
    x = random_map(1, 1, 6, 8)
    y = interlace(paddle.to_tensor(x), (3, 4), group_mean, group_mean).numpy()
    np.testing.assert_allclose(y, np.full_like(x, x.mean()), atol=1e-6)


def softmax_attention(query, key, value):
    """(channels, positions) each, one position of the query at a time, in float64."""
    result = np.zeros_like(value)
    for position in range(query.shape[1]):
        weights = np.array([query[:, position] @ key[:, other] for other in range(key.shape[1])])
        weights = np.exp(weights / np.sqrt(len(query)) - max(weights / np.sqrt(len(query))))
        result[:, position] = value @ (weights / weights.sum())
    return result


def test_attention_is_scaled_dot_product_attention():
    query, key, value = random_map(3, 4, 6, seed=1), random_map(3, 4, 6, seed=2), random_map(3, 7, 6, seed=3)
    found = scaled_dot_product_attention(*map(paddle.to_tensor, (query, key, value))).numpy()
    for group in range(3):
        expected = softmax_attention(*(a[group].astype(np.float64) for a in (query, key, value)))
        np.testing.assert_allclose(found[group], expected, rtol=1e-4, atol=1e-5)


def plain(x, groups):
    """Attention whose query, key and value are the map itself, in its rows, its columns or as a whole."""
    parts = x.flatten(2) if groups is None else x.transpose(groups)
    result = scaled_dot_product_attention(parts, parts, parts)
    return result.reshape(x.shape) if groups is None else result.transpose([groups.index(a) for a in range(4)])


def by_loops(x, window):
    """Interlaced attention of (C, H, W): pad, then each group by dense attention, positions gathered one by one."""
    channels, height, width = x.shape
    ph, pw = window
    full_h, full_w = -(-height // ph) * ph, -(-width // pw) * pw
    top, left = (full_h - height) // 2, (full_w - width) // 2
    padded = np.zeros((channels, full_h, full_w))
    for i, j in itertools.product(range(height), range(width)):
        padded[:, top + i, left + j] = x[:, i, j]
    for key in (lambda i, j: (i % ph, j % pw), lambda i, j: (i // ph, j // pw)):
        groups = {}
        for place in itertools.product(range(full_h), range(full_w)):
            groups.setdefault(key(*place), []).append(place)
        result = np.zeros_like(padded)
        for places in groups.values():
            features = np.stack([padded[:, i, j] for i, j in places], axis=1)
            attended = softmax_attention(features, features, features)
            for column, (i, j) in enumerate(places):
                result[:, i, j] = attended[:, column]
        padded = result
    return padded[:, top : top + height, left : left + width]


@pytest.mark.parametrize(
    ("size", "window"),
    [((4, 6), (2, 3)), ((5, 7), (2, 3)), ((1, 1), (4, 2)), ((7, 3), (4, 4)), ((3, 5), (1, 1)), ((6, 9), (8, 4))],
    ids=str,
)
def test_interlaced_attention_equals_dense_attention_inside_each_group_by_loops(size, window):
    """With padding: zeros, centred, one more after than before, and taking part in the softmax."""
    x = random_map(2, 3, *size)
    found = interlace(paddle.to_tensor(x), window, plain, plain).numpy()
    for image in range(2):
        np.testing.assert_allclose(found[image], by_loops(x[image].astype(np.float64), window), rtol=1e-3, atol=1e-5)


def test_padded_positions_take_part_in_the_softmax():
    """A 1x1 map in a window of 2x2: zeros have similarity 0 to everything, so they draw weight and give nothing."""
    x = np.array([3.0], np.float32).reshape(1, 1, 1, 1)
    # Long range: groups of one position change nothing. Short range: three zeros beside the 3.
    expected = 3 * np.exp(9) / (np.exp(9) + 3)
    found = interlace(paddle.to_tensor(x), (2, 2), plain, plain).item()
    assert found == pytest.approx(expected, rel=1e-5)
    assert found != 3.0


def test_one_window_over_the_whole_map_is_dense_attention():
    x = random_map(2, 4, 5, 6)
    nothing = interlace(paddle.to_tensor(x), (5, 6), lambda t, groups: t, plain).numpy()
    dense = plain(paddle.to_tensor(x), None).numpy()
    np.testing.assert_allclose(nothing, dense, rtol=1e-4, atol=1e-6)


def test_self_attention_projects_and_attends_as_the_paper_writes_it():
    paddle.seed(0)
    layer = SelfAttention(6, 4)
    layer.eval()
    x = random_map(2, 6, 3, 5)
    found = layer(paddle.to_tensor(x)).numpy()

    def unit(block, features):
        """1x1 convolution, batch normalisation, ReLU on (channels, positions), from the raw weights."""
        kernel, norm = block._conv.weight.numpy()[:, :, 0, 0], block._batch_norm
        mean, variance, scale, shift = (
            t.numpy()[:, None] for t in (norm._mean, norm._variance, norm.weight, norm.bias)
        )
        return np.maximum((kernel @ features - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0)

    for image in range(2):
        features = x[image].reshape(6, 15)
        query, key = features, features
        for query_block, key_block in zip(layer.query_project, layer.key_project, strict=True):
            query, key = unit(query_block, query), unit(key_block, key)
        convolution = layer.value_project
        value = convolution.weight.numpy()[:, :, 0, 0] @ features + convolution.bias.numpy()[:, None]
        expected = unit(layer.output_project, softmax_attention(query, key, value)).reshape(6, 3, 5)
        np.testing.assert_allclose(found[image], expected, rtol=1e-3, atol=1e-5)


@pytest.fixture
def double_precision():
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("groups", [None, ROWS, COLUMNS], ids=str)
@pytest.mark.parametrize("options", [{}, {"output": "zero", "value_channels": 3, "value_bias": False}], ids=str)
def test_projections_as_products_equal_those_as_convolutions(double_precision, options, groups, training):
    """In float64: the result, the gradient of the map and of every parameter, and the running statistics."""
    found = []
    for by_products in (True, False):
        layer = SelfAttention(6, 4, negative_slope=0.1, **options)
        rng = np.random.default_rng(0)
        layer.set_state_dict({name: rng.uniform(0.5, 1.5, t.shape) for name, t in layer.state_dict().items()})
        layer.by_products = by_products
        layer.train() if training else layer.eval()
        x = paddle.to_tensor(random_map(2, 6, 3, 5).astype(np.float64), stop_gradient=False)
        result = layer(x, groups)
        (result**3).sum().backward()
        gradients = [p.grad.numpy() for p in layer.parameters() if not p.stop_gradient]
        found.append([result.numpy(), x.grad.numpy(), *gradients, *(t.numpy() for t in layer.state_dict().values())])
    for ours, convolutions in zip(*found, strict=True):
        np.testing.assert_allclose(ours, convolutions, rtol=1e-9, atol=1e-12 * max(100, np.abs(convolutions).max()))
