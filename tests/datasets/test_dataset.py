import pickle

import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets import Dataset
from paddleisa.errors import ConfigError, DataError
from paddleisa.registry import DATASETS
from paddleisa.transforms import Normalize, Padding, RandomDistort, RandomPaddingCrop, ResizeStepScaling

AUGMENTED = [ResizeStepScaling(0.5, 2.0), RandomPaddingCrop((20, 16)), RandomDistort(), Normalize()]


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        label = rng.integers(0, 4, (24, 32), dtype=np.uint8)
        label[0] = 255
        Image.fromarray(label).save(tmp_path / f"{i}_label.png")
        lines.append(f"{i}.png {i}_label.png")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    return tmp_path


def data(root, transforms=(), **options):
    options = {"num_classes": 4, "train_path": str(root / "list.txt")} | options
    return Dataset(list(transforms), str(root), **options)


def test_reading_gives_the_files_as_they_are(root):
    sample = data(root).read(1)
    np.testing.assert_array_equal(sample["img"], np.asarray(Image.open(root / "1.png")))
    np.testing.assert_array_equal(sample["label"], np.asarray(Image.open(root / "1_label.png")))
    assert (sample["image_path"], sample["label_path"]) == (str(root / "1.png"), str(root / "1_label.png"))


def test_in_training_the_label_follows_the_image(root):
    sample = data(root, [RandomPaddingCrop((40, 30))])[1, 7]
    assert sample["img"].shape == (3, 30, 40) and sample["label"].shape == (30, 40)


def test_in_evaluation_the_label_stays_as_it_is(root):
    sample = data(root, [Padding((40, 30))])[1]
    assert sample["img"].shape == (3, 30, 40) and sample["label"].shape == (24, 32)
    assert sample["trans_info"] == [("padding", (24, 32))]


def same(a, b):
    return all(np.array_equal(a[key], b[key]) for key in ("img", "label"))


def test_a_position_gives_the_same_sample_in_any_process_and_order(root):
    one, other = data(root, AUGMENTED), pickle.loads(pickle.dumps(data(root, AUGMENTED)))
    first = [one[i % 3, i] for i in range(12)]
    for i in (5, 11, 0, 5):
        assert same(first[i], other[i % 3, i])


def test_positions_seeds_and_evaluation_differ(root):
    ds, reseeded = data(root, AUGMENTED), data(root, AUGMENTED)
    reseeded.seed = 1
    samples = [ds[1, 1], ds[1, 2], reseeded[1, 1]]
    assert len({s["img"].tobytes() for s in samples}) == 3
    noisy = [RandomDistort(), Normalize()]
    assert not np.array_equal(data(root, noisy)[1]["img"], data(root, noisy)[1, 1]["img"])


def test_evaluation_is_repeatable(root):
    ds = data(root, [RandomDistort(), Normalize()])
    np.testing.assert_array_equal(ds[2]["img"], ds[2]["img"])
    np.testing.assert_array_equal(ds[-1]["img"], ds[2]["img"])


def test_the_end_of_the_data_is_an_index_error(root):
    assert len(list(data(root))) == 3
    with pytest.raises(IndexError):
        data(root)[3, 0]


def test_lists_may_be_relative_to_the_data_or_to_the_working_folder(root, monkeypatch):
    assert len(data(root, train_path="list.txt")) == 3
    monkeypatch.chdir(root.parent)
    assert len(data(root, train_path=f"{root.name}/list.txt")) == 3


def test_names_and_colours_are_given_or_made_up(root):
    ds = data(root)
    assert ds.class_names == ["0", "1", "2", "3"] and ds.palette.shape == (4, 3) and ds.palette.dtype == np.uint8
    ds = data(root, class_names=list("abcd"), palette=[(1, 2, 3)] * 4)
    assert ds.class_names == list("abcd") and ds.palette.tolist() == [[1, 2, 3]] * 4
    with pytest.raises(ConfigError, match="2 class_names for 4 classes"):
        data(root, class_names=["a", "b"])
    with pytest.raises(ConfigError, match="19 colours for 4 classes"):
        data(root, palette="cityscapes")


def test_it_is_registered_under_paddlesegs_name():
    assert DATASETS.get("Dataset") is Dataset
    assert {"Cityscapes", "PascalVOC", "Scenes"} <= set(DATASETS)


def test_a_list_for_the_mode_is_required(root):
    with pytest.raises(ConfigError, match="mode is 'val' and there is no val_path"):
        data(root, mode="val")


def test_a_test_list_needs_no_labels(root):
    (root / "test.txt").write_text("0.png\n1.png 1_label.png\n")
    ds = data(root, mode="test", test_path=str(root / "test.txt"))
    assert "label" not in ds[0] and "label" in ds[1] and ds.samples[0][1] is None


def test_missing_files_and_folders_are_named(root):
    (root / "1_label.png").unlink()
    with pytest.raises(DataError, match=r"1_label.png: is not there. .*list.txt; names are relative to"):
        data(root)
    with pytest.raises(DataError, match="nirgends: the data set's folder does not exist"):
        Dataset([], str(root / "nirgends"), 4, train_path="x")


def test_a_label_of_another_size_is_refused_with_both_sizes(root):
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(root / "1_label.png")
    with pytest.raises(DataError, match=r"1_label.png: the label is 12x10 pixels, the image .*1.png is 32x24"):
        data(root).read(1)


def turn(root, number, orientation, size=None):
    """Save image ``number`` as a JPEG that an EXIF tag turns."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(root / f"{number}.png")
    (image if size is None else image.resize(size)).save(root / f"{number}.jpg", exif=exif)
    (root / "list.txt").write_text((root / "list.txt").read_text().replace(f"{number}.png", f"{number}.jpg"))


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_an_orientation_that_the_label_may_not_follow_is_refused(root, orientation):
    turn(root, 1, orientation)
    with pytest.raises(DataError, match=r"1\.jpg: the image is .* by its EXIF tag; whether the label .* follows"):
        data(root).read(1)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_square_image_that_is_turned_is_refused(root, orientation):
    turn(root, 1, orientation, (24, 24))
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(root / "1_label.png")
    with pytest.raises(DataError, match="Save the image upright"):
        data(root).read(1)


@pytest.mark.parametrize("orientation", [6, 8])
def test_an_image_turned_by_90_degrees_is_read_where_the_label_is_upright(root, orientation):
    turn(root, 1, orientation, (24, 32))
    sample = data(root).read(1)
    assert sample["img"].shape[:2] == sample["label"].shape == (24, 32)


def test_a_turned_label_hints_at_exif(root):
    Image.fromarray(np.zeros((32, 24), np.uint8)).save(root / "1_label.png")
    with pytest.raises(DataError, match="EXIF"):
        data(root).read(1)


@pytest.mark.parametrize(
    "value, options, message",
    [
        (4, {}, r"value 4, but there are 4 classes, 0 to 3, .*num_classes is 5; .*reduce_zero_label"),
        (200, {}, r"value 200.*Map the labels"),
        (3, {"ignore_index": 0}, r"value 255.*set ignore_index: 255"),
    ],
)
def test_a_label_value_that_is_no_class_is_refused_with_the_likely_cause(root, value, options, message):
    label = np.array(Image.open(root / "2_label.png"))
    label[5, 5] = value
    Image.fromarray(label).save(root / "2_label.png")
    with pytest.raises(DataError, match=rf"2_label.png: the label holds {message}"):
        data(root, **options).read(2)
