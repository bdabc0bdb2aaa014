"""FLOPs: our formulas and our count against the multiplications that are really done."""

import paddle
import paddle.nn.functional as F
import pytest

from paddleisa.bench.cost import (
    PublishedHead,
    build_block,
    dense_flops,
    head_cost,
    interlaced_flops,
    network_cost,
    parameter_count,
)
from paddleisa.build import build_model
from paddleisa.config import load_config

SCENES = "isanet_resnet18_os8_scenes_128x128_200"


@pytest.fixture
def counted(monkeypatch):
    """``counted(network, shape)``: 2 x the multiplications of its convolutions and matrix products, one by one.

    A product whose operands hold ones gives, at each place, the number of multiplications that were added up there.
    """

    def count(network, shape):
        found = []
        convolve, matmul, fused = F.conv._conv_nd, paddle.matmul, F.scaled_dot_product_attention

        def note(ones):
            found.append(int(ones.astype("float64").sum()))

        def watched_convolution(x, weight, bias=None, stride=1, padding=0, padding_algorithm=None, dilation=1, *args,
                                **kwargs):  # fmt: skip
            height, width = padding
            ones = F.pad(paddle.ones_like(x), [width, width, height, height], value=1.0)  # a zero is multiplied too
            rest = (padding_algorithm, dilation, *args)
            note(convolve(ones, paddle.ones_like(weight), None, stride, [0, 0], *rest, **kwargs))
            return convolve(x, weight, bias, stride, padding, *rest, **kwargs)

        def watched_product(x, y, transpose_x=False, transpose_y=False, name=None):
            note(matmul(paddle.ones_like(x), paddle.ones_like(y), transpose_x, transpose_y))
            return matmul(x, y, transpose_x, transpose_y)

        def watched_attention(query, key, value, *args, **kwargs):
            weights = matmul(*(paddle.ones_like(t).transpose([0, 2, 1, 3]) for t in (query, key)), False, True)
            note(weights)
            note(matmul(paddle.ones_like(weights), paddle.ones_like(value).transpose([0, 2, 1, 3])))
            return fused(query, key, value, *args, **kwargs)

        with monkeypatch.context() as patch, paddle.no_grad():
            network.eval()
            inputs = paddle.zeros(shape)
            patch.setattr(paddle, "matmul", watched_product)
            patch.setattr(F, "scaled_dot_product_attention", watched_attention)
            patch.setattr(F.conv, "_conv_nd", watched_convolution)
            network(inputs)
        return 2 * sum(found)

    return count


@pytest.mark.parametrize("size", [(16, 16), (17, 9), (8, 24)])
@pytest.mark.parametrize("kind", ["isa", "dense"])
def test_the_formula_is_what_the_block_computes(counted, kind, size):
    block = build_block(kind, in_channels=16, channels=8, window=(8, 4))
    formula = interlaced_flops(size, 2, 16, 8, (8, 4)) if kind == "isa" else dense_flops(size, 2, 16, 8)
    assert formula == counted(block, [2, 16, *size])


def test_a_configs_network_is_counted_without_computing_it(counted):
    config = load_config(SCENES)
    cost = network_cost(config, (72, 104))  # 9 x 13 features, which the windows of 4 x 4 pad
    assert cost["flops"] == counted(build_model(config), [1, 3, 72, 104])
    assert paddle.in_dynamic_mode()


def test_the_published_row_costs_what_is_known_of_it():
    """694 GFLOP at 769x769, the figure in the project's facts, counted by another tool."""
    cost = network_cost(load_config("isanet_resnet50_os8_cityscapes_769x769_80k"), (769, 769))
    assert cost["flops"] / 1e9 == pytest.approx(694, abs=0.6)


def test_parameters_are_those_that_training_changes():
    inputs, channels = 16, 8
    norm = 2  # scale and shift of a channel
    query_or_key = inputs * channels + channels * channels + 2 * norm * channels
    one = 2 * query_or_key + (inputs * inputs + inputs) + (inputs * inputs + norm * inputs)
    assert parameter_count(build_block("dense", inputs, channels, (8, 8))) == one
    assert parameter_count(build_block("isa", inputs, channels, (8, 8))) == 2 * one


@pytest.mark.parametrize(
    ("kind", "gflop", "millions"),
    [("isa", 386.5 + 8.05, 11.80), ("dense", 347.9 + 274.9, 10.6)],  # counted by hand, without classifiers
)
def test_the_published_heads_cost_what_is_known_of_them(kind, gflop, millions):
    classifier = 2 * 128 * 128 * 512 * 19
    assert (head_cost(kind, (128, 128), 1) - classifier) / 1e9 == pytest.approx(gflop, abs=0.1)
    assert (parameter_count(PublishedHead(kind)) - (512 * 19 + 19)) / 1e6 == pytest.approx(millions, abs=0.05)
