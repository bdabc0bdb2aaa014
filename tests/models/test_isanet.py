"""ISANet as a whole: any size, window and batch; the auxiliary head; static graphs."""

import numpy as np
import paddle
import pytest
from paddle.static import InputSpec

from paddleisa.errors import ConfigError
from paddleisa.models import ISANet, ResNet18_vd, ResNet34_vd, ResNet50_vd, ResNet101_vd


def network(backbone=ResNet18_vd, **options):
    paddle.seed(0)
    model = ISANet(5, backbone(), **{"isa_channels": 16, **options})
    model.eval()
    return model


def image(*size, batch=1, seed=0):
    return paddle.to_tensor(np.random.default_rng(seed).standard_normal((batch, 3, *size)).astype(np.float32))


@pytest.fixture(scope="module")
def small():
    return network()


@pytest.mark.parametrize("backbone", [ResNet18_vd, ResNet34_vd, ResNet50_vd, ResNet101_vd])
def test_logits_have_the_size_of_the_image(backbone):
    model = network(backbone)
    with paddle.no_grad():
        for size, batch in (((1, 1), 1), ((7, 9), 2), ((65, 97), 2)):
            (logits,) = model(image(*size, batch=batch))
            assert tuple(logits.shape) == (batch, 5, *size)
            assert np.isfinite(logits.numpy()).all()


@pytest.mark.parametrize("window", [(1, 1), (2, 3), (8, 4), (5, 7), (64, 1)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_any_down_factor_works(window, align_corners):
    model = network(down_factor=window, align_corners=align_corners)
    with paddle.no_grad():
        (logits,) = model(image(33, 50))
    assert tuple(logits.shape) == (1, 5, 33, 50)
    assert np.isfinite(logits.numpy()).all()


def test_images_of_a_batch_do_not_influence_one_another(small):
    x = image(40, 52, batch=2)
    with paddle.no_grad():
        both, second = small(x)[0].numpy(), small(x[1:])[0].numpy()
    np.testing.assert_allclose(both[1:], second, rtol=1e-3, atol=1e-4)


@pytest.fixture
def calls(small):
    """How often the auxiliary head's layers ran, and how often logits were upsampled."""
    counts = {"aux": 0, "upsample": 0}

    def count(*_):
        counts["aux"] += 1

    hook = small.head.aux.register_forward_post_hook(count)
    original = paddle.nn.functional.interpolate

    def interpolate(*args, **options):
        counts["upsample"] += 1
        return original(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paddle.nn.functional, "interpolate", interpolate)
        yield counts
    hook.remove()
    small.eval()


def test_evaluation_neither_runs_nor_upsamples_the_auxiliary_head(small, calls):
    with paddle.no_grad():
        assert len(small(image(32, 32))) == 1
    assert calls == {"aux": 0, "upsample": 1}


def test_training_gives_main_and_auxiliary_logits(small, calls):
    small.train()
    outputs = small(image(32, 40, batch=2))
    assert [tuple(o.shape) for o in outputs] == [(2, 5, 32, 40)] * 2
    assert calls == {"aux": 1, "upsample": 2}


def test_without_auxiliary_loss_there_is_no_auxiliary_head():
    model = network(enable_auxiliary_loss=False)
    model.train()
    assert len(model(image(32, 32, batch=2))) == 1
    assert not [name for name in model.state_dict() if name.startswith("head.aux")]


@pytest.mark.parametrize(("backbone", "width"), [(ResNet18_vd, 256), (ResNet50_vd, 1024)])
def test_the_auxiliary_heads_width_follows_the_backbone(backbone, width):
    shape = network(backbone).state_dict()["head.aux.0._conv.weight"].shape
    assert list(shape) == [width // 4, width, 3, 3]


def test_a_training_step_reaches_every_parameter():
    model = network(down_factor=(2, 3))
    model.train()
    outputs = model(image(40, 56, batch=2))
    rng = np.random.default_rng(5)
    loss = sum((o * paddle.to_tensor(rng.standard_normal(o.shape).astype(np.float32))).sum() for o in outputs)
    loss.backward()
    trainable = [(n, p) for n, p in model.named_parameters() if not p.stop_gradient]  # not batch statistics
    untouched = [n for n, p in trainable if p.grad is None or not np.abs(p.grad.numpy()).max() > 0]
    assert trainable
    assert untouched == []


def test_backbone_indices_outside_the_backbone_are_a_config_error():
    with pytest.raises(ConfigError, match=r"backbone_indices \[2, 4\] point outside the backbone's 4 feature maps"):
        network(backbone_indices=(2, 4))


# (71, 50) -> features 9x7 and (64, 64) -> 8x8 with windows of 4x4: with padding in both directions, and without any.
SIZES = [(2, 71, 50), (1, 64, 64), (3, 9, 130)]


@pytest.mark.reference
def test_a_static_graph_of_dynamic_size_equals_dygraph():
    model = network(down_factor=(4, 4))
    with paddle.no_grad():
        expected = [model(image(*size, batch=batch))[0].numpy() for batch, *size in SIZES]
    spec = [InputSpec([None, 3, None, None], "float32", "x")]
    static = paddle.jit.to_static(model, input_spec=spec, full_graph=True)
    with paddle.no_grad():
        for (batch, *size), logits in zip(SIZES, expected, strict=True):
            np.testing.assert_allclose(static(image(*size, batch=batch))[0].numpy(), logits, rtol=1e-3, atol=1e-4)


@pytest.mark.reference
def test_a_saved_static_graph_equals_dygraph(tmp_path):
    model = network(down_factor=(4, 4), align_corners=True)
    with paddle.no_grad():
        expected = [model(image(*size, batch=batch))[0].numpy() for batch, *size in SIZES]
    spec = [InputSpec([None, 3, None, None], "float32", "x")]
    paddle.jit.save(model, str(tmp_path / "isanet"), input_spec=spec)
    loaded = paddle.jit.load(str(tmp_path / "isanet"))
    loaded.eval()
    for (batch, *size), logits in zip(SIZES, expected, strict=True):
        output = loaded(image(*size, batch=batch))
        output = output[0] if isinstance(output, list | tuple) else output
        np.testing.assert_allclose(output.numpy(), logits, rtol=1e-3, atol=1e-4)
