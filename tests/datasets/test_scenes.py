import hashlib

import numpy as np
import pytest

from paddleisa.datasets import Scenes


@pytest.fixture(scope="module")
def labels():
    ds = Scenes([], num_images=30)
    return np.stack([ds.read(i)["label"] for i in range(30)])


def test_a_scene_has_the_size_that_was_asked_for():
    sample = Scenes([], num_images=1, height=96, width=160).read(0)
    assert sample["img"].shape == (96, 160, 3) and sample["img"].dtype == np.uint8
    assert sample["label"].shape == (96, 160) and sample["label"].dtype == np.uint8


def test_labels_are_the_same_on_every_machine(labels):
    # Written down on numpy 1.26 and 2.4, x86-64.
    assert hashlib.md5(labels.tobytes()).hexdigest() == "40cc3f9be2ac54230b20a8cb3cfdce83"


def test_every_class_occurs_and_none_rules(labels):
    share = np.bincount(labels.ravel(), minlength=256) / labels.size
    assert share[:8].min() > 0.004 and share.max() < 0.4
    assert share[8:255].sum() == 0 and 0 < share[255] < 0.03


def test_most_scenes_hold_most_classes(labels):
    assert np.mean([len(np.unique(label[label < 255])) for label in labels]) > 6.5


def test_train_val_and_seeds_share_no_picture():
    parts = [Scenes([], mode, 6, seed=seed) for mode in ("train", "val") for seed in (0, 1)]
    pictures = {part.read(i)["img"].tobytes() for part in parts for i in range(6)}
    assert len(pictures) == 24


def test_more_images_continue_fewer():
    few, many = Scenes([], num_images=3), Scenes([], num_images=9)
    np.testing.assert_array_equal(few.read(2)["img"], many.read(2)["img"])
    assert few.samples == many.samples[:3]


def test_the_label_belongs_to_the_picture():
    """Classes look different: the mean colour of sky, road and vegetation tells them apart in nearly all scenes."""
    ds, right = Scenes([], "val", 20), 0
    for i in range(20):
        sample = ds.read(i)
        mean = {c: sample["img"][sample["label"] == c].mean(0) for c in (0, 4, 5) if (sample["label"] == c).sum() > 50}
        green = mean.get(4, np.array([0, 1, 0]))
        right += mean[5].sum() > mean[0].sum() and green[1] > green[2]
    assert right >= 18


def test_names_colours_and_classes_agree():
    ds = Scenes([], num_images=1)
    assert ds.num_classes == 8 == len(ds.class_names) == len(ds.palette)
    assert ds.palette[ds.class_names.index("car")].tolist() == [0, 0, 142]  # Cityscapes' car
