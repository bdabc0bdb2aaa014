"""ResNet-vd: its dilation against the original's numbers and rule."""

import numpy as np
import paddle
import pytest
import reference
from paddle import nn

from paddleisa import models

# PaddleSeg 2.8.0's resnet_vd.py itself, run on the weights and the 65x97 image of tests/reference/reference.py: of each
# map its mean, and its projection on a fixed random vector (so that places and channels count).
ORIGINAL = {
    (18, 8, (1, 1, 1)): [(0.3514, 0.05029), (0.32543, -0.62028), (0.37652, -0.32213), (0.35931, 0.79899)],
    (18, 8, (1, 2, 4)): [(0.3514, 0.05029), (0.32543, -0.62028), (0.37652, -0.32213), (0.32541, 0.78646)],
    (18, 16, (1, 1, 1)): [(0.3514, 0.05029), (0.32543, -0.62028), (0.33383, 0.08421), (0.32914, -0.3782)],
    (18, 16, (1, 2, 4)): [(0.3514, 0.05029), (0.32543, -0.62028), (0.33383, 0.08421), (0.30254, 0.13366)],
    (34, 8, (1, 1, 1)): [(0.41643, 0.28029), (0.60854, -0.32528), (1.17189, 1.05863), (1.04143, 0.00124)],
    (34, 8, (1, 2, 4)): [(0.41643, 0.28029), (0.60854, -0.32528), (1.17189, 1.05863), (0.81438, 0.22277)],
    (34, 16, (1, 1, 1)): [(0.41643, 0.28029), (0.60854, -0.32528), (1.01167, 1.09257), (0.93137, -0.86781)],
    (34, 16, (1, 2, 4)): [(0.41643, 0.28029), (0.60854, -0.32528), (1.01167, 1.09257), (0.72716, -0.40696)],
}


@pytest.mark.reference
@pytest.mark.parametrize(("depth", "output_stride", "multi_grid"), ORIGINAL)
def test_maps_of_the_shallow_depths_equal_the_original(depth, output_stride, multi_grid):
    network = getattr(models, f"ResNet{depth}_vd")(output_stride=output_stride, multi_grid=multi_grid)
    state = {name: reference.weight(name, t.shape) for name, t in network.state_dict().items()}
    network.set_state_dict({name: paddle.to_tensor(value) for name, value in state.items()})
    network.eval()
    with paddle.no_grad():
        maps = [m.numpy().astype(np.float64) for m in network(paddle.to_tensor(reference.image(5, (1, 3, 65, 97))))]
    found = [(m.mean(), np.random.default_rng(9).standard_normal(m.size) @ m.ravel() / m.size**0.5) for m in maps]
    np.testing.assert_allclose(found, ORIGINAL[depth, output_stride, multi_grid], rtol=0, atol=5e-4)


@pytest.mark.parametrize(
    ("output_stride", "multi_grid", "of_stages"),
    [
        (8, (1, 1, 1), [{1}, {1}, {2}, {4}]),
        (16, (1, 1, 1), [{1}, {1}, {1}, {2}]),
        (32, (1, 1, 1), [{1}, {1}, {1}, {1}]),
        (8, (1, 2, 4), [{1}, {1}, {2}, {4, 8, 16}]),
        (16, (1, 2, 4), [{1}, {1}, {1}, {2, 4, 8}]),
    ],
)
def test_dilations_of_each_stage(output_stride, multi_grid, of_stages):
    network = models.ResNet50_vd(output_stride=output_stride, multi_grid=multi_grid)
    found = [set(), set(), set(), set()]
    for name, layer in network.named_sublayers():
        if isinstance(layer, nn.Conv2D) and name.startswith("bb_") and layer.weight.shape[2] == 3:
            found[int(name[3])].add(tuple(layer._dilation)[0])
    assert found == of_stages


def test_a_multi_grid_keeps_output_stride_32():
    """The original takes any dilated block for one without stride, so multi_grid [2, ...] made its stride 16."""
    network = models.ResNet18_vd(output_stride=32, multi_grid=(2, 2, 2))
    assert tuple(network(paddle.zeros([1, 3, 64, 64]))[-1].shape[2:]) == (2, 2)
