"""What must not change a score: files' format, order, threads; and what a mirror must do to one."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from PIL import Image

from paddleisa.config import Config
from paddleisa.datasets import Dataset
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.predictor import Predictor
from paddleisa.transforms import Normalize

SIZES = [(48, 64), (41, 70), (64, 33), (24, 24)]
CONFIG = Config.from_dict(
    {
        "model": {"type": "ISANet", "backbone": {"type": "ResNet18_vd"}},
        "val_dataset": {
            "type": "Dataset",
            "dataset_root": "nowhere",
            "val_path": "nowhere/val.txt",
            "num_classes": 3,
            "transforms": [{"type": "Normalize"}],
        },
    }
)


class Brightest(paddle.nn.Layer):
    """A network whose class is the colour that is brightest around a pixel."""

    def forward(self, x):
        return [F.avg_pool2d(x, 5, stride=1, padding=2) * 10]


@pytest.fixture(scope="module")
def model():
    return Brightest()


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor(model, CONFIG)


def samples():
    """Smooth pictures, and patches of three classes with ignored rows above."""
    rng = np.random.default_rng(5)
    for height, width in SIZES:
        small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        label = np.kron(rng.integers(0, 3, (4, 5)), np.ones((20, 20)))[:height, :width].astype(np.uint8)
        label[:2] = 255
        yield np.asarray(small.resize((width, height), Image.BICUBIC)), label


def data(folder, pairs, suffix=".png", order=None, **options):
    """A data set of these images and labels, written by Pillow in one format."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (img, label) in enumerate(pairs):
        Image.fromarray(np.ascontiguousarray(img)).save(folder / f"{number}{suffix}", **options)
        Image.fromarray(np.ascontiguousarray(label)).save(folder / f"{number}_label{suffix}", **options)
        lines.append(f"{number}{suffix} {number}_label{suffix}\n")
    (folder / "val.txt").write_text("".join(lines if order is None else [lines[i] for i in order]))
    return Dataset([Normalize()], str(folder), 3, "val", val_path=str(folder / "val.txt"))


def scores(predictor, dataset, **options):
    return evaluate(predictor, dataset, progress=False, **options).scores.to_dict()


@pytest.fixture(scope="module")
def expected(predictor, tmp_path_factory):
    found = scores(predictor, data(tmp_path_factory.mktemp("png"), samples()))
    assert min(found["class_iou"]) > 0 and found["miou"] < 1
    return found


@pytest.mark.parametrize("suffix, options", [(".tif", {}), (".tif", {"compression": "tiff_lzw"}), (".bmp", {})])
def test_a_lossless_format_changes_no_score(predictor, expected, tmp_path, suffix, options):
    assert scores(predictor, data(tmp_path, samples(), suffix, **options)) == expected


def test_the_order_of_the_images_changes_no_score(predictor, expected, tmp_path):
    assert scores(predictor, data(tmp_path, samples(), order=[2, 0, 3, 1])) == expected


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_threads_that_read_ahead_change_no_score(predictor, expected, tmp_path, workers):
    assert scores(predictor, data(tmp_path, samples()), workers=workers) == expected


@pytest.mark.parametrize("settings", [{}, {"flip_horizontal": True}, {"flip_vertical": True}, {"scales": [0.75, 1.5]}])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_set_has_the_same_score(model, tmp_path, axis, settings):
    predictor = Predictor(model, CONFIG, **settings)
    straight = scores(predictor, data(tmp_path / "a", samples()))
    mirrored = scores(predictor, data(tmp_path / "b", [(np.flip(i, axis), np.flip(t, axis)) for i, t in samples()]))
    for key in ("miou", "accuracy", "class_iou"):
        assert mirrored[key] == pytest.approx(straight[key], abs=1e-3)  # a tie may fall to the other side


def test_a_mirror_of_the_labels_alone_changes_the_score(predictor, expected, tmp_path):
    assert scores(predictor, data(tmp_path, [(i, t[:, ::-1]) for i, t in samples()]))["miou"] != expected["miou"]
