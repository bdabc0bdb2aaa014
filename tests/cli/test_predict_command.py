"""``paddleisa predict`` from the command line to the files."""

import json

import cv2
import numpy as np
import pytest

from paddleisa import Predictor, build_model, load_config, load_weights
from paddleisa.datasets.images import read_image
from paddleisa.zoo.catalogue.catalogue import load_catalogue

PREDICT = ("predict", "--config", "tiny.yml", "--device", "cpu", "--model_path", "w.pdparams")


@pytest.fixture(scope="module")
def predictor(project):
    config = load_config(project / "tiny.yml")
    model = build_model(config)
    load_weights(model, project / "w.safetensors")
    return Predictor(model, config)


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_the_files_hold_what_the_python_interface_gives(in_project, call, tmp_path, predictor):
    answer = call(*PREDICT, "--image_path", "data/b.png", "--save_dir", tmp_path)
    assert answer.code == 0
    assert f"1 of 1 images predicted; see {tmp_path}/" in answer.out
    mask = predictor(read_image("data/b.png"))
    assert mask.shape == (70, 40)  # larger than the config's Padding to 64
    np.testing.assert_array_equal(read(tmp_path / "class_id_prediction/b.png"), mask)


def test_the_colours_are_the_configs(in_project, call, tmp_path, predictor):
    call(*PREDICT, "--image_path", "data/a.png", "--save_dir", tmp_path)
    mask = predictor(read_image("data/a.png"))
    palette = np.array([[1, 2, 3], [200, 0, 0], [0, 0, 200]], np.uint8)
    coloured = cv2.imread(str(tmp_path / "pseudo_color_prediction/a.png"))[:, :, ::-1]
    np.testing.assert_array_equal(coloured, palette[mask])


@pytest.mark.parametrize("path", ["data", "data/val.txt"])
def test_folders_and_lists_work(in_project, call, tmp_path, path):
    answer = call(*PREDICT, "--image_path", path, "--save_dir", tmp_path, "--json", tmp_path / "r.json")
    assert answer.code == 0
    names = {"data": ["a", "a_label", "b", "b_label", "c", "c_label"], "data/val.txt": ["a", "b", "c"]}[path]
    assert sorted(p.stem for p in (tmp_path / "added_prediction").iterdir()) == names
    result = json.loads((tmp_path / "r.json").read_text())
    assert (len(result["written"]), result["failed"]) == (len(names), {})


def test_the_data_of_the_config_need_not_exist(in_project, call, tmp_path):
    opts = ("--opts", "val_dataset.dataset_root=nowhere", "val_dataset.val_path=nowhere/val.txt")
    assert call(*PREDICT, *opts, "--image_path", "data/c.png", "--save_dir", tmp_path).code == 0


def test_a_damaged_image_gives_exit_code_2_and_the_others_are_written(in_project, call, tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / f"in/{name}.png").write_bytes((in_project / f"data/{name}.png").read_bytes())
    (tmp_path / "in/b.png").write_bytes(b"<html>404</html>")
    words = ("--image_path", tmp_path / "in", "--save_dir", tmp_path / "out", "--json", tmp_path / "r.json")
    answer = call(*PREDICT, *words)
    assert answer.code == 2
    assert "2 of 3 images predicted" in answer.out
    assert sorted(p.name for p in (tmp_path / "out/class_id_prediction").iterdir()) == ["a.png", "c.png"]
    result = json.loads((tmp_path / "r.json").read_text())
    assert list(result["failed"]) == [str(tmp_path / "in/b.png")]
    assert "b.png" in answer.out + answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--image_path: no image is given"),
        (("--image_path", "nosuch"), "nosuch: there is no such image, folder or list"),
        (("--image_path", "data/a.png", "--save_dir", "tiny.yml"), "cannot be written"),
    ],
    ids=["none", "nosuch", "save_dir is a file"],
)
def test_a_mistake_is_one_line(in_project, call, words, message):
    answer = call(*PREDICT, *words)
    assert answer.code == 2
    assert message in answer.err


def test_originals_are_never_overwritten(in_project, call, tmp_path):
    (tmp_path / "class_id_prediction").mkdir()
    original = tmp_path / "class_id_prediction/a.png"
    original.write_bytes((in_project / "data/a.png").read_bytes())
    answer = call(*PREDICT, "--image_path", original, "--save_dir", tmp_path)
    assert answer.code == 2
    assert "would overwrite an image. Give another --save_dir" in answer.err
    assert original.read_bytes() == (in_project / "data/a.png").read_bytes()


def test_without_a_config_the_best_shipped_model_predicts_and_is_named(in_project, call, tmp_path):
    answer = call("predict", "--device", "cpu", "--image_path", "data/b.png", "--save_dir", tmp_path)
    assert answer.code == 0
    best = max((e for e in load_catalogue() if e.row.weights.file), key=lambda e: e.row.scores.single)
    assert f"model: {best.name}, the best that ships ({best.row.scores.single:.2f} mIoU on CamVid)" in answer.out
    assert read(tmp_path / "class_id_prediction/b.png").shape == (70, 40)


def test_weights_without_a_config_are_an_error(in_project, call):
    answer = call("predict", "--device", "cpu", "--image_path", "data/b.png", "--model_path", "w.pdparams")
    assert answer.code == 2
    assert "w.pdparams: which config these weights belong to is not known. Name the config too: --config" in answer.err


def test_confidence_colours_and_areas_go_through_the_options(in_project, call, tmp_path):
    words = ("--image_path", "data/a.png", "data/c.*g", "--save_dir", tmp_path / "out", "--json", tmp_path / "r.json")
    colours = ("--custom_color", 9, 9, 9, 8, 8, 8, 7, 7, 7)
    assert call(*PREDICT, *words, *colours, "--confidence").code == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert [entry["image"] for entry in result["written"]] == ["data/a.png", "data/c.png"]
    first = result["written"][0]
    probable = cv2.imread(first["confidence"], cv2.IMREAD_UNCHANGED)
    assert probable.dtype == np.uint16 and probable.min() >= 65535 // 3  # of three classes
    assert sum(area["pixels"] for area in first["areas"].values()) == 48 * 64
    colour = cv2.imread(first["colour"])
    assert set(np.unique(colour)) <= {7, 8, 9}


def test_colours_of_another_number_of_classes_are_refused(in_project, call):
    answer = call(*PREDICT, "--image_path", "data/a.png", "--custom_color", 1, 2, 3)
    assert answer.code == 2
    assert "--custom_color: 3 numbers are no colours of 3 classes. Give 9 numbers" in answer.err


def test_device_id_on_a_cpu_is_told_to_do_nothing(in_project, call, tmp_path):
    words = ("--image_path", "data/a.png", "--save_dir", tmp_path / "out", "--device_id", 1)
    assert "--device_id does nothing on a CPU" in call(*PREDICT, *words).err
