"""Cityscapes and PASCAL VOC on folders built here in their layout."""

import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets import Cityscapes, PascalVOC
from paddleisa.errors import DataError

NAMES = ["aachen/aachen_000001_000019", "aachen/aachen_000000_000019", "ulm/ulm_000000_000019"]


def png(path, value=0, shape=(8, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


@pytest.fixture
def cityscapes(tmp_path):
    for number, name in enumerate(NAMES):
        png(tmp_path / f"leftImg8bit/train/{name}_leftImg8bit.png", number, (8, 16, 3))
        png(tmp_path / f"gtFine/train/{name}_gtFine_labelTrainIds.png", number)
        png(tmp_path / f"gtFine/train/{name}_gtFine_labelIds.png", 33)
    return tmp_path


def test_cityscapes_pairs_by_name_in_order(cityscapes):
    ds = Cityscapes([], str(cityscapes), "train")
    assert [ds.read(i)["img"][0, 0, 0] for i in range(3)] == [1, 0, 2]
    assert [ds.read(i)["label"][0, 0] for i in range(3)] == [1, 0, 2]
    assert ds.num_classes == 19 == len(ds.class_names) == len(ds.palette)


def test_a_missing_label_is_named_and_shifts_nothing(cityscapes):
    for kind in ("labelTrainIds", "labelIds"):
        (cityscapes / f"gtFine/train/{NAMES[0]}_gtFine_{kind}.png").unlink()
    with pytest.raises(DataError, match=rf"{NAMES[0]}_leftImg8bit.png has no label.*Unpack gtFine"):
        Cityscapes([], str(cityscapes), "train")


def test_an_extra_label_is_named(cityscapes):
    png(cityscapes / "gtFine/train/bonn/bonn_000000_000019_gtFine_labelTrainIds.png")
    with pytest.raises(DataError, match=r"has no image bonn/bonn_000000_000019_leftImg8bit.png"):
        Cityscapes([], str(cityscapes), "train")


@pytest.mark.parametrize("removed", [NAMES, NAMES[1:2]])
def test_labels_that_were_not_prepared_name_the_command(cityscapes, removed):
    for name in removed:
        (cityscapes / f"gtFine/train/{name}_gtFine_labelTrainIds.png").unlink()
    with pytest.raises(DataError, match=f"Run: paddleisa prepare cityscapes {cityscapes}"):
        Cityscapes([], str(cityscapes), "train")


def test_the_cityscapes_test_part_has_no_labels(cityscapes):
    png(cityscapes / "leftImg8bit/test/bonn/b_leftImg8bit.png", 0, (8, 16, 3))
    ds = Cityscapes([], str(cityscapes), "test")
    assert len(ds) == 1 and "label" not in ds[0]


def test_a_folder_without_cityscapes_is_named(cityscapes):
    with pytest.raises(DataError, match=r"leftImg8bit/val: there are no images"):
        Cityscapes([], str(cityscapes), "val")
    with pytest.raises(DataError, match="folder does not exist.*leftImg8bit"):
        Cityscapes([], str(cityscapes / "x"), "val")


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    lists = {"train": ["a", "b"], "val": ["c"], "trainval": ["a", "b", "c"], "aug": ["d"]}
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    for name, images in lists.items():
        (root / f"ImageSets/Segmentation/{name}.txt").write_text("\n".join(images) + "\n")
    for value, name in enumerate("abcd"):
        Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(root / f"JPEGImages/{name}.jpg")
        png(root / f"SegmentationClass{'Aug' if name == 'd' else ''}/{name}.png", value)
    return root


@pytest.mark.parametrize(
    "mode, labels", [("train", [0, 1]), ("val", [2]), ("trainval", [0, 1, 2]), ("trainaug", [0, 1, 3])]
)
def test_voc_modes_hold_their_lists_in_order(voc, mode, labels):
    ds = PascalVOC([], str(voc.parent), mode)
    assert [ds.read(i)["label"][0, 0] for i in range(len(ds))] == labels
    assert ds.num_classes == 21 == len(ds.class_names) == len(ds.palette)


def test_trainaug_without_sbd_names_the_command(voc):
    (voc / "ImageSets/Segmentation/aug.txt").unlink()
    with pytest.raises(DataError, match=rf"aug.txt: .*Run: paddleisa prepare voc {voc.parent}"):
        PascalVOC([], str(voc.parent), "trainaug")


def test_a_missing_augmented_label_is_named(voc):
    (voc / "SegmentationClassAug/d.png").unlink()
    with pytest.raises(DataError, match=r"SegmentationClassAug/d.png: .*prepare voc"):
        PascalVOC([], str(voc.parent), "trainaug")


def test_a_missing_voc_list_is_named(voc):
    (voc / "ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(DataError, match="val.txt: the list file does not exist.*Unpack"):
        PascalVOC([], str(voc.parent), "val")
