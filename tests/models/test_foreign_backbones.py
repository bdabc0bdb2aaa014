"""Backbones with other projects' weights give the numbers of a PyTorch execution of the same file."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddleisa.errors import WeightsError
from paddleisa.models import (
    HRNet_W18,
    ResNet18_vd,
    ResNet34_vd,
    ResNet50_v1c,
    ResNet50_vd,
    ResNet101_vd,
)
from paddleisa.weights import load_backbone, save_weights

torch = pytest.importorskip("torch")
torch_backbones = pytest.importorskip("torch_backbones")


def compared(ours, theirs, path, size, atol):
    """Load the PyTorch network's file into ours, and compare every map on one image."""
    torch.save({"state_dict": theirs.state_dict()}, path)
    report = load_backbone(ours, path)
    ours.eval()
    x = np.random.default_rng(1).standard_normal((1, 3, *size)).astype(np.float32)
    with torch.no_grad(), paddle.no_grad():
        for expected, found in zip(theirs(torch.from_numpy(x)), ours(paddle.to_tensor(x)), strict=True):
            assert expected.abs().max() > 0.5  # the values carry something
            np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=atol, rtol=1e-4)
    return report


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(64, 96), (65, 83)])
def test_hrnet_computes_what_pytorch_does_with_the_same_file(tmp_path, same, align_corners, size):
    theirs = torch_backbones.randomised(torch_backbones.HRNet(18, same, align_corners), 3)
    ours = HRNet_W18(align_corners=align_corners, padding_same=same)
    report = compared(ours, theirs, tmp_path / "hrnet.pth", size, atol=1e-4)
    assert report.names_of == "the official HRNet" and not report.missing


def test_the_two_paddings_of_hrnet_differ_on_even_sizes(tmp_path):
    theirs = torch_backbones.randomised(torch_backbones.HRNet(18, True, False), 3)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compared(HRNet_W18(padding_same=False), theirs, tmp_path / "hrnet.pth", (64, 96), atol=1e-2)


@pytest.mark.parametrize(
    ("ours", "depths", "basic"),
    [
        (ResNet18_vd, (2, 2, 2, 2), True),
        (ResNet34_vd, (3, 4, 6, 3), True),
        (ResNet50_vd, (3, 4, 6, 3), False),
        pytest.param(ResNet101_vd, (3, 4, 23, 3), False, marks=pytest.mark.slow),
    ],
)
def test_timms_resnet_d_gives_the_same_maps(tmp_path, ours, depths, basic):
    theirs = torch_backbones.randomised(torch_backbones.ResNetD(depths, basic), 2)
    report = compared(ours(output_stride=32), theirs, tmp_path / "resnetd.pth", (65, 97), atol=1e-4)
    assert report.names_of == "timm's ResNet-D"
    assert "fc.weight" in report.dropped and any(n.endswith("num_batches_tracked") for n in report.dropped)


def test_a_safetensors_file_of_timm_loads_as_the_pth_does(tmp_path):
    theirs = torch_backbones.randomised(torch_backbones.ResNetD((2, 2, 2, 2), True), 2).state_dict()
    save_weights({name: t.numpy() for name, t in theirs.items()}, tmp_path / "model.safetensors")
    assert load_backbone(ResNet18_vd(), tmp_path / "model.safetensors").names_of == "timm's ResNet-D"


@pytest.mark.parametrize("stem", ["conv1.{}", "stem.{}"])
def test_resnet_v1c_takes_timms_and_open_mmlabs_names(tmp_path, stem):
    """The name tables only: every tensor of ours is reached, with its value."""
    network = ResNet50_v1c()
    table = next(t for t in network.name_tables() if stem.format(0) + ".weight" in t.names)
    rng, own = np.random.default_rng(5), network.state_dict()
    state = {theirs: rng.random(own[ours].shape, np.float32) for theirs, ours in table.names.items()}
    save_weights(state, tmp_path / "v1c.safetensors")
    assert load_backbone(network, tmp_path / "v1c.safetensors").names_of == table.origin
    for theirs, ours in table.names.items():
        np.testing.assert_array_equal(network.state_dict()[ours].numpy(), state[theirs])


def test_a_foreign_file_with_a_tensor_too_many_is_refused_by_name(tmp_path):
    theirs = torch_backbones.ResNetD((2, 2, 2, 2), True).state_dict()
    torch.save({**theirs, "layer5.0.conv1.weight": torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match="layer5.0.conv1.weight"):
        load_backbone(ResNet18_vd(), tmp_path / "odd.pth")
