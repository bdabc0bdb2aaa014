"""What must not change a score does not, to the last count: how images are read, stored, ordered and computed."""

import random
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

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


def write(folder, suffix=".png", mirrored=False, order=(0, 1, 2, 3)):
    """The pictures with their labels, and the list that names them."""
    folder.mkdir()
    for number in range(len(SIZES)):
        image, label = picture(number)
        if mirrored:
            image, label = image[:, ::-1], label[:, ::-1]
        cv2.imwrite(str(folder / f"{number}{suffix}"), image[:, :, ::-1])
        cv2.imwrite(str(folder / f"{number}_label.png"), label)
    (folder / "val.txt").write_text("".join(f"{n}{suffix} {n}_label.png\n" for n in order))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import paddle

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


def matrix(weights, folder, *opts, workers=1, batch_pixels=None, **options):
    """The confusion matrix of the whole set."""
    of = config(folder, *opts)
    model = paddleisa.build_model(of)
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


def test_lossless_tiff_scores_as_png(weights, expected, tmp_path):
    found = matrix(weights, write(tmp_path / "data", suffix=".tif"), flip_horizontal=True)
    np.testing.assert_array_equal(found, expected)


def test_images_mirrored_with_their_labels_score_alike_where_mirror_images_are_added(weights, expected, tmp_path):
    found = matrix(weights, write(tmp_path / "data", mirrored=True), flip_horizontal=True)
    assert np.abs(found - expected).sum() <= 4  # sums in another order decide near ties


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
