"""Photographs and masks are told apart and paired by names, whatever the layout."""

from pathlib import PurePosixPath

import pytest

from paddleisa.data.prepare.own.find import find_files, name_of, pair
from paddleisa.errors import DataError


def paired(root, *names, **options):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    found = pair(find_files(root, root / "paddleisa"), root, **options)
    return [tuple(path.relative_to(root).as_posix() for path in row) for row in found.pairs], found


@pytest.mark.parametrize(
    "image, mask",
    [
        ("images/a.jpg", "masks/a.png"),
        ("images/a.jpg", "masks/a_mask.png"),
        ("photos/a.jpg", "Labels/a.bmp"),
        ("a.jpg", "a_label.png"),
        ("a.jpg", "a.png"),
        ("train/images/a.jpg", "train/masks/a.png"),
        ("images/train/a.jpg", "labels/train/a.png"),
        ("train/a.jpg", "trainannot/a.png"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
        ("leftImg8bit/val/c/x_leftImg8bit.png", "gtFine/val/c/x_gtFine_labelTrainIds.png"),
        ("s1/image.png", "s1/mask.png"),
        ("img_01.png", "mask_01.png"),
        ("my photos/a b.jpg", "my masks/a b.png"),
    ],
)
def test_a_photograph_and_its_mask_are_a_pair(tmp_path, image, mask):
    assert paired(tmp_path, image, mask)[0] == [(image, mask)]


def test_sub_folders_keep_equal_names_apart(tmp_path):
    names = [f"{kind}/{day}/1.png" for kind in ("images", "masks") for day in ("mon", "tue")]
    assert paired(tmp_path, *names)[0] == [(names[0], names[2]), (names[1], names[3])]


def test_masks_may_lie_flat_beside_images_in_folders(tmp_path):
    names = ["images/mon/1.jpg", "images/tue/2.jpg", "masks/1.png", "masks/2.png"]
    assert paired(tmp_path, *names)[0] == [(names[0], names[2]), (names[1], names[3])]


def test_what_has_no_partner_is_told_and_not_paired(tmp_path):
    _, found = paired(tmp_path, "images/a.jpg", "masks/a.png", "images/b.jpg", "masks/c.png")
    assert [path.name for path in found.without_mask] == ["b.jpg"]
    assert [path.name for path in found.without_image] == ["c.png"]


def test_folders_can_be_named(tmp_path):
    names = ["x/a.png", "y/a.png", "z/a.png"]
    assert paired(tmp_path, *names, images="z", masks="x")[0] == [("z/a.png", "x/a.png")]


def test_two_masks_of_one_name_are_an_error_that_names_both(tmp_path):
    with pytest.raises(DataError, match="two masks share the name 'a'.*--masks"):
        paired(tmp_path, "images/a.jpg", "masks/a.png", "labels/a.png")


def test_nothing_that_pairs_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no image \(1\) and mask \(1\) have the same name"):
        paired(tmp_path, "images/a.jpg", "masks/b.png")


def test_hidden_files_and_what_was_written_before_are_left_out(tmp_path):
    names = ["images/a.jpg", "masks/a.png", "images/._a.jpg", "paddleisa/labels/a.png"]
    assert paired(tmp_path, *names)[0] == [(names[0], names[1])]


@pytest.mark.parametrize("name", ["frame_07.png", "signs.png", "targets.png", "legs_3.jpg"])
def test_words_inside_a_name_do_not_make_a_mask(name):
    assert not name_of(PurePosixPath(name))[0]
