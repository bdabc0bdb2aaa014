"""What every head must do, as tests to inherit: ``class TestMine(HeadContract): head = ...``; see ``heads/base.py``."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

CHANNELS = (12, 24)  # of the two maps that a head gets


class HeadContract:
    """Subclasses give ``head`` (the class), and ``options`` that keep it small."""

    head: type
    options: dict[str, object] = {}

    def build(self, num_classes=5, **options):
        paddle.seed(0)
        head = self.head(num_classes=num_classes, in_channels=CHANNELS, **{**self.options, **options})
        head.eval()
        return head

    def features(self, height, width, batch=1):
        rng = np.random.default_rng(0)
        maps = [rng.standard_normal((batch, c, height, width)).astype(np.float32) for c in CHANNELS]
        return [paddle.to_tensor(m) for m in maps]

    @pytest.mark.parametrize("size", [(1, 1), (9, 13), (16, 8)], ids=str)
    def test_evaluation_gives_one_map_of_scores_at_the_features_size(self, size):
        with paddle.no_grad():
            (scores,) = self.build()(self.features(*size, batch=2))
        assert tuple(scores.shape) == (2, 5, *size)
        assert np.isfinite(scores.numpy()).all()

    @pytest.mark.parametrize("auxiliary", [True, False])
    def test_training_gives_auxiliary_scores_too_where_they_are_enabled(self, auxiliary):
        head = self.build(enable_auxiliary_loss=auxiliary)
        head.train()
        assert [tuple(s.shape) for s in head(self.features(9, 13, batch=2))] == [(2, 5, 9, 13)] * (1 + auxiliary)

    def test_the_classifiers_names_are_what_depends_on_the_number_of_classes(self):
        two, five = (self.build(n).state_dict() for n in (2, 5))
        different = {name.rpartition(".")[0] for name in five if list(five[name].shape) != list(two[name].shape)}
        assert different == set(self.head.classifier_names)

    def test_a_training_step_reaches_every_parameter(self):
        head = self.build(dropout=0.0)
        head.train()
        rng = np.random.default_rng(5)
        for _ in range(2):  # what starts at zero lets nothing through in the first step
            for scores in head(self.features(9, 13, batch=2)):
                gradient = rng.standard_normal(scores.shape).astype(np.float32)
                scores.backward(paddle.to_tensor(gradient), retain_graph=True)
            trainable = [(n, p) for n, p in head.named_parameters() if not p.stop_gradient]
            untouched = [n for n, p in trainable if p.grad is None or not np.abs(p.grad.numpy()).max() > 0]
            for _, parameter in trainable:
                parameter.set_value(parameter - 0.01 * parameter.grad)
            head.clear_gradients()
        assert trainable
        assert untouched == []
