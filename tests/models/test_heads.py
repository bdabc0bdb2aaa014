"""Heads: the shared contract, the options in which lineages differ, and heads in a config."""

import numpy as np
import paddle
import pytest
from head_contract import HeadContract

import paddleisa
from paddleisa.errors import ConfigError
from paddleisa.models import FCNHead, ISAHead, ISANet, OCHead, ResNet18_vd
from paddleisa.registry import HEADS

CONFIG = "isanet_resnet18_os8_scenes_128x128_200"


class TestISAHead(HeadContract):
    head, options = ISAHead, {"isa_channels": 8, "down_factor": (2, 3)}


class TestISAHeadWithEveryOption(HeadContract):
    head = ISAHead
    options = {
        "isa_channels": 8,
        "channels": 10,
        "out_kernel": 3,
        "joined": "features_first",
        "value_bias": False,
        "activation": "leaky_relu",
        "aux_channels": 7,
        "output_norm": False,
        "classifier_bias": False,
    }


class TestOCHead(HeadContract):
    head, options = OCHead, {"key_channels": 8, "value_channels": 4}


class TestFCNHead(HeadContract):
    head = FCNHead


def test_no_head_of_the_package_is_left_out():
    ours = {name for name in HEADS if HEADS.get(name).__module__.startswith("paddleisa.")}
    assert {case.head.__name__ for case in HeadContract.__subclasses__()} == ours


def head(cls=ISAHead, **options):
    paddle.seed(0)
    made = cls(3, (8, 16), **options)
    made.eval()
    return made


def shapes(**options):
    return {name: list(t.shape) for name, t in head(**options).state_dict().items()}


@pytest.mark.parametrize(
    ("options", "name", "shape"),
    [
        ({"out_kernel": 3}, "out_conv._conv.weight", [4, 8, 3, 3]),
        ({"channels": 6}, "in_conv._conv.weight", [6, 16, 3, 3]),
        ({"aux_channels": 5}, "aux.0._conv.weight", [5, 8, 3, 3]),
        ({"isa_channels": 9}, "local_relation.key_project.1._conv.weight", [9, 9, 1, 1]),
    ],
)
def test_options_of_width_and_kernel_show_in_the_weights(options, name, shape):
    assert shapes(**options)[name] == shape


def test_without_value_bias_two_tensors_are_gone():
    gone = set(shapes()) - set(shapes(value_bias=False))
    assert gone == {"global_relation.value_project.bias", "local_relation.value_project.bias"}


def test_an_output_without_normalisation_is_a_plain_convolution_that_does_not_start_at_zero():
    made = head(output_norm=False)
    projects = [made.global_relation.output_project, made.local_relation.output_project]
    assert [type(p).__name__ for p in projects] == ["Conv2D", "Conv2D"]
    assert all(p.bias is not None and np.abs(p.weight.numpy()).max() > 0.01 for p in projects)


def test_without_classifier_bias_one_tensor_is_gone():
    assert set(shapes()) - set(shapes(classifier_bias=False)) == {"cls.1.bias"}


def features(batch=1):
    rng = np.random.default_rng(0)
    return [paddle.to_tensor(rng.standard_normal((batch, c, 8, 8)).astype(np.float32)) for c in (8, 16)]


def test_features_first_is_context_first_with_the_halves_of_out_conv_swapped():
    first, second = head(), head(joined="features_first")
    state = {name: value.numpy() for name, value in first.state_dict().items()}
    kernel = state["out_conv._conv.weight"]
    state["out_conv._conv.weight"] = np.concatenate([kernel[:, 4:], kernel[:, :4]], axis=1)
    second.set_state_dict(state)
    np.testing.assert_allclose(second(features())[0].numpy(), first(features())[0].numpy(), atol=1e-5)


def test_leaky_relu_lets_a_hundredth_of_what_is_negative_through_everywhere():
    made = head(activation="leaky_relu")
    made.global_relation.by_products = made.local_relation.by_products = False  # their normalisations are listened to
    found = []
    blocks = [layer for layer in made.sublayers() if type(layer).__name__ == "ConvBNReLU"]
    for block in blocks:
        block.register_forward_post_hook(lambda _, inputs, output: found.append(output.numpy()))
        block._batch_norm.register_forward_post_hook(lambda _, inputs, output: found.append(output.numpy()))
    made(features())
    made.aux(features()[0])
    assert len(found) == 2 * len(blocks) == 2 * 13
    for before, after in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_allclose(after, np.where(before > 0, before, 0.01 * before), rtol=1e-6)


def test_base_oc_starts_without_context():
    """Its last projection is zero (openseg.pytorch's base_oc_block.py), so that of ``out_conv`` one half acts."""
    made = head(OCHead)
    x = features()
    before = made(x)[0].numpy()
    made.relation.value_project.weight.set_value(made.relation.value_project.weight * 100)
    np.testing.assert_array_equal(made(x)[0].numpy(), before)


def test_dense_and_interlaced_attention_agree_when_one_window_covers_the_map():
    """With one window the short range is dense; the long range, groups of one, is made the identity."""
    isa, dense = head(down_factor=(8, 8)), head(OCHead, value_channels=4, output_norm=True, key_channels=256)
    state = {name: value.numpy() for name, value in isa.state_dict().items()}
    dense.set_state_dict({name.replace("local_relation", "relation"): value for name, value in state.items()})
    isa.global_relation.forward = lambda x, groups: x
    np.testing.assert_allclose(isa(features())[0].numpy(), dense(features())[0].numpy(), rtol=1e-4, atol=1e-5)


def config(*opts):
    return paddleisa.load_config(CONFIG, opts=opts)


def built(head, *flat):
    """The head of a config with ``head`` (YAML) and PaddleSeg's flat keys."""
    return paddleisa.build_model(config(f"model.head={head}", *(f"model.{key}" for key in flat))).head


NO_FLAT_KEYS = ("isa_channels=null", "down_factor=null")


@pytest.mark.parametrize("cls", [ISAHead, OCHead, FCNHead])
def test_a_config_names_its_head(cls):
    assert type(built(f"{{type: {cls.__name__}}}", *NO_FLAT_KEYS)) is cls


def test_options_of_a_head_in_a_config_reach_it():
    made = built("{type: ISAHead, out_kernel: 3, activation: leaky_relu}")
    assert list(made.out_conv._conv.weight.shape)[2:] == [3, 3]


def test_paddleseg_s_flat_keys_are_options_of_the_head():
    made = built("{type: ISAHead}", "isa_channels=24", "down_factor=[2,3]")
    assert made.down_factor == (2, 3)
    assert made.local_relation.key_project[0]._conv.weight.shape[0] == 24


def test_a_flat_key_may_repeat_what_the_head_says():
    assert built("{type: ISAHead, down_factor: [2, 3]}", "down_factor=[2,3]").down_factor == (2, 3)


def test_a_flat_key_that_contradicts_the_head_is_an_error():
    with pytest.raises(ConfigError, match=r"isa_channels is 24 in the model and 32 in its head"):
        built("{type: ISAHead, isa_channels: 32}", "isa_channels=24")


def test_a_flat_key_that_the_head_does_not_have_is_an_error():
    with pytest.raises(ConfigError, match=r"FCNHead has no option 'isa_channels'"):
        built("{type: FCNHead}", "isa_channels=24")


def test_what_the_model_supplies_to_its_head_cannot_be_configured():
    with pytest.raises(ConfigError, match=r"ISAHead has no option 'num_classes'"):
        built("{type: ISAHead, num_classes: 3}")


def test_losses_are_counted_by_the_head_s_own_option():
    with pytest.raises(ConfigError, match=r"2 losses, but ISANet gives 1 in training"):
        config("model.head={type: ISAHead, enable_auxiliary_loss: false}")


def test_an_auxiliary_classifier_needs_a_second_map():
    with pytest.raises(ConfigError, match="backbone_indices names one map only"):
        ISANet(3, ResNet18_vd(), backbone_indices=(3,))
    model = ISANet(3, ResNet18_vd(), backbone_indices=(3,), enable_auxiliary_loss=False)
    assert model.classifier_names == ("head.cls.1", "head.aux.2")


def test_a_way_of_upsampling_that_align_corners_overrules_is_an_error():
    with pytest.raises(ConfigError, match="upsample: half_pixel has no effect with align_corners: True"):
        ISANet(3, ResNet18_vd(), align_corners=True, upsample="half_pixel")
