"""The weights that the page draws are those of a plain computation from the network's own projections."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddleisa.errors import UsageError
from paddleisa.models import ISANet, ResNet18_vd
from paddleisa.viewer.attention_map import AttentionMaps

WINDOW = (3, 2)


@pytest.fixture(scope="module")
def model():
    paddle.seed(7)
    network = ISANet(4, ResNet18_vd(output_stride=16), isa_channels=8, down_factor=WINDOW)
    network.eval()
    return network


@pytest.fixture(scope="module")
def image():
    return paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, 100, 81)).astype(np.float32))  # 7 x 6 map


def plain(model, image, row, column):
    """Long-range and short-range weights of a position, by loops over a padded map; the padding's share separately."""
    with paddle.no_grad():
        features = model.backbone(image)
        x = model.head.in_conv(features[3])
    h, w = x.shape[2:]
    ph, pw = WINDOW
    top, left = (-h % ph) // 2, (-w % pw) // 2
    padded = np.zeros((1, x.shape[1], h + -h % ph, w + -w % pw), np.float32)
    padded[:, :, top : top + h, left : left + w] = x.numpy()
    steps, value = [], paddle.to_tensor(padded)
    for name, relation in (("long", model.head.global_relation), ("short", model.head.local_relation)):
        with paddle.no_grad():
            query, key = relation.query_project(value).numpy()[0], relation.key_project(value).numpy()[0]
            projected = relation.value_project(value).numpy()[0]
        result = np.zeros_like(projected)
        for i in range(padded.shape[2]):
            for j in range(padded.shape[3]):
                if name == "long":
                    rows, columns = range(i % ph, padded.shape[2], ph), range(j % pw, padded.shape[3], pw)
                else:
                    rows, columns = range(i // ph * ph, i // ph * ph + ph), range(j // pw * pw, j // pw * pw + pw)
                group = [(a, b) for a in rows for b in columns]
                score = np.array([query[:, i, j] @ key[:, a, b] / np.sqrt(len(query)) for a, b in group])
                weights = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
                result[:, i, j] = sum(
                    weight * projected[:, a, b] for weight, (a, b) in zip(weights, group, strict=True)
                )
                if (i, j) == (row + top, column + left):
                    drawn, outside = np.zeros((h, w)), 0.0
                    for weight, (a, b) in zip(weights, group, strict=True):
                        if 0 <= a - top < h and 0 <= b - left < w:
                            drawn[a - top, b - left] = weight
                        else:
                            outside += weight
                    steps.append((drawn, outside))
        with paddle.no_grad():
            value = relation.output_project(paddle.to_tensor(result[None]))
    return steps


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 2), (6, 5), (4, 1)])
def test_weights_of_both_steps_equal_a_plain_computation(model, image, row, column):
    maps = AttentionMaps(model, image)
    found = maps.at(x=(column + 0.5) * 81 / maps.size[1], y=(row + 0.5) * 100 / maps.size[0])
    assert found.position == (row, column)
    (long, long_outside), (short, short_outside) = plain(model, image, row, column)
    np.testing.assert_allclose(found.long_range, long, atol=1e-5)
    np.testing.assert_allclose(found.short_range, short, atol=1e-5)
    np.testing.assert_allclose(found.on_padding, (long_outside, short_outside), atol=1e-5)


def test_weights_and_the_paddings_share_add_up_to_one(model, image):
    found = AttentionMaps(model, image).at(40, 50)
    assert found.long_range.sum() + found.on_padding[0] == pytest.approx(1, abs=1e-5)
    assert found.short_range.sum() + found.on_padding[1] == pytest.approx(1, abs=1e-5)


def test_pixels_beyond_the_image_belong_to_the_position_at_its_edge(model, image):
    maps = AttentionMaps(model, image)
    assert maps.at(-5, -5).position == (0, 0) and maps.at(1e6, 1e6).position == (maps.size[0] - 1, maps.size[1] - 1)


def test_a_model_without_interlaced_attention_is_told(image):
    class Other(paddle.nn.Layer):
        head = None

    with pytest.raises(UsageError, match="no interlaced attention"):
        AttentionMaps(Other(), image)
