"""``paddleisa zoo``: every action end to end, weights and logs served from loopback."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from paddleisa.cli import zoo
from paddleisa.errors import DataError, DownloadError, UsageError
from paddleisa.zoo.catalogue.catalogue import load_catalogue
from paddleisa.zoo.download.locate import entry_weights

CONFIG = "isanet_resnet18_os8_scenes_128x128_200"  # the smallest shipped one
LOG = "2021-01-19 07:02:41 [INFO]\t[TRAIN] epoch=1, iter=5/100, loss=2.8735, lr=0.009639 | ETA 00:01:24\n"


def call(*words) -> int:
    parser = argparse.ArgumentParser()
    zoo.add_arguments(parser)
    return zoo.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Weights of a small model, its manifest's text and its number of classes."""
    paddle = pytest.importorskip("paddle")
    import paddleisa
    from paddleisa.weights import save_weights

    paddle.seed(0)
    config = paddleisa.load_config(CONFIG)
    state = {name: value.numpy() for name, value in paddleisa.build_model(config).state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "model.pdparams"
    save_weights(state, path)
    lines = sorted(f"{n} {json.dumps(list(v.shape), separators=(',', ':'))} {v.dtype}\n" for n, v in state.items())
    return path, "".join(lines), config["val_dataset"].get("num_classes") or state["head.cls.1.bias"].shape[0]


@pytest.fixture
def small(server, serve, weights, tmp_path):
    """A catalogue of one model, ``small``, on the loopback server; its file is returned."""
    import hashlib

    path, manifest, classes = weights
    (tmp_path / "small.txt").write_text(manifest)
    server.add("/train.log", serve.file(LOG.encode()))
    url = server.add("/small/model.pdparams", serve.file(path.read_bytes()))
    (tmp_path / "lab.yml").write_text(f"""
version: 1
family: lab
about: ours
scores_origin: measured by us
models:
  small:
    config: {CONFIG}
    backbone: ResNet18_vd
    dataset: Scenes
    crop_size: [128, 128]
    iterations: 300
    total_batch: 4
    num_classes: {classes}
    scores: {{single: 71.25, ms_flip: 72.5}}
    weights: {{url: {url}}}
    log: {server.root}/train.log
    state:
      manifest: small.txt
      tensors: {manifest.count(chr(10))}
      sha256: {hashlib.sha256(manifest.encode()).hexdigest()}
      origin: made by the test
""")
    return tmp_path / "lab.yml"


def test_list_shows_every_model_and_writes_json(capsys, tmp_path):
    assert call("list", "--json", tmp_path / "list.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(load_catalogue())
    assert any(
        re.search(r"isanet_resnet50_os8_cityscapes_769x769_80k +paddleseg +Cityscapes .*79\.03", x) for x in lines
    )
    weights = [row["weights"] for row in json.loads((tmp_path / "list.json").read_text())]
    assert {w["url"].split("/")[2] for w in weights if "url" in w} >= {"bj.bcebos.com", "download.openmmlab.com"}
    assert [w["file"] for w in weights if "url" not in w] == [
        "isanet_efficientnet_lite0_os16_camvid_448x320_600/model.safetensors",
    ]


def test_list_of_an_unknown_family_gives_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'paddleseg'"):
        call("list", "--family", "padleseg")


def test_info_says_what_is_not_known(capsys):
    assert call("info", "isanet_resnet101_os8_voc12aug_512x512_40k") == 0
    said = capsys.readouterr().out
    assert "    paddleseg-2023: 80.11" in said and "first_download: not known" in said and "total_batch: 16" in said


def test_download_then_verify_then_damage(capsys, small, tmp_path, own_home):
    assert call("download", "small", "--catalogue", small) == 0
    path = own_home / "weights" / "small" / "model.pdparams"
    assert capsys.readouterr().out.strip() == str(path)

    assert call("verify", "small", "--catalogue", small, "--offline", "--json", tmp_path / "report.json") == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] and {check["result"] for check in report["checks"]} == {"ok"} and len(report["checks"]) == 8

    import paddleisa
    from paddleisa.weights import save_weights

    state = paddleisa.read_weights(path)
    name = next(name for name in state if name.endswith("_variance"))
    state[name] = np.zeros_like(state[name])
    save_weights(state, tmp_path / "damaged.pdparams")
    assert call("verify", tmp_path / "damaged.pdparams", "--catalogue", small) == 1
    said = capsys.readouterr().out
    assert re.search(rf"different +variances +{re.escape(name)}", said) and re.search(r"different +sha256", said)


def test_verify_reports_a_missing_tensor_and_a_changed_shape(capsys, small, weights, tmp_path):
    import paddleisa
    from paddleisa.weights import save_weights

    state = paddleisa.read_weights(weights[0])
    missing, reshaped = list(state)[0], list(state)[1]
    del state[missing]
    state[reshaped] = np.zeros((7, 7), "float64")
    save_weights(state, tmp_path / "other.pdparams")
    assert call("verify", tmp_path / "other.pdparams", "--model", "small", "--catalogue", small) == 1
    said = capsys.readouterr().out
    assert re.search(rf"different +names +{re.escape(missing)}: missing", said)
    assert re.search(rf"different +shapes +{re.escape(reshaped)}: shape", said)
    assert re.search(rf"different +types +{re.escape(reshaped)}: dtype", said)
    assert re.search(r"different +forward pass", said)


def test_verify_of_a_file_that_is_no_weights_is_a_difference(capsys, small, tmp_path):
    (tmp_path / "page.pdparams").write_text("<html>404</html>")
    assert call("verify", tmp_path / "page.pdparams", "--model", "small", "--catalogue", small) == 1
    assert re.search(r"different +safe read +.*web page", capsys.readouterr().out)


def test_weights_that_would_run_code_are_not_downloaded(small, server, serve, own_home, tmp_path):
    payload = b"cposix\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    server.add("/small/model.pdparams", serve.file(payload))
    with pytest.raises(DownloadError, match="it is not what it should be"):
        call("download", "small", "--catalogue", small)
    assert not (own_home / "weights" / "small" / "model.pdparams").exists() and not (tmp_path / "ran").exists()


def test_log_of_a_published_model_and_of_a_file(small, tmp_path, capsys):
    from visualdl import LogReader

    assert call("log", "small", "--catalogue", small) == 0
    (tmp_path / "mine.log").write_text(LOG.replace("2.8735", "1.5"))
    assert call("log", tmp_path / "mine.log", "--save_dir", tmp_path / "run", "--json", tmp_path / "log.json") == 0
    for folder, loss in (("output/published/small", 2.8735), ("run", 1.5)):
        (record,) = LogReader(file_path=str(tmp_path / folder / "vdlrecords.published.log")).get_data(
            "scalar", "Train/loss"
        )
        assert record.id == 5 and record.value == pytest.approx(loss)
    assert {"tag": "Train/loss", "step": 5, "value": 1.5} in [
        {key: point[key] for key in ("tag", "step", "value")}
        for point in json.loads((tmp_path / "log.json").read_text())["points"]
    ]


def test_log_of_a_model_without_one_is_an_error():
    with pytest.raises(UsageError, match="has no training log"):
        call("log", "isanet_r50-d8_512x512_80k_ade20k", "--offline")


def test_a_missing_file_is_named_as_such(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        call("verify", tmp_path / "none.pdparams")


def test_weights_in_pretrained_are_found_before_cache_and_network(tmp_path):
    name = "isanet_resnet50_os8_cityscapes_769x769_80k"
    entry = load_catalogue().get(name)
    with pytest.raises(DownloadError, match="offline"):
        entry_weights(entry, offline=True)
    (tmp_path / "pretrained" / name).mkdir(parents=True)
    (tmp_path / "pretrained" / name / "model.pdparams").write_bytes(b"mine")
    assert entry_weights(entry, offline=True).read_bytes() == b"mine"


def test_table_is_written_between_its_markers_and_checked(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- zoo table: paddleseg -->\nold\n<!-- end of zoo table -->\nafter\n")
    assert call("table", readme, "--check") == 1
    assert "old" in readme.read_text()
    assert call("table", readme) == 0 and call("table", readme, "--check") == 0
    lines = readme.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and len(lines) == 4 + 6
    assert "| 80.10 | 80.30 | 80.26 | 80.58 |" in readme.read_text()


def test_a_file_without_markers_is_an_error_that_shows_them(tmp_path):
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(DataError, match="zoo table: paddleseg"):
        call("table", tmp_path / "README.md")


def test_listing_the_models_does_not_import_paddle():
    code = (
        "import argparse, sys; from paddleisa.cli import zoo; p = argparse.ArgumentParser(); zoo.add_arguments(p); "
        "zoo.run(p.parse_args(['list'])); sys.exit('paddle' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
