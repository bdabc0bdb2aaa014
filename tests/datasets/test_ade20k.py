"""ADE20K on a folder built here in its layout."""

import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets import ADE20K
from paddleisa.errors import DataError


@pytest.fixture
def root(tmp_path):
    for part, names in (("training", "ba"), ("validation", "c")):
        for number, name in enumerate(names):
            image, label = tmp_path / "images" / part / f"{name}.jpg", tmp_path / "annotations" / part / f"{name}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            label.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 6, 3), number * 40, np.uint8)).save(image)
            Image.fromarray(np.array([[0, 1, 2, 3, 149, 150]] * 4, np.uint8)).save(label)
    return tmp_path


@pytest.mark.parametrize("mode, names", [("train", ["a", "b"]), ("val", ["c"])])
def test_images_and_labels_are_paired_in_the_order_of_their_names(root, mode, names):
    ds = ADE20K([], str(root), mode)
    assert [path.rpartition("/")[2] for path, _ in ds.samples] == [f"{name}.jpg" for name in names]
    assert [path.rpartition("/")[2] for _, path in ds.samples] == [f"{name}.png" for name in names]


def test_what_is_ignored_in_a_file_stays_ignored(root):
    Image.fromarray(np.array([[0, 1, 255, 255, 149, 150]] * 4, np.uint8)).save(root / "annotations/training/a.png")
    assert ADE20K([], str(root))[0]["label"][0].tolist() == [255, 0, 255, 255, 148, 149]


@pytest.mark.parametrize("key", [0, (0, 3)], ids=["evaluation", "training"])
def test_classes_count_from_zero_and_what_was_zero_is_ignored(root, key):
    sample = ADE20K([], str(root))[key]
    assert sample["label"].dtype == np.uint8
    assert sample["label"][0].tolist() == [255, 0, 1, 2, 148, 149]


def test_there_are_150_classes_with_names_and_colours():
    assert ADE20K.num_classes == 150 == len(ADE20K.class_names) == len(ADE20K.palette)
    assert len(set(ADE20K.class_names)) == 150 == 1 + len({tuple(colour) for colour in ADE20K.palette})
    # objectInfo150.txt and color150.mat of the benchmark: first, 13th (person), last.
    assert [ADE20K.class_names[i] for i in (0, 12, 149)] == ["wall", "person", "flag"]
    assert ADE20K.palette[[0, 12, 149]].tolist() == [[120, 120, 120], [150, 5, 61], [92, 0, 255]]


def test_a_label_above_150_is_refused(root):
    Image.fromarray(np.full((4, 6), 151, np.uint8)).save(root / "annotations/training/a.png")
    with pytest.raises(DataError, match="holds value 151, but .*150 classes, 1 to 150, and 0 and 255 are ignored"):
        ADE20K([], str(root))[0]


@pytest.mark.parametrize(
    "lost, message",
    [("annotations/training/a.png", "a.jpg has no label"), ("images/training/b.jpg", "has no image b.jpg")],
)
def test_a_missing_file_is_named_and_shifts_nothing(root, lost, message):
    (root / lost).unlink()
    with pytest.raises(DataError, match=message):
        ADE20K([], str(root))


def test_a_folder_without_the_data_is_named(root):
    with pytest.raises(DataError, match="folder does not exist.*ADEChallengeData2016"):
        ADE20K([], str(root / "x"))
    (root / "images/validation/c.jpg").unlink()
    with pytest.raises(DataError, match="there are no images .*.jpg.*Unpack"):
        ADE20K([], str(root), "val")
