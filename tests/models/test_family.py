"""ISANets of other projects, through files as they write them, against numbers that their own code computed."""

from pathlib import Path

import family_inputs
import numpy as np
import paddle
import pytest

import paddleisa
from paddleisa.deploy.export.formats import open_file, write_checked
from paddleisa.models import ResNet50_v1c
from paddleisa.weights import read_weights
from paddleisa.zoo.catalogue.catalogue import load_catalogue
from paddleisa.zoo.convert import convert

torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")
pytestmark = pytest.mark.reference

REFERENCE = Path(__file__).parents[1] / "reference"
SIZES = [(129, 193), (96, 160)]
NAMES = {"openseg": "openseg_isanet_r101_names.txt", "ssseg": "sssegmentation_isanet_r50_names.txt"}


def their_state(lineage):
    """Their tensors in their order, with the values behind family.npz."""
    state = {}
    for line in (REFERENCE / NAMES[lineage]).read_text().splitlines():
        name, shape = line.split("\t")
        shape = tuple(int(n) for n in shape.strip("()").split(",") if n.strip())
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(1000)
        else:
            state[name] = torch.from_numpy(family_inputs.weight(name, shape, signed_norms=lineage == "openseg"))
    return state


def save_openseg(path):
    """As torch 0.4 wrote it: the stream format, DataParallel's prefix, the whole configuration beside the state."""
    state = {f"module.{name}": value for name, value in their_state("openseg").items()}
    config = {"data": {"num_classes": 19}, "network": {"backbone": "deepbase_resnet101_dilated8"}, "iters": 40000}
    torch.save({"config_dict": config, "state_dict": state}, path, _use_new_zipfile_serialization=False)


def save_ssseg(path):
    """A zip, the state as ``model`` among the optimizer's and the scheduler's."""
    extra = {"cur_epoch": 60, "optimizer": {"state": {0: torch.ones(3)}, "param_groups": [{"lr": 0.01}]}}
    torch.save({**extra, "model": their_state("ssseg")}, path)


CONFIGS = {"openseg": "isanet_deepbase_resnet101_dilated8_cityscapes", "ssseg": "isanet_resnet50os8_voc"}


def network_of(config, *opts):
    return paddleisa.build_model(paddleisa.load_config(config, opts=opts))


@pytest.fixture(scope="module", params=["openseg", "ssseg"])
def converted(request, tmp_path_factory):
    """(lineage, our network with the weights of their file)."""
    folder = tmp_path_factory.mktemp(request.param)
    {"openseg": save_openseg, "ssseg": save_ssseg}[request.param](folder / "theirs.pth")
    convert(folder / "theirs.pth", folder / "ours.safetensors")
    network = network_of(CONFIGS[request.param])
    assert paddleisa.load_weights(network, folder / "ours.safetensors").ok
    network.eval()
    return request.param, network


def image(height, width):
    return family_inputs.image(height * 1000 + width, (1, 3, height, width))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_network_computes_what_theirs_does(converted, size):
    """In float64, so that all of the rounding, up to 1.03e-4, is that of their float32."""
    lineage, network = converted
    vectors, key = np.load(REFERENCE / "family.npz"), f"{size[0]}x{size[1]}"
    network.to(dtype="float64")
    with paddle.no_grad():
        pixels = image(*size)[:, ::-1] if lineage == "openseg" else image(*size)  # their BGR is our RGB
        x = paddle.to_tensor(pixels.astype(np.float64))
        if lineage == "ssseg":
            found = network.scores(x)[0].numpy()
            np.testing.assert_allclose(found, vectors[f"ssseg_r50_voc/{key}/scores"], rtol=1e-4, atol=1e-4)
        else:
            found = network(x)[0].numpy()
            expected = vectors[f"openseg_r101/{key}/logit"]
            np.testing.assert_allclose(found[:, :, ::4, ::4], expected, rtol=1e-4, atol=1e-4)
            assert (found.argmax(1) == vectors[f"openseg_r101/{key}/pred"]).mean() > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_an_exported_file_computes_what_the_network_does(converted, format, tmp_path):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "openvino"}[format])
    _, network = converted
    network.to(dtype="float32")
    written = write_checked(network, format, tmp_path, output_op="none")
    x = image(96, 160)
    with paddle.no_grad():
        expected = network(paddle.to_tensor(x))[0].numpy()
    np.testing.assert_allclose(open_file(format, written.files)(x), expected, rtol=0, atol=5e-4)


OTHERS = {
    "base_ocnet_deepbase_resnet101_dilated8_cityscapes": "ResNet50_v1c",
    "isanet_r50-d8_512x1024_40k_cityscapes": "ResNet50_v1c",
    "isanet_hrnet_w48_cityscapes_1024x512_80k": "HRNet_W18",
}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
@pytest.mark.parametrize("config", OTHERS)
def test_networks_of_the_other_lineages_are_exported_too(config, format, tmp_path):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "openvino"}[format])
    network = network_of(config, f"model.backbone.type={OTHERS[config]}")
    state = {}
    for name, value in network.state_dict().items():
        theirs = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
        state[name] = family_inputs.weight(theirs, tuple(value.shape))
        if "_batch_norm.weight" in name and ("query" in name or "key" in name):
            state[name] *= 0.2  # attention that chooses one position multiplies what rounding does
    network.set_state_dict(state)
    network.train()
    for _ in range(3):  # statistics that fit, or a network without scales in its sums saturates the attention
        network(paddle.to_tensor(image(64, 96)))
    network.eval()
    written = write_checked(network, format, tmp_path, output_op="none")
    x = image(96, 160)
    with paddle.no_grad():
        expected = network(paddle.to_tensor(x))[0].numpy()
    assert expected.std() > 0.01
    found = open_file(format, written.files)(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4 * max(1, np.abs(expected).max()))


def base_oc_state(rng):
    """Tensors of Base-OC on ResNet-50, named as openseg.pytorch's nets/ocnet.py and modules/base_oc_block.py do."""
    state = {}

    def conv(name, out, into, kernel, bias):
        state[f"{name}.weight"] = rng.standard_normal((out, into, kernel, kernel)) * (2 / (into * kernel**2)) ** 0.5
        if bias:
            state[f"{name}.bias"] = rng.standard_normal(out) * 0.3

    def norm(name, channels):
        state[f"{name}.weight"] = rng.choice([-1, 1], channels) * rng.uniform(0.5, 1.5, channels)
        state[f"{name}.bias"] = rng.standard_normal(channels) * 0.1
        state[f"{name}.running_mean"] = rng.standard_normal(channels) * 0.1
        state[f"{name}.running_var"] = rng.uniform(0.5, 1.5, channels)

    def both(first, second, out, into, kernel, bias):
        conv(first, out, into, kernel, bias)
        norm(second, out)

    for i, (out, into) in enumerate(((64, 3), (64, 64), (128, 64)), 1):
        both(f"backbone.resinit.conv{i}", f"backbone.resinit.bn{i}", out, into, 3, False)
    channels = 128
    for stage, (width, depth) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), 1):
        for block in range(depth):
            at = f"backbone.layer{stage}.{block}"
            for k, (out, into, kernel) in enumerate(
                ((width, channels, 1), (width, width, 3), (4 * width, width, 1)), 1
            ):
                both(f"{at}.conv{k}", f"{at}.bn{k}", out, into, kernel, False)
            if block == 0:
                both(f"{at}.downsample.0", f"{at}.downsample.1", 4 * width, channels, 1, False)
            channels = 4 * width
    both("oc_module_pre.0", "oc_module_pre.1", 512, 2048, 3, True)
    block = "oc_module.stages.0"
    for function in ("f_key", "f_query"):
        both(f"{block}.{function}.0", f"{block}.{function}.1", 256, 512, 1, True)
        both(f"{block}.{function}.2", f"{block}.{function}.3", 256, 256, 1, True)
    conv(f"{block}.f_value", 256, 512, 1, True)
    conv(f"{block}.W", 512, 256, 1, True)
    both("oc_module.conv_bn_dropout.0", "oc_module.conv_bn_dropout.1", 512, 1024, 1, True)
    conv("cls", 19, 512, 1, True)
    both("dsn.0", "dsn.1", 512, 1024, 3, True)
    conv("dsn.2", 19, 512, 1, True)
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in state.items()}


def base_oc_head(state, x):
    """Base-OC after the backbone, by torch: InPlaceABN's |weight| + 1e-5 and leaky ReLU, dense attention."""
    f = torch.nn.functional

    def unit(conv, norm, x, padding=0):
        x = f.conv2d(x, state[f"{conv}.weight"], state[f"{conv}.bias"], padding=padding)
        scale = state[f"{norm}.weight"].abs() + 1e-5
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return f.leaky_relu(f.batch_norm(x, mean, variance, scale, state[f"{norm}.bias"], eps=1e-5), 0.01)

    x = unit("oc_module_pre.0", "oc_module_pre.1", x, padding=1)
    block = "oc_module.stages.0"
    query, key = x, x
    for i in (0, 2):
        query = unit(f"{block}.f_query.{i}", f"{block}.f_query.{i + 1}", query)
        key = unit(f"{block}.f_key.{i}", f"{block}.f_key.{i + 1}", key)
    value = f.conv2d(x, state[f"{block}.f_value.weight"], state[f"{block}.f_value.bias"]).flatten(2)
    weights = torch.softmax(256**-0.5 * query.flatten(2).transpose(1, 2) @ key.flatten(2), dim=-1)
    context = (weights @ value.transpose(1, 2)).transpose(1, 2).reshape(len(x), 256, *x.shape[2:])
    context = f.conv2d(context, state[f"{block}.W.weight"], state[f"{block}.W.bias"])
    x = unit("oc_module.conv_bn_dropout.0", "oc_module.conv_bn_dropout.1", torch.cat([context, x], 1))
    return f.conv2d(x, state["cls.weight"], state["cls.bias"])


def test_base_oc_is_converted_and_its_head_computes_what_torch_does(tmp_path):
    state = base_oc_state(np.random.default_rng(0))
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "theirs.pth")
    done = convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    assert (done.names, done.backbone, done.num_classes) == ("openseg.pytorch's Base-OC", "ResNet50_v1c", 19)

    config = "base_ocnet_deepbase_resnet101_dilated8_cityscapes"
    network = network_of(config, "model.backbone.type=ResNet50_v1c")
    assert paddleisa.load_weights(network, tmp_path / "ours.safetensors").ok
    network.eval()
    x = np.random.default_rng(1).standard_normal((1, 2048, 7, 9)).astype(np.float32)
    with torch.no_grad(), paddle.no_grad():
        expected = base_oc_head(state, torch.from_numpy(x)).numpy()
        found = network.head([paddle.zeros([1, 1024, 7, 9]), paddle.to_tensor(x)])[0].numpy()
    assert expected.std() > 0.3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_a_missing_tensor_of_another_lineage_is_named(tmp_path):
    state = their_state("ssseg")
    del state["out_conv.0.weight"]
    torch.save({"model": state}, tmp_path / "theirs.pth")
    with pytest.raises(paddleisa.errors.WeightsError, match=r"SSSegmentation's ISANet; tensors 1 missing: out_conv"):
        convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")


def test_the_first_stage_of_the_authors_backbone_rounds_up():
    with paddle.no_grad():
        maps = ResNet50_v1c(stem_width=64, ceil_pool=True)(paddle.zeros([1, 3, 64, 128]))
    assert tuple(maps[3].shape[2:]) == (9, 17)


def test_conversion_keeps_what_is_no_norm(tmp_path):
    save_openseg(tmp_path / "theirs.pth")
    convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    ours = read_weights(tmp_path / "ours.safetensors")
    theirs = their_state("openseg")
    np.testing.assert_array_equal(ours["head.out_conv._conv.weight"], theirs["isa_head.2.conv_bn.0.weight"].numpy())
    assert all((value > 0).all() for name, value in ours.items() if name.endswith("_batch_norm.weight"))


@pytest.mark.parametrize(("family", "number"), [("sssegmentation", 6), ("openseg", 2)])
def test_every_checkpoint_has_a_config_that_prepares_images_as_the_catalogue_says(family, number):
    rows = [entry for entry in load_catalogue() if entry.family == family]
    assert len(rows) == number
    for entry in rows:
        config, row = paddleisa.load_config(entry.config), entry.row
        model, normalize = config["model"], config["val_dataset"]["transforms"][-1]
        assert model["align_corners"] == row.evaluation.align_corners
        assert model["num_classes"] == row.num_classes
        assert (config["iters"], 4 * config["batch_size"]) == (row.iterations, row.total_batch)
        for key, numbers in (("mean", row.preprocessing.mean), ("std", row.preprocessing.std)):
            np.testing.assert_allclose(np.broadcast_to(np.array(normalize[key]) * 255, 3), numbers, rtol=1e-5)
        assert (row.weights.sha256, row.weights.sha256_prefix, row.weights.size) == (None, None, None)
