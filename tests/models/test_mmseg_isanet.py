"""mmsegmentation's ISANet executed by PyTorch, against its converted weights in our network, built by its config."""

from __future__ import annotations

import importlib

import numpy as np
import paddle
import pytest

import paddleisa
from paddleisa.cli import main as cli
from paddleisa.config import shipped_configs
from paddleisa.models import ISANet, ResNet50_vd
from paddleisa.zoo.catalogue.catalogue import load_catalogue
from paddleisa.zoo.convert import convert

torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")

import torch_isanet  # noqa: E402

torch.set_num_threads(1)  # its threads and Paddle's would wait for each other

CONFIG = {False: "isanet_r50-d8_512x1024_40k_cityscapes", True: "isanet_r50-d8_769x769_40k_cityscapes"}
SIZES = [(64, 64), (65, 97), (129, 40)]  # none but the first is a multiple of stride and window


def save(model, path, zipped=True):
    meta = {"mmseg_version": "0.17.0", "config": "model = dict()\n" * 500, "CLASSES": ("road",), "PALETTE": [[0, 0, 0]]}
    torch.save({"meta": meta, "state_dict": model.state_dict()}, path, _use_new_zipfile_serialization=zipped)
    return path


def logits_of(model, network, size):
    x = np.random.default_rng(0).standard_normal((1, 3, *size)).astype(np.float32)
    with torch.no_grad(), paddle.no_grad():
        return [y.numpy() for y in model(torch.from_numpy(x))], network(paddle.to_tensor(x))[0].numpy()


@pytest.fixture(scope="module", params=[False, True], ids=["half_pixel", "align_corners"])
def pair(request, tmp_path_factory):
    """The PyTorch model and ours, its weights converted from the file that torch.save wrote."""
    folder = tmp_path_factory.mktemp("mmseg")
    model = torch_isanet.random_model(50, 19, align_corners=request.param)
    convert(save(model, folder / "model.pth", zipped=request.param), folder / "model.safetensors")
    network = paddleisa.build_model(paddleisa.load_config(CONFIG[request.param]))
    assert paddleisa.load_weights(network, folder / "model.safetensors").ok
    network.eval()
    return model, network


@pytest.mark.parametrize("size", SIZES)
def test_logits_equal_those_of_pytorch(pair, size):
    (expected, _), found = logits_of(*pair, size)
    assert expected.std() > 0.3  # the comparison would see something
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.999


def test_the_auxiliary_head_equals_that_of_pytorch(pair):
    model, network = pair
    x = np.random.default_rng(1).standard_normal((1, 3, 65, 97)).astype(np.float32)
    with torch.no_grad(), paddle.no_grad():
        expected = model.auxiliary_head(model.backbone(torch.from_numpy(x))[2]).numpy()
        found = network.head.aux(network.backbone(paddle.to_tensor(x))[2]).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_family_of_the_backbone_and_of_the_upsampling_matters(pair):
    model, network = pair
    if model.align_corners:
        pytest.skip("both families upsample alike with align_corners")
    (expected, _), _ = logits_of(model, network, (33, 49))
    for backbone, upsample in ((ResNet50_vd(), "half_pixel"), (network.backbone, "paddleseg")):
        other = ISANet(19, backbone, upsample=upsample)
        paddleisa.load_weights(other, {name: value.numpy() for name, value in network.state_dict().items()})
        other.eval()
        assert np.abs(logits_of(model, other, (33, 49))[1] - expected).max() > 0.05


@pytest.mark.slow
def test_logits_of_resnet101_equal_those_of_pytorch(tmp_path):
    model = torch_isanet.random_model(101, 150, align_corners=False)
    convert(save(model, tmp_path / "model.pth"), tmp_path / "model.pdparams")
    network = paddleisa.build_model(paddleisa.load_config("isanet_r101-d8_512x512_80k_ade20k"))
    paddleisa.load_weights(network, tmp_path / "model.pdparams")
    network.eval()
    (expected, _), found = logits_of(model, network, (129, 80))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_download_folder_to_mask_by_the_commands(pair, tmp_path, monkeypatch, capsys):
    """`zoo convert NAME` finds the downloaded .pth, and `val` and `predict` find what it wrote."""
    model, _ = pair
    if model.align_corners:
        pytest.skip("once is enough")
    importlib.import_module("paddleisa.reproduce.verify")  # before the patch, or it would keep what is patched
    from paddleisa.zoo.download.locate import cached_weights, local_weights

    name = CONFIG[False]
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    entry = load_catalogue().get(name)
    path = cached_weights(entry)
    path.parent.mkdir(parents=True)
    save(model, path)
    monkeypatch.setattr(
        "paddleisa.zoo.download.locate.download_weights", lambda entry, offline: path
    )  # its hash is another one
    assert cli.main(["zoo", "convert", name]) == 0
    assert "mmsegmentation's ISANet on ResNet50_v1c, 19 classes" in capsys.readouterr().out
    assert local_weights(name).resolve() == tmp_path / "pretrained" / f"{name}.safetensors"
    cli.main(["zoo", "verify", str(path), "--model", name])
    printed = capsys.readouterr().out
    assert "different  sha256" in printed and "ok         forward pass" in printed


def test_every_checkpoint_of_the_catalogue_has_a_config_with_its_evaluation():
    rows = [entry for entry in load_catalogue() if entry.family == "mmsegmentation"]
    assert len(rows) == 16
    for entry in rows:
        assert shipped_configs()[entry.config].parent.name == "mmseg_isanet"
        config, told = paddleisa.load_config(entry.config), entry.row.evaluation
        check = paddleisa.config.check(config, "train", defaults=True)
        test, val = check["test_config"], check["val_dataset"]["transforms"]
        assert check["model"]["backbone"]["type"] == f"ResNet{entry.row.backbone.rpartition('-')[2]}_v1c"
        assert check["model"]["num_classes"] == entry.row.num_classes
        assert check["model"]["align_corners"] == told.align_corners
        assert check["model"]["upsample"] == (None if told.align_corners else "half_pixel")
        assert (test["protocol"], tuple(test["scales"]), test["flip_horizontal"]) == ("mmseg", told.ms_ratios, True)
        assert test["is_slide"] == (told.mode == "slide")
        if told.mode == "slide":
            assert (tuple(test["crop_size"]), tuple(test["stride"])) == (told.crop_size, told.stride)
        assert tuple(val[0]["target_size"]) == told.image_size
        for key, numbers in (("mean", entry.row.preprocessing.mean), ("std", entry.row.preprocessing.std)):
            np.testing.assert_allclose(np.array(val[-1][key]) * 255, numbers)
        assert (check["iters"], check["batch_size"] * 4) == (entry.row.iterations, entry.row.total_batch)
