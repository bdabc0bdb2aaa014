"""Loading is whole or not at all, and says every difference."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleisa.errors import WeightsError
from paddleisa.weights import UnfitWeightsError, load_backbone, load_weights, save_weights


class Tiny(nn.Layer):
    """A backbone, a head of two layers and an auxiliary one, like the real thing."""

    classifier_names = ("head.cls.1", "head.aux.1")

    def __init__(self, num_classes=3):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2D(3, 4, 3, bias_attr=False), nn.BatchNorm2D(4))
        self.head = nn.Layer()
        self.head.cls = nn.Sequential(nn.BatchNorm2D(4), nn.Conv2D(4, num_classes, 1))
        self.head.aux = nn.Sequential(nn.BatchNorm2D(4), nn.Conv2D(4, num_classes, 1))


def values_of(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def random_state(model, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.5, 2, tensor.shape).astype("float32") for name, tensor in model.state_dict().items()}


def refuse(model, state, **options):
    """The error of loading ``state``; checks that the model has not changed."""
    before = values_of(model)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, state, **options)
    for name, value in values_of(model).items():
        np.testing.assert_array_equal(value, before[name])
    return caught.value


@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_every_tensor_of_the_model_gets_the_value_of_the_file(suffix, tmp_path):
    model = Tiny()
    state = random_state(model)
    report = load_weights(model, save_weights(state, tmp_path / f"model{suffix}"))
    assert report.ok and report.loaded == list(state)
    for name, value in values_of(model).items():
        np.testing.assert_array_equal(value, state[name])


def test_output_of_the_model_is_that_of_the_model_that_was_saved(tmp_path):
    first, second = Tiny().backbone, Tiny().backbone
    paddle.save(first.state_dict(), str(tmp_path / "model.pdparams"))
    load_weights(second, tmp_path / "model.pdparams")
    image = paddle.rand([1, 3, 8, 8])
    first.eval(), second.eval()
    np.testing.assert_array_equal(first(image).numpy(), second(image).numpy())


def test_all_differences_come_in_one_error():
    model = Tiny()
    state = random_state(model)
    del state["backbone.1.bias"]
    state["backbone.0.weight"] = np.ones((4, 3, 1, 1), "float32")
    state["extra.weight"] = np.ones(2, "float32")
    error = refuse(model, state)
    assert isinstance(error, UnfitWeightsError)
    assert error.report.missing == ["backbone.1.bias"]
    assert error.report.unexpected == ["extra.weight"]
    (mismatch,) = error.report.mismatched
    assert (mismatch.name, mismatch.model_shape, mismatch.file_shape) == (
        "backbone.0.weight",
        (4, 3, 3, 3),
        (4, 3, 1, 1),
    )
    message = str(error)
    assert "1 missing, 1 unexpected, 1 of another shape or type" in message
    assert "backbone.0.weight: [4, 3, 3, 3] float32 in the model, [4, 3, 1, 1] float32 in the weights" in message


def test_many_missing_names_are_grouped_by_prefix():
    model = nn.Sequential(*[nn.Sequential(*[nn.BatchNorm2D(2) for _ in range(5)]) for _ in range(3)])
    error = refuse(model, {"stem": np.ones(2, "float32")})
    assert "0.* (20 tensors)" in str(error)
    assert str(error).count("\n") < 20


def test_other_number_of_classes_is_recognised_and_the_option_named():
    error = refuse(Tiny(num_classes=3), random_state(Tiny(num_classes=7)))
    assert "The model has 3 classes and the weights have 7" in str(error)
    assert "--reinit_classifier" in str(error)
    assert len(error.report.mismatched) == 4


def test_reinit_classifier_keeps_the_initial_classifier_and_loads_the_rest():
    model, state = Tiny(num_classes=3), random_state(Tiny(num_classes=7))
    before = values_of(model)
    report = load_weights(model, state, reinit_classifier=True)
    classifier = [f"head.{part}.1.{kind}" for part in ("cls", "aux") for kind in ("weight", "bias")]
    assert sorted(report.reinitialized) == sorted(classifier)
    for name, value in values_of(model).items():
        np.testing.assert_array_equal(value, before[name] if name in classifier else state[name])
    assert "kept at their initial values: head.cls.1.weight" in str(report)


def test_reinit_classifier_does_so_for_the_same_number_of_classes_too():
    model = Tiny()
    before = values_of(model)
    load_weights(model, random_state(model), reinit_classifier=True)
    np.testing.assert_array_equal(model.head.cls[1].weight.numpy(), before["head.cls.1.weight"])


def test_reinit_classifier_needs_a_model_that_names_its_classifier():
    model = nn.Linear(2, 2)
    assert "classifier_names" in str(refuse(model, random_state(model), reinit_classifier=True))


def test_reinit_classifier_does_not_excuse_other_differences():
    state = random_state(Tiny(num_classes=7))
    del state["backbone.0.weight"]
    assert refuse(Tiny(), state, reinit_classifier=True).report.missing == ["backbone.0.weight"]


@pytest.mark.parametrize("prefix", ["module", "model", "student"])
def test_systematic_prefix_is_named(prefix):
    model = Tiny()
    error = refuse(model, {f"{prefix}.{name}": value for name, value in random_state(model).items()})
    assert f"Every name begins with '{prefix}.'" in str(error)


def test_backbone_given_to_a_whole_model_is_recognised():
    assert "weights of the backbone alone" in str(refuse(Tiny(), random_state(Tiny().backbone)))


def test_whole_model_given_to_a_backbone_is_recognised():
    assert "weights of a whole model" in str(refuse(Tiny().backbone, random_state(Tiny())))


def test_weights_saved_without_the_auxiliary_head_are_recognised():
    state = {name: value for name, value in random_state(Tiny()).items() if not name.startswith("head.aux")}
    assert "The weights hold nothing of 'head.aux'" in str(refuse(Tiny(), state))


def test_misspelt_name_is_hinted():
    state = random_state(Tiny())
    state["head.cls.1.wieght"] = state.pop("head.cls.1.weight")
    assert "Did you mean 'head.cls.1.weight'?" in str(refuse(Tiny(), state))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floating_point_types_are_converted_and_reported(dtype):
    model = Tiny()
    state = {name: value.astype(dtype) for name, value in random_state(model).items()}
    report = load_weights(model, state)
    for name, value in values_of(model).items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, state[name].astype("float32"))
    assert len(report.converted) == len(state)
    assert f"converted from {dtype} to float32: {len(state)} tensors" in str(report)


def test_bits_of_bfloat16_are_converted(tmp_path):
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    half = {name: tensor.astype("bfloat16") for name, tensor in first.state_dict().items()}
    paddle.save(half, str(tmp_path / "half.pdparams"))
    report = load_weights(second, tmp_path / "half.pdparams")
    np.testing.assert_array_equal(second.weight.numpy(), half["weight"].astype("float32").numpy())
    assert report.converted["weight"] == ("bfloat16", "float32")


def test_float32_weights_go_into_a_bfloat16_model():
    model = nn.Linear(2, 3)
    model.to(dtype="bfloat16")
    load_weights(model, {"weight": np.full((2, 3), 1.5, "float32"), "bias": np.full(3, 0.3, "float32")})
    np.testing.assert_array_equal(model.weight.astype("float32").numpy(), np.full((2, 3), 1.5))
    np.testing.assert_allclose(model.bias.astype("float32").numpy(), 0.3, rtol=2**-7)  # 2.6.2 truncates


def test_integers_do_not_become_floats():
    model = nn.Linear(2, 3)
    error = refuse(model, {"weight": np.ones((2, 3), "int64"), "bias": np.ones(3, "float32")})
    assert "float32 in the model, [2, 3] int64 in the weights" in str(error)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_name(value):
    state = random_state(Tiny())
    state["backbone.1.bias"][2] = value
    assert "1 tensors hold NaN or infinity: backbone.1.bias" in str(refuse(Tiny(), state))


def test_state_dict_that_holds_copies_is_noticed():
    class Copies(nn.Linear):
        def state_dict(self, *args, **kwargs):
            return {name: tensor.clone() for name, tensor in super().state_dict(*args, **kwargs).items()}

    model = Copies(2, 3)
    with pytest.raises(WeightsError, match="does not hold the value it was given"):
        load_weights(model, {"weight": np.full((2, 3), 7, "float32"), "bias": np.full(3, 7, "float32")})


def imagenet(backbone, tmp_path, suffix, name="model.pdparams"):
    """A file of backbone weights with ImageNet's classifier, and the state in it."""
    state = random_state(backbone)
    state |= {"out.weight": np.ones((4, 1000), "float32"), "out.bias": np.ones(1000, "float32")}
    plain = save_weights(state, tmp_path / f"plain{'.pdparams' if '.tar' in suffix else suffix}")
    if ".tar" not in suffix:
        return plain, state
    path = tmp_path / f"resnet{suffix}"
    with tarfile.open(path, f"w:{suffix.removeprefix('.tar').removeprefix('.')}") as tar:
        info = tarfile.TarInfo(f"resnet50_vd_ssld_v2/{name}")
        info.size = plain.stat().st_size
        tar.addfile(tarfile.TarInfo("._model.pdparams"), io.BytesIO())
        tar.addfile(info, io.BytesIO(plain.read_bytes()))
    return path, state


@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_backbone_is_loaded_without_the_classifier_of_imagenet(suffix, tmp_path):
    backbone = Tiny().backbone
    path, state = imagenet(backbone, tmp_path, suffix)
    report = load_backbone(backbone, path)
    assert report.dropped == ["out.weight", "out.bias"]
    assert "left out: out.weight, out.bias" in str(report)
    for name, value in values_of(backbone).items():
        np.testing.assert_array_equal(value, state[name])


def test_backbone_with_a_missing_tensor_is_an_error(tmp_path):
    backbone = Tiny().backbone
    state = random_state(backbone)
    del state["1.bias"]
    with pytest.raises(UnfitWeightsError, match="1 missing"):
        load_backbone(backbone, save_weights(state, tmp_path / "backbone.pdparams"))
