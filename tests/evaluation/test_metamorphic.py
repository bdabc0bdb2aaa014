"""What must not change a score does not, to the last count: how images are read, stored, ordered and computed."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from PIL import Image

import paddleisa
from paddleisa.build import build_dataset
from paddleisa.deploy.runtimes.open import runtimes
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.weights import save_weights

TINY = Path(__file__).parents[1] / "training" / "tiny" / "tiny.yml"
SIZES = [(40, 52), (33, 64), (48, 31), (40, 52)]
CLASSES = 4
PARALLEL = [name for name, runtime in runtimes().items() if runtime.format and runtime.format.parallel]


def picture(number):
    """Four fields of different colours with noise, and their classes: scores are neither 0 nor 1."""
    rng = np.random.default_rng(number)
    height, width = SIZES[number]
    label = np.zeros((height, width), np.uint8)
    label[height // 3 :, width // 2 :], label[: height // 2, : width // 3], label[-7:] = 1, 2, 3
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [120, 120, 120]])
    image = np.clip(colours[label] + rng.normal(0, 40, (height, width, 3)), 0, 255).astype(np.uint8)
    label[rng.random((height, width)) < 0.1] = 255
    return image, label


def write(folder, suffix=".png", mirrored=(), order=(0, 1, 2, 3), **options):
    """The pictures with their labels, and the list that names them; ``mirrored``: the axes along which both are."""
    folder.mkdir()
    for number in range(len(SIZES)):
        image, label = (np.flip(array, mirrored) for array in picture(number))
        Image.fromarray(np.ascontiguousarray(image)).save(folder / f"{number}{suffix}", **options)
        Image.fromarray(np.ascontiguousarray(label)).save(folder / f"{number}_label.png")
    (folder / "val.txt").write_text("".join(f"{n}{suffix} {n}_label.png\n" for n in order))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    paddle.seed(3)
    model = paddleisa.build_model(config(Path("nowhere")))
    return save_weights(model.state_dict(), tmp_path_factory.mktemp("w") / "w.pdparams")


def config(folder, *opts):
    data = [f"val_dataset.{key}={value}" for key, value in (
        ("type", "Dataset"), ("dataset_root", folder), ("val_path", "val.txt"), ("num_classes", CLASSES),
    )]  # fmt: skip
    read = paddleisa.load_config(TINY).to_dict()
    read["val_dataset"] = {"type": "Dataset", "mode": "val", "transforms": [{"type": "Normalize"}]}
    del read["train_dataset"]
    read["model"] = {key: value for key, value in read["model"].items() if key != "num_classes"}
    return paddleisa.Config.from_dict(read, "tiny").with_values(opts=[*data, *opts])


class Brightest(paddle.nn.Layer):
    """A network whose class is the colour that is brightest around a pixel, or none of them: mirrors change nothing."""

    def forward(self, x):
        return [F.avg_pool2d(paddle.concat([x, 0 * x[:, :1] + 0.1], axis=1), 5, stride=1, padding=2) * 10]


def matrix(weights, folder, *opts, workers=1, batch_pixels=None, **options):
    """The confusion matrix of the whole set; without weights the network is `Brightest`."""
    of = config(folder, *opts)
    model = Brightest() if weights is None else paddleisa.build_model(of)
    if weights is not None:
        paddleisa.load_weights(model, weights)
    predictor = paddleisa.Predictor(model, of, **options)
    if batch_pixels is not None:
        predictor.engine = replace(predictor.engine, batch_pixels=batch_pixels)
    dataset = build_dataset(of, "val")
    return evaluate(predictor, dataset, workers=workers, progress=False).matrix.matrix


@pytest.fixture(scope="module")
def expected(weights, tmp_path_factory):
    found = matrix(weights, write(tmp_path_factory.mktemp("data") / "plain"), flip_horizontal=True)
    assert len(np.flatnonzero(found.sum(0))) > 1  # the masks are not of one class
    return found


@pytest.mark.parametrize("workers", [0, 3])
def test_the_number_of_workers_changes_nothing(workers, weights, expected, tmp_path):
    found = matrix(weights, write(tmp_path / "data"), flip_horizontal=True, workers=workers)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("pixels", [0, 10**9])
def test_images_that_go_through_the_network_together_score_as_alone(pixels, weights, expected, tmp_path):
    found = matrix(weights, write(tmp_path / "data"), flip_horizontal=True, batch_pixels=pixels)
    assert np.abs(found - expected).sum() <= 4  # rounding of another batch decides near ties


def test_the_order_of_images_changes_nothing(weights, expected, tmp_path):
    order = random.Random(1).sample(range(len(SIZES)), len(SIZES))
    assert order != sorted(order)
    found = matrix(weights, write(tmp_path / "data", order=order), flip_horizontal=True)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("suffix, options", [(".tif", {}), (".tif", {"compression": "tiff_lzw"}), (".bmp", {})])
def test_a_lossless_format_scores_as_png(suffix, options, weights, expected, tmp_path):
    found = matrix(weights, write(tmp_path / "data", suffix, **options), flip_horizontal=True)
    np.testing.assert_array_equal(found, expected)


def test_images_mirrored_with_their_labels_score_alike_where_mirror_images_are_added(weights, expected, tmp_path):
    found = matrix(weights, write(tmp_path / "data", mirrored=1), flip_horizontal=True)
    assert np.abs(found - expected).sum() <= 4  # sums in another order decide near ties


@pytest.mark.parametrize("settings", [{}, {"flip_horizontal": True}, {"flip_vertical": True}, {"scales": [0.75, 1.5]}])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_network_that_knows_no_left_scores_a_mirrored_set_alike(tmp_path, axis, settings):
    straight = matrix(None, write(tmp_path / "a"), **settings)
    mirrored = matrix(None, write(tmp_path / "b", mirrored=axis), **settings)
    assert (np.diag(straight) > 0).all()
    assert np.abs(mirrored - straight).sum() <= 4  # a tie may fall to the other side


def test_a_mirror_of_the_labels_alone_changes_the_score(weights, expected, tmp_path):
    folder = write(tmp_path / "data")
    for file in folder.glob("*_label.png"):
        Image.open(file).transpose(Image.FLIP_LEFT_RIGHT).save(file)
    assert np.abs(matrix(weights, folder, flip_horizontal=True) - expected).sum() > 100


@pytest.mark.parametrize("engine", [name for name in runtimes() if name != "paddle"])
def test_another_engine_in_float32_scores_alike(engine, weights, expected, tmp_path, monkeypatch):
    if problem := runtimes()[engine].problem("fp32", "cpu"):
        pytest.skip(problem[0])
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    found = matrix(weights, write(tmp_path / "data"), flip_horizontal=True, engine=engine)
    assert np.abs(found - expected).sum() <= 0.002 * expected.sum()


@pytest.mark.parametrize("engine", PARALLEL)
def test_images_that_are_computed_at_once_score_as_one_by_one(engine, weights, tmp_path, monkeypatch):
    if problem := runtimes()[engine].problem("fp32", "cpu"):
        pytest.skip(problem[0])
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    folder = write(tmp_path / "data")
    found = [matrix(weights, folder, engine=engine, streams=streams) for streams in (1, 3)]
    assert np.abs(found[0] - found[1]).sum() <= 4  # another division among threads decides near ties
