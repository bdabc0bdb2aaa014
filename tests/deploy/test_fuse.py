"""Batch norm folded into convolutions."""

import numpy as np
import paddle
import pytest
from deploy_models import images, logits_of, with_statistics
from paddle import nn

from paddleisa.deploy.export.network import deploy_network, fold_batch_norm


def norms_in(model):
    return [name for name, layer in model.named_sublayers() if isinstance(layer, nn.BatchNorm2D)]


class Bare(nn.Layer):
    """``forward`` is given; gives a list, as models do."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_sublayer(name, layer)
        self._forward = forward

    def forward(self, x):
        return [self._forward(self, x)]


def folded(model, count):
    with_statistics(model)
    x = images(2, 3, 12, 10)
    before = logits_of(model, x)
    assert fold_batch_norm(model, paddle.to_tensor(images(1, 3, 8, 8))) == count
    np.testing.assert_allclose(logits_of(model, x), before, rtol=0, atol=2e-5)
    return model


def test_isanet_keeps_its_logits_and_only_the_norm_of_the_auxiliary_head(model):
    x = images(2, 3, 49, 35)
    network = deploy_network(model, "onnx")
    assert norms_in(network) == ["model.head.aux.0._batch_norm"]  # which evaluation does not run
    with paddle.no_grad():
        found = network(paddle.to_tensor(x)).numpy()
    np.testing.assert_allclose(found, logits_of(model, x), rtol=0, atol=1e-4)


def test_the_model_itself_is_not_changed(model):
    x, norms = images(1, 3, 33, 32), norms_in(model)
    before = logits_of(model, x)
    deploy_network(model, "paddle")
    assert norms_in(model) == norms and norms
    np.testing.assert_array_equal(logits_of(model, x), before)


@pytest.mark.parametrize("bias", [None, False], ids=["with bias", "without"])
@pytest.mark.parametrize("affine", [None, False], ids=["affine", "plain norm"])
def test_names_and_nesting_do_not_matter(bias, affine):
    inner = nn.Sequential(nn.Conv2D(3, 5, 3, bias_attr=bias), nn.BatchNorm2D(5, weight_attr=affine, bias_attr=affine))
    model = folded(Bare(lambda self, x: self.odd(x), odd=nn.Sequential(inner, nn.ReLU())), 1)
    assert norms_in(model) == []


def test_a_grouped_strided_convolution_is_folded():
    model = Bare(
        lambda self, x: self.n(self.c(x)), c=nn.Conv2D(3, 6, 3, stride=2, groups=3, dilation=2), n=nn.BatchNorm2D(6)
    )
    folded(model, 1)


def test_a_norm_before_its_convolution_stays():
    folded(Bare(lambda self, x: self.c(self.n(x)), n=nn.BatchNorm2D(3), c=nn.Conv2D(3, 4, 1)), 0)


def test_a_norm_after_something_else_stays():
    folded(Bare(lambda self, x: self.n(nn.functional.relu(self.c(x))), c=nn.Conv2D(3, 4, 1), n=nn.BatchNorm2D(4)), 0)


def test_a_norm_of_two_convolutions_stays():
    layers = {"a": nn.Conv2D(3, 4, 1), "b": nn.Conv2D(3, 4, 1), "n": nn.BatchNorm2D(4)}
    folded(Bare(lambda self, x: self.n(self.a(x)) + self.n(self.b(x)), **layers), 0)


def test_two_norms_of_one_convolution_stay():
    layers = {"c": nn.Conv2D(3, 4, 1), "m": nn.BatchNorm2D(4), "n": nn.BatchNorm2D(4)}

    def forward(self, x):
        x = self.c(x)
        return self.m(x) + self.n(x)

    folded(Bare(forward, **layers), 0)


def test_a_pair_that_runs_twice_is_folded():
    layers = {"c": nn.Conv2D(3, 3, 1), "n": nn.BatchNorm2D(3)}
    folded(Bare(lambda self, x: self.n(self.c(self.n(self.c(x)))), **layers), 1)


def test_where_something_else_uses_the_convolutions_output_the_norm_stays_and_the_logits_are_right():
    class Shares(nn.Layer):
        def __init__(self):
            super().__init__()
            self.c, self.n = nn.Conv2D(3, 4, 1), nn.BatchNorm2D(4)

        def forward(self, x):
            y = self.c(x)
            return [self.n(y) + y]

    model = with_statistics(Shares())
    network = deploy_network(model, "onnx")
    x = images(1, 3, 7, 9)
    np.testing.assert_array_equal(network(paddle.to_tensor(x)).numpy(), logits_of(model, x))
    assert norms_in(network) == ["model.n"]
