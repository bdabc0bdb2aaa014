"""Evaluation of a stub that computes masks from pixels, against counts made pixel by pixel."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from paddleisa.data.prepare.scenes import NAME
from paddleisa.datasets import Dataset
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import DataError, UsageError
from paddleisa.evaluation.evaluate import evaluate, is_generated

CLASSES = 4
SIZES = [(9, 14), (12, 7), (5, 5), (16, 3), (1, 1)]


class Stub:
    """Class ids straight from the image: red modulo the number of classes, never class 3."""

    def __init__(self, protocol="corrected"):
        self.settings = SimpleNamespace(protocol=protocol, note=lambda size: None)
        self.seen = []

    engine = SimpleNamespace(streams=1)

    def describe(self):
        return "a stub"

    def logits(self, sample):
        return sample

    def mask(self, sample):
        self.seen.append(sample["image_path"])
        return sample["img"][0].astype(np.uint8) % (CLASSES - 1)


@pytest.fixture
def data(tmp_path):
    """(data set, images, labels); class 3 never occurs, 255 does."""
    rng = np.random.default_rng(0)
    images, labels, lines = [], [], []
    for number, size in enumerate(SIZES):
        image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        label = np.where(rng.random(size) < 0.6, image[:, :, 0] % 3, rng.integers(0, 3, size)).astype(np.uint8)
        label[rng.random(size) < 0.2] = 255
        cv2.imwrite(str(tmp_path / f"{number}.png"), image[:, :, ::-1])
        cv2.imwrite(str(tmp_path / f"{number}_label.png"), label)
        images.append(image)
        labels.append(label)
        lines.append(f"{number}.png {number}_label.png\n")
    (tmp_path / "val.txt").write_text("".join(lines))
    dataset = Dataset([], str(tmp_path), CLASSES, "val", val_path=str(tmp_path / "val.txt"))
    return dataset, images, labels


def counted(images, labels):
    matrix = np.zeros((CLASSES, CLASSES), int)
    for image, label in zip(images, labels, strict=True):
        for i in range(label.shape[0]):
            for j in range(label.shape[1]):
                if label[i, j] != 255:
                    matrix[label[i, j], image[i, j, 0] % 3] += 1
    return matrix


@pytest.mark.parametrize("workers", [0, 2])
def test_scores_are_those_of_a_confusion_matrix_counted_pixel_by_pixel(data, workers):
    dataset, images, labels = data
    result = evaluate(Stub(), dataset, workers=workers, progress=False)
    matrix = counted(images, labels)
    np.testing.assert_array_equal(result.matrix.matrix, matrix)
    ious = []
    for k in range(3):
        union = matrix[k].sum() + matrix[:, k].sum() - matrix[k, k]
        ious.append(matrix[k, k] / union)
        assert result.scores.class_iou[k] == pytest.approx(ious[k])
        assert result.scores.class_recall[k] == pytest.approx(matrix[k, k] / matrix[k].sum())
        assert result.scores.class_precision[k] == pytest.approx(matrix[k, k] / matrix[:, k].sum())
    assert result.scores.miou == pytest.approx((sum(ious) + 1) / CLASSES)  # an absent class counts 1 since 2023
    assert result.scores.accuracy == pytest.approx(np.trace(matrix) / matrix.sum())
    assert (result.images, result.of) == (5, 5)


def test_ignored_pixels_change_no_score(data):
    dataset, images, labels = data
    before = evaluate(Stub(), dataset, progress=False)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        image[label == 255] = 77  # another prediction where the label is ignored
        cv2.imwrite(dataset.samples[number][0], image[:, :, ::-1])
    assert evaluate(Stub(), dataset, progress=False).matrix.matrix.tolist() == before.matrix.matrix.tolist()


def test_the_protocol_of_the_predictor_decides_what_an_absent_class_counts(data):
    dataset, _, _ = data
    new, old = (evaluate(Stub(p), dataset, progress=False).scores for p in ("corrected", "published"))
    assert (new.class_iou[3], old.class_iou[3]) == (1, 0)
    assert new.miou == pytest.approx(old.miou + 1 / CLASSES)


def test_limit_takes_the_first_images_and_says_that_it_is_not_the_whole_set(data):
    dataset, images, labels = data
    stub = Stub()
    result = evaluate(stub, dataset, limit=2, progress=False)
    assert stub.seen == [path for path, _ in dataset.samples[:2]]
    np.testing.assert_array_equal(result.matrix.matrix, counted(images[:2], labels[:2]))
    assert "#Images: 2 of 5: NOT the whole set" in result.summary()
    assert (result.to_dict()["images"], result.to_dict()["images_in_dataset"]) == (2, 5)


def test_a_limit_beyond_the_set_is_the_whole_set(data):
    result = evaluate(Stub(), data[0], limit=99, progress=False)
    assert result.images == 5
    assert "NOT" not in result.summary()


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_that_leaves_no_image_is_a_mistake(data, limit):
    with pytest.raises(UsageError, match=f"limit {limit} leaves no image"):
        evaluate(Stub(), data[0], limit=limit, progress=False)


def test_an_image_without_label_is_an_error_that_names_it(data, tmp_path):
    (tmp_path / "test.txt").write_text("0.png\n")
    dataset = Dataset([], str(tmp_path), CLASSES, "test", test_path=str(tmp_path / "test.txt"))
    with pytest.raises(DataError, match=r"0\.png: there is no label.*paddleisa predict"):
        evaluate(Stub(), dataset, progress=False)


def test_a_mask_of_another_size_than_the_label_is_an_error(data):
    stub = Stub()
    stub.mask = lambda sample: np.zeros((2, 2), np.uint8)
    with pytest.raises(DataError, match=r"0_label\.png: the prediction's shape \(2, 2\) differs"):
        evaluate(stub, data[0], progress=False)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_an_error_that_names_it(data, tmp_path, workers):
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"2\.png"):
        evaluate(Stub(), data[0], workers=workers, progress=False)


def test_several_processes_share_the_images_without_repeating_any(data, monkeypatch):
    dataset, images, labels = data
    seen, matrices = [], []
    # Each process adds the others' matrices; here their sum is left to the test.
    monkeypatch.setattr("paddleisa.utils.distributed.summed", lambda array: array)
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "3")
    for rank in "012":
        monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
        stub = Stub()
        matrices.append(evaluate(stub, dataset, progress=False).matrix.matrix)
        seen += stub.seen
    assert sorted(seen) == [path for path, _ in dataset.samples]
    np.testing.assert_array_equal(sum(matrices), counted(images, labels))


def test_the_table_has_a_line_for_each_class(data):
    result = evaluate(Stub(), data[0], progress=False)
    header, *lines = result.table(["road", "sidewalk", "a long name", "car"]).splitlines()
    assert header.split() == ["class", "IoU", "Prec.", "Recall"]
    assert [line.split("  ")[0].strip() for line in lines] == ["road", "sidewalk", "a long name", "car"]
    for line, iou in zip(lines[:3], result.scores.class_iou, strict=False):
        assert f"{iou:.4f}" in line
    assert lines[3].split() == ["car", "absent"]


@pytest.mark.parametrize(("protocol", "rule"), [("corrected", "counts as 1 in"), ("published", "counts as 0 in"),
                                                 ("mmseg", "is left out of")])  # fmt: skip
def test_the_mean_over_present_classes_stands_beside_the_protocols(data, protocol, rule):
    result = evaluate(Stub(protocol), data[0], progress=False)
    (note,) = [line for line in result.notes() if "absent" in line]
    assert f"mIoU of the 3 classes that are there: {np.mean(result.scores.class_iou[:3]):.4f}" in note
    assert f"absent: 1, each {rule} the protocol's mean" in note
    values = result.to_dict()
    assert values["class_absent"] == [False, False, False, True]
    assert values["present_miou"] == pytest.approx(np.mean(result.scores.class_iou[:3]))


def test_labels_that_are_all_ignored_score_nothing(data):
    dataset, _, labels = data
    for (_, path), label in zip(dataset.samples, labels, strict=True):
        cv2.imwrite(path, np.full_like(label, 255))
    result = evaluate(Stub(), dataset, progress=False)
    assert np.isnan(result.scores.miou) and result.to_dict()["miou"] is None
    assert "no pixel is labelled: nothing was scored" in result.notes()


def test_generated_images_are_called_so_in_the_summary(data):
    dataset, _, _ = data
    assert "GENERATED" not in evaluate(Stub(), dataset, progress=False).summary()
    (Path(dataset.samples[0][0]).parent / NAME).write_text("{}")
    assert "GENERATED data" in evaluate(Stub(), dataset, progress=False).summary()
    assert is_generated(Scenes([], "val", 1))
