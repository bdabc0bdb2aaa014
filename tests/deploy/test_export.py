"""The folder of an export: whole or not there, and enough to run its files without this package."""

import hashlib

import cv2
import numpy as np
import pytest
import yaml
from deploy_models import CONFIG, needs, small_model

from paddleisa import Predictor
from paddleisa.deploy.export import export as export_module
from paddleisa.deploy.export.export import export_model
from paddleisa.errors import DeployError, UsageError


@pytest.fixture(scope="module")
def paddle_export(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paddle") / "export"
    return export_model(model, CONFIG, folder, formats=["paddle"])


def description(folder):
    return yaml.safe_load((folder / "deploy.yaml").read_text())


def run_as_described(folder, image, run):
    """A mask by nothing but ``deploy.yaml``: written after its comments, sharing no code with the package."""
    about = description(folder)
    x, size = image.astype(np.float32), image.shape[:2]
    for step in about["transforms"]:
        if step["type"] == "Padding":
            width, height = step["target_size"]
            below, right = max(0, height - x.shape[0]), max(0, width - x.shape[1])
            x = cv2.copyMakeBorder(x, 0, below, 0, right, cv2.BORDER_CONSTANT, value=step["im_padding_value"])
        elif step["type"] == "Normalize":
            assert "`Normalize` divides the pixels 0..255 by 255 first" in (folder / "deploy.yaml").read_text()
            x = (x / 255 - np.float32(step["mean"])) / np.float32(step["std"])
    mask = run({about["input"]["name"]: x.transpose(2, 0, 1)[None].astype(about["input"]["dtype"])})
    assert mask.dtype == about["output"]["dtype"]
    return mask[0, : size[0], : size[1]]


@pytest.mark.parametrize("engine", [needs("onnxruntime")])
def test_the_description_is_enough_to_get_the_predictors_mask(engine, model, tmp_path):
    import onnxruntime

    export_model(model, CONFIG, tmp_path / "e", formats=["onnx"])
    session = onnxruntime.InferenceSession(str(tmp_path / "e/model.onnx"), providers=["CPUExecutionProvider"])
    name = description(tmp_path / "e")["output"]["name"]
    for size in ((40, 33), (70, 90)):  # smaller and larger than the padding
        image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
        mask = run_as_described(tmp_path / "e", image, lambda feed: session.run([name], feed)[0])
        assert (mask == Predictor(model, CONFIG)(image)).mean() >= 0.999


def test_the_description_names_classes_colours_and_files_with_their_hashes(paddle_export):
    about = description(paddle_export.folder)
    assert about["class_names"] == ["ground", "wall", "sky", "car"]
    assert about["palette"] == [[1, 2, 3], [200, 0, 0], [0, 0, 200], [9, 9, 9]]
    assert (about["ignore_index"], about["model"]["num_classes"]) == (254, 4)
    files = about["files"]["paddle"]["files"]
    assert {file["name"] for file in files} | {"deploy.yaml"} == {f.name for f in paddle_export.folder.iterdir()}
    for file in files:
        content = (paddle_export.folder / file["name"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["bytes"])


def test_paddlesegs_own_keys_are_there(paddle_export):
    deploy = description(paddle_export.folder)["Deploy"]
    assert {"model", "params", "transforms", "input_shape", "output_op", "output_dtype"} == deploy.keys()
    assert (paddle_export.folder / deploy["model"]).is_file() and (paddle_export.folder / deploy["params"]).is_file()
    assert [step["type"] for step in deploy["transforms"]] == ["Padding", "Normalize"]
    assert (deploy["output_op"], deploy["output_dtype"], deploy["input_shape"]) == ("argmax", "int32", [-1, 3, -1, -1])


def test_paddlesegs_transforms_have_no_options_that_it_does_not_know(paddle_export):
    about = description(paddle_export.folder)
    assert about["Deploy"]["transforms"] == [{"type": "Padding", "target_size": [60, 50]}, {"type": "Normalize"}]
    assert about["transforms"][0]["im_padding_value"] == [127.5] * 3  # the same, written out


def test_paddleseg_gets_one_padding_value_for_all_channels(quick, model, tmp_path):
    config = CONFIG.with_values(opts=["val_dataset.transforms.0.im_padding_value=[7, 7, 7]"])
    folder = export_model(model, config, tmp_path / "e", formats=["paddle"]).folder
    assert description(folder)["Deploy"]["transforms"][0]["im_padding_value"] == 7.0


def test_the_configs_export_section_holds_where_nothing_is_said(model, tmp_path):
    config = CONFIG.with_values(opts=["export={output_op: none, input_shape: [1, 3, 33, 47]}"])
    exported = export_model(model, config, tmp_path / "e")
    about = description(exported.folder)
    assert (about["output"]["op"], about["output"]["shape"]) == ("none", [1, 4, 33, 47])
    assert [d.shape for d in exported.written[0].differences] == [(1, 3, 33, 47)]


def test_an_export_that_turns_out_wrong_leaves_the_earlier_one_and_nothing_else(model, tmp_path, monkeypatch):
    folder = tmp_path / "e"
    folder.mkdir()
    (folder / "deploy.yaml").write_text("files: {onnx: {files: [{name: model.onnx}]}}\n")
    (folder / "model.onnx").write_bytes(b"earlier")

    def wrong(*args, **kwargs):
        (next(tmp_path.glob(".e.part")) / "model.json").write_text("half")
        raise DeployError("does not compute what the model computes")

    monkeypatch.setattr(export_module, "write_checked", wrong)
    with pytest.raises(DeployError):
        export_model(model, CONFIG, folder)
    assert (folder / "model.onnx").read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["e"]


def test_an_export_replaces_an_earlier_one(quick, model, tmp_path):
    folder = tmp_path / "e"
    folder.mkdir()
    (folder / "deploy.yaml").write_text("files: {onnx: {files: [{name: model.onnx}]}}\n")
    (folder / "model.onnx").write_bytes(b"earlier")

    exported = export_model(model, CONFIG, folder, formats=["paddle"])
    assert sorted(path.name for path in folder.iterdir()) == ["deploy.yaml", "model.paddle", "numbers.paddle"]
    assert exported.written[0].files == [folder / "model.paddle", folder / "numbers.paddle"]
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["e"]


def test_a_folder_with_other_files_is_left_alone(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(UsageError, match="no earlier export.*thesis.tex.*--save_dir"):
        export_model(model, CONFIG, tmp_path)
    (tmp_path / "deploy.yaml").write_text("files: {onnx: {files: [{name: model.onnx}]}}\n")
    with pytest.raises(UsageError, match="thesis.tex"):
        export_model(model, CONFIG, tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formats": ["onix"]}, "Did you mean 'onnx'"),
        ({"formats": []}, "no format"),
        ({"output_op": "argmin"}, "Did you mean 'argmax'"),
        ({"input_shape": [1, 3, 64]}, "-1 3 -1 -1"),
        ({"input_shape": [1, 4, 64, 64]}, "is no shape N 3 H W"),
        ({"input_shape": [1, 3, 0, 64]}, "is no shape N 3 H W"),
        ({"input_shape": [-1, -1, -1, -1]}, "is no shape N 3 H W"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(model, tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        export_model(model, CONFIG, tmp_path / "e", **settings)
    assert not (tmp_path / "e").exists()


def test_a_model_in_training_goes_on_training(tmp_path, monkeypatch):
    model = small_model()
    model.train()
    seen = []

    def spy(model, format, folder, **settings):
        seen.append(model.training)
        raise DeployError("stop here")

    monkeypatch.setattr(export_module, "write_checked", spy)
    with pytest.raises(DeployError):
        export_model(model, CONFIG, tmp_path / "e")
    assert seen == [False] and model.training
