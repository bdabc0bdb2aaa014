"""``paddleisa val`` from the command line to the scores."""

import json
import os
import pickle

import cv2
import numpy as np
import pytest

from paddleisa.config import check, load_config
from paddleisa.inference.protocols import PROTOCOLS, Protocol
from paddleisa.utils.files import sha256_of
from paddleisa.weights import read_weights, save_weights

VAL = ("val", "--config", "tiny.yml", "--device", "cpu")


@pytest.mark.parametrize("suffix", ["pdparams", "safetensors"])
def test_scores_are_those_of_the_masks_counted_pixel_by_pixel(in_project, call, tmp_path, suffix):
    answer = call(*VAL, "--model_path", f"w.{suffix}", "--json", tmp_path / "r.json")
    assert answer.code == 0
    result = json.loads((tmp_path / "r.json").read_text())

    call("predict", "--config", "tiny.yml", "--image_path", "data/val.txt", "--model_path", f"w.{suffix}",
         "--save_dir", tmp_path / "out")  # fmt: skip
    matrix = np.zeros((3, 3), int)
    for name in "abc":
        mask = cv2.imread(str(tmp_path / f"out/class_id_prediction/{name}.png"), cv2.IMREAD_UNCHANGED)
        label = cv2.imread(f"data/{name}_label.png", cv2.IMREAD_UNCHANGED)
        for t, p in zip(label.ravel(), mask.ravel(), strict=True):
            matrix[t, p] += 1
    ious = [
        matrix[k, k] / union if (union := matrix[k].sum() + matrix[:, k].sum() - matrix[k, k]) else 1 for k in range(3)
    ]
    assert result["class_iou"] == pytest.approx(ious)
    assert result["miou"] == pytest.approx(np.mean(ious))
    assert result["accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum())
    assert result["pixels"] == 48 * 64 + 70 * 40 + 16 * 24
    assert f"[EVAL] #Images: 3 mIoU: {np.mean(ious):.4f}" in answer.out


def test_the_json_says_what_was_measured(in_project, call, tmp_path):
    options = ("--scales", "0.5", "1.0", "--flip_horizontal", "--protocol", "published", "--limit", "2")
    call(*VAL, "--model_path", "w.pdparams", *options, "--json", tmp_path / "new/r.json")
    result = json.loads((tmp_path / "new/r.json").read_text())
    assert result["config"] == "tiny"
    assert result["config_digest"] == load_config("tiny.yml").digest()
    assert result["weights_sha256"] == sha256_of("w.pdparams")
    assert (result["engine"], result["precision"]) == ("paddle", "fp32")
    assert result["test"]["scales"] == [0.5, 1.0]
    assert result["test"]["flip_horizontal"] is True
    assert result["test"]["protocol"] == "paddleseg-2021"
    assert (result["images"], result["images_in_dataset"]) == (2, 3)
    assert result["class_names"] == ["ground", "wall", "sky"]
    assert result["environment"]["packages"]


def test_a_protocol_that_is_added_to_the_table_can_be_asked_for(in_project, call, tmp_path, monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "toy-1999", Protocol("toy-1999", "as toys do", aliases=("toy",)))
    assert call(*VAL, "--model_path", "w.pdparams", "--protocol", "toy", "--json", tmp_path / "r.json").code == 0
    assert json.loads((tmp_path / "r.json").read_text())["test"]["protocol"] == "toy-1999"
    assert "toy-1999 (toy): as toys do" in " ".join(call("val", "--help").out.split())


def test_a_part_of_the_set_is_not_called_the_score_of_the_set(in_project, call):
    assert "#Images: 1 of 3: NOT the whole set" in call(*VAL, "--model_path", "w.pdparams", "--limit", 1).out


def test_dashes_serve_as_well_as_underscores(in_project, call):
    answer = call(*VAL, "--model-path", "w.pdparams", "--num-workers=0", "--crop-size", 32, 32, "--stride", 16, 16)
    assert answer.code == 0


def test_several_opts_add_up(in_project, call):
    answer = call(*VAL, "--opts", "model.isa_channels=4", "--dry_run", "--opts", "model.down_factor=[1, 1]", "iters=7")
    for part in ("isa_channels: 4 ", "iters: 7 "):
        assert part in answer.out


def test_the_resolved_config_loads_back_and_tells_origins(in_project, call, tmp_path):
    answer = call(*VAL, "--dry-run", "--opts", "model.isa_channels=4")
    assert (answer.code, answer.err) == (0, "")
    (tmp_path / "again.yml").write_text(answer.out)
    config = check(load_config("tiny.yml", opts=["model.isa_channels=4"]), "val", defaults=True)
    assert load_config(tmp_path / "again.yml").to_dict() == config.to_dict()
    lines = {line.split(":")[0].strip(): line for line in answer.out.splitlines()}
    assert "--opts" in lines["isa_channels"]
    assert "tiny.yml:6" in lines["output_stride"] or "tiny.yml:6" in answer.out
    assert "default of ISANet" in lines["align_corners"]


def test_without_weights_it_looks_in_pretrained_and_says_what_is_missing(in_project, call, tmp_path, monkeypatch):
    missing = call(*VAL)
    assert missing.code == 2
    assert "tiny: no weights are given, and none of that name lie in pretrained/. Give --model_path FILE" in missing.err
    for name in ("tiny.yml", "data"):
        (tmp_path / name).symlink_to(in_project / name)
    (tmp_path / "pretrained/tiny").mkdir(parents=True)
    (tmp_path / "pretrained/tiny/model.pdparams").symlink_to(in_project / "w.pdparams")
    monkeypatch.chdir(tmp_path)
    found = call(*VAL)
    assert found.code == 0
    assert "pretrained/tiny/model.pdparams: " in found.out


def test_a_published_row_says_how_to_get_its_weights(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    name = "isanet_resnet50_os8_voc12aug_512x512_40k"
    answer = call("val", "--config", name)
    assert answer.code == 2
    assert f"paddleisa zoo download {name}" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--config", "nosuch.yml"), "nosuch.yml"),
        (("--config", "data"), "data"),
        (("--config", "w.pdparams"), "w.pdparams"),
        (("--config", "tiny.yml", "--plugin", "nosuch.py"), "nosuch.py"),
        (("--config", "tiny.yml", "--model_path", "nosuch.pdparams"), "nosuch.pdparams"),
        (("--config", "tiny.yml", "--model_path", "data"), "data"),
        (("--config", "tiny.yml", "--model_path", "tiny.yml"), "tiny.yml"),
        (("--config", "tiny.yml", "--opts", "model.isa_chanels=8"), "Did you mean 'isa_channels'?"),
        (("--config", "tiny.yml", "--opts", "test_config=abc"), "test_config"),
        (
            ("--config", "tiny.yml", "--opts", "val_dataset.dataset_root=nowhere", "--model_path", "w.pdparams"),
            "nowhere",
        ),
        (
            ("--config", "tiny.yml", "--opts", "val_dataset.val_path=data/no.txt", "--model_path", "w.pdparams"),
            "no.txt",
        ),
        (("--config", "tiny.yml", "--model_path", "w.pdparams", "--device", "tpu"), "there is no device 'tpu'"),
        (("--config", "tiny.yml", "--model_path", "w.pdparams", "--engine", "onx"), "there is no engine 'onx'"),
        (("--config", "tiny.yml", "--model_path", "w.pdparams", "--precision", "fp7"), "precision 'fp7'"),
        (("--config", "tiny.yml", "--model_path", "w.pdparams", "--scales", "0"), "must be positive"),
        (("--config", "tiny.yml", "--model_path", "w.pdparams", "--scales", "nan"), "must be positive"),
        (("--config", "tiny.yml", "--model_path", "w.pdparams", "--is_slide"), "needs its size and its stride"),
        (
            ("--config", "tiny.yml", "--model_path", "w.pdparams", "--crop_size", "8", "8", "--stride", "9", "8"),
            "or pixels are left out",
        ),
    ],
    ids=lambda v: " ".join(v[2:] or v) if isinstance(v, tuple) else "",
)
def test_a_mistake_is_named_without_a_traceback(in_project, call, words, message):
    answer = call("val", *words)
    assert answer.code == 2
    assert answer.err.startswith("paddleisa: error: ")
    assert message in answer.err


def test_a_label_with_a_class_too_many_is_named(in_project, call, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    cv2.imwrite(str(tmp_path / "data/a.png"), np.zeros((16, 16, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "data/bad.png"), np.full((16, 16), 7, np.uint8))
    (tmp_path / "data/val.txt").write_text("a.png bad.png\n")
    config = in_project / "tiny.yml"
    monkeypatch.chdir(tmp_path)
    answer = call("val", "--config", config, "--model_path", in_project / "w.pdparams")
    assert answer.code == 2
    for part in ("bad.png: ", " 7, but there are 3 classes"):
        assert part in answer.err


class Calls:
    """Pickles as a call that makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def bad_weights(root, folder):
    """Name -> (file, what the message must say)."""
    state = read_weights(root / "w.pdparams")
    good = (root / "w.pdparams").read_bytes()
    first = next(iter(state))
    wrong = {**state, first: np.zeros((1, 2, 3, 4), np.float32)}
    missing = {name: value for name, value in state.items() if name != first}
    (folder / "code.pdparams").write_bytes(pickle.dumps({first: Calls(folder / "ran")}, protocol=4))
    (folder / "truncated.pdparams").write_bytes(good[: len(good) // 2])
    (folder / "html.pdparams").write_bytes(b"<!DOCTYPE html><html><body>404 Not Found</body></html>")
    (folder / "empty.pdparams").write_bytes(b"")
    save_weights(wrong, folder / "shape.pdparams")
    save_weights(missing, folder / "missing.pdparams")
    return [f"{name}.pdparams" for name in ("code", "truncated", "html", "empty", "shape", "missing")]


def test_weights_that_cannot_be_used_each_get_a_message_of_their_own_and_run_nothing(in_project, call, tmp_path):
    messages = {}
    for name in bad_weights(in_project, tmp_path):
        answer = call(*VAL, "--model_path", tmp_path / name)
        assert answer.code == 2, name
        assert "[EVAL]" not in answer.out
        first = answer.err.splitlines()[0]
        assert first.startswith(f"paddleisa: error: {tmp_path / name}: ")
        messages[name] = first.replace(name, "")
    assert len(set(messages.values())) == len(messages)
    assert not (tmp_path / "ran").exists()
    said = {
        "code": "posix.mkdir",
        "truncated": "ends before its data does",
        "html": "HTML",
        "empty": "empty",
        "shape": "1 of another shape",
        "missing": "1 missing",
    }
    for name, words in said.items():
        assert words in messages[f"{name}.pdparams"], messages[f"{name}.pdparams"]


@pytest.mark.parametrize("dry_run", [(), ("--dry_run",)])
def test_what_is_seldom_meant_is_told_once_and_does_not_stop_the_command(in_project, call, dry_run):
    only_padding = "val_dataset.transforms=[{type: Padding, target_size: [64, 64]}]"
    answer = call(*VAL, "--model_path", "w.pdparams", "--opts", only_padding, *dry_run)
    assert answer.code == 0
    assert answer.err.count("warning: ") == answer.err.count("val_dataset.transforms: holds no Normalize") == 1


def test_a_random_transform_is_refused_before_anything_is_read(in_project, call):
    answer = call(
        *VAL, "--opts", "val_dataset.transforms=[{type: RandomBlur}, {type: Normalize}]", "--model_path", "w.pdparams"
    )
    assert answer.code == 2 and "RandomBlur draws random numbers" in answer.err and "mIoU" not in answer.out


@pytest.mark.parametrize("command", ["val", "export", "predict"])
def test_a_published_name_needs_no_config(call, command):
    name = "isanet_efficientnet_lite0_os16_camvid_448x320_600"
    given, alone = (call(command, *words, "--dry_run") for words in (("--config", name), ("--model_path", name)))
    assert alone.code == 0 and alone.out == given.out


@pytest.mark.parametrize("command", ["val", "export"])
def test_neither_config_nor_model_is_an_error_that_says_what_to_give(call, command):
    answer = call(command)
    assert answer.code == 2 and "Give --config, or --model_path" in answer.err
