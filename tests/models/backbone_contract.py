"""What every backbone must do, as tests to inherit: ``class TestMine(BackboneContract): backbone, channels = ...``."""

from __future__ import annotations

import numpy as np
import paddle
import pytest


class BackboneContract:
    """Subclasses give ``backbone`` (the class), ``channels`` (of its maps), and ``strides`` where they are not these.

    ``strides`` are the maps' by output stride; None is for a backbone that has no such option.
    """

    backbone: type
    channels: tuple[int, ...]
    strides: dict[int | None, tuple[int, ...]] = {8: (4, 8, 8, 8), 16: (4, 8, 16, 16), 32: (4, 8, 16, 32)}

    @pytest.fixture(scope="class")
    def built(self):
        """``built(output_stride)``, each built once: initialising a deep network takes a second."""
        networks = {}

        def build(output_stride):
            if output_stride not in networks:
                paddle.seed(0)
                networks[output_stride] = self.backbone(**({"output_stride": output_stride} if output_stride else {}))
            networks[output_stride].eval()
            return networks[output_stride]

        return build

    @pytest.fixture
    def network(self, built):
        return built(next(iter(self.strides)))

    def maps(self, network, *shape):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        with paddle.no_grad():
            return network(paddle.to_tensor(x))

    def test_feat_channels_are_those_of_the_four_maps(self, network):
        assert tuple(network.feat_channels) == self.channels
        assert tuple(m.shape[1] for m in self.maps(network, 1, 3, 32, 32)) == self.channels

    def test_each_map_is_the_input_divided_by_its_stride_and_rounded_up(self, built):
        for output_stride, strides in self.strides.items():
            shapes = [tuple(m.shape[2:]) for m in self.maps(built(output_stride), 1, 3, 33, 71)]
            assert shapes == [(-(-33 // s), -(-71 // s)) for s in strides], output_stride

    @pytest.mark.parametrize("size", [(1, 1), (7, 9)])
    def test_an_input_smaller_than_the_stride_gives_finite_maps(self, network, size):
        for m in self.maps(network, 1, 3, *size):
            assert 0 not in m.shape
            assert np.isfinite(m.numpy()).all()

    def test_images_of_a_batch_do_not_influence_one_another(self, network):
        x = np.random.default_rng(1).standard_normal((2, 3, 32, 40)).astype(np.float32)
        with paddle.no_grad():
            both = network(paddle.to_tensor(x))
            second = network(paddle.to_tensor(x[1:]))
        for together, alone in zip(both, second, strict=True):
            np.testing.assert_allclose(together.numpy()[1:], alone.numpy(), rtol=1e-3, atol=1e-4)

    def test_names_and_shapes_of_weights_do_not_depend_on_the_output_stride(self, built):
        def state(model):
            return [(name, tuple(t.shape)) for name, t in model.state_dict().items()]

        first, *others = [state(built(output_stride)) for output_stride in self.strides]
        assert all(other == first for other in others)

    def test_a_training_step_reaches_every_parameter(self, network):
        network.train()
        x = np.random.default_rng(2).standard_normal((2, 3, 32, 32)).astype(np.float32)
        last = network(paddle.to_tensor(x))[-1]
        weights = paddle.to_tensor(np.random.default_rng(3).standard_normal(last.shape).astype(np.float32))
        (last * weights).sum().backward()
        trainable = [(n, p) for n, p in network.named_parameters() if not p.stop_gradient]  # not batch statistics
        untouched = [n for n, p in trainable if p.grad is None or not np.abs(p.grad.numpy()).max() > 0]
        assert trainable
        assert untouched == []
