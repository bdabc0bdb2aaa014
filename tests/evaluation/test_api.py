"""The Python functions do what the commands do, by names, files and folders of trainings."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import paddleisa
from paddleisa.datasets.image_files import find_images
from paddleisa.datasets.images import read_image
from paddleisa.errors import UsageError, WeightsError
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import train

TINY = Path(__file__).parents[1] / "training" / "tiny" / "tiny.yml"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A training of two iterations."""
    folder = tmp_path_factory.mktemp("run") / "out"
    config = paddleisa.load_config(TINY, opts=["iters=2"])
    train(config, TrainOptions(save_dir=folder, save_interval=2, do_eval=True, progress=False))
    return folder


@pytest.fixture
def images(tmp_path):
    import cv2

    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 256, (32, 48, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    return find_images(tmp_path)


def test_a_trainings_folder_is_a_model_with_its_config(run_folder, images):
    image = read_image(images[0][0])
    from_folder = paddleisa.Predictor.from_pretrained(run_folder)
    from_file = paddleisa.Predictor.from_pretrained(run_folder / "iter_2/model.pdparams", TINY)
    np.testing.assert_array_equal(from_folder(image), from_file(image))
    assert from_folder.config.name == "tiny"


def test_a_name_of_the_catalogue_is_a_model():
    seg = paddleisa.Predictor.from_pretrained("isanet_efficientnet_lite0_os16_camvid_448x320_600", protocol="published")
    assert seg.settings.protocol == "paddleseg-2021"
    assert len(seg.classes.names) == len(seg.classes.palette)


def test_weights_without_a_config_say_that_one_is_needed(run_folder, tmp_path):
    lonely = tmp_path / "model.pdparams"
    lonely.write_bytes((run_folder / "iter_2/model.pdparams").read_bytes())
    with pytest.raises(UsageError, match="which config these weights belong to is not known.*Name the config"):
        paddleisa.Predictor.from_pretrained(lonely)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"without model\.pdparams, best_model or iter_N"):
        paddleisa.Predictor.from_pretrained(tmp_path)


def test_evaluate_gives_what_val_writes(run_folder, tmp_path, call):
    found = paddleisa.evaluate(run_folder, progress=False, flip_horizontal=True).to_dict()
    answer = call("val", "--config", TINY, "--model_path", run_folder, "--device", "cpu", "--flip_horizontal",
                  "--json", tmp_path / "r.json")  # fmt: skip
    assert answer.code == 0
    written = json.loads((tmp_path / "r.json").read_text())
    assert found.keys() == written.keys()
    for key in found.keys() - {"seconds", "environment", "config_digest"}:
        assert found[key] == written[key], key


def test_predict_writes_what_the_command_writes(run_folder, images, tmp_path, call):
    paddleisa.predict(run_folder, images, tmp_path / "ours", progress=False)
    words = ("--model_path", run_folder, "--image_path", images[0][0].parent, "--save_dir", tmp_path / "theirs")
    call("predict", "--config", TINY, "--device", "cpu", *words)
    files = sorted(path.relative_to(tmp_path / "ours") for path in (tmp_path / "ours").rglob("*.png"))
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "ours" / file).read_bytes() == (tmp_path / "theirs" / file).read_bytes()


def test_a_wrong_model_path_is_told_before_paddle_is_imported(tmp_path):
    """In one process for the three commands: what one imports, the next would find."""
    (tmp_path / "x.png").write_bytes(b"")
    words = ["--config", str(TINY), "--model_path", "nosuch.pdparams"]
    commands = [["val", *words], ["predict", *words, "--image_path", str(tmp_path / "x.png")], ["export", *words]]
    program = (
        "import sys; from paddleisa.cli.main import main; "
        f"[print(main(words), 'paddle' in sys.modules) for words in {commands!r}]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["2 False"] * 3
    assert done.stderr.count("nosuch.pdparams: there is no such file") == 3
