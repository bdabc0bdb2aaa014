"""Masks of every kind become the class ids that they mean."""

import numpy as np
import pytest
from PIL import Image

from paddleisa.data.prepare.own.masks import masks_in, read_table
from paddleisa.errors import DataError, UsageError

IDS = np.array([[0, 1, 2, 2], [0, 1, 1, 2]], np.uint8)
COLOURS = np.array([[0, 0, 0], [200, 10, 10], [10, 10, 200]], np.uint8)


def found(tmp_path, *masks, table=None, **options):
    """The annotations of masks, and the class ids of each."""
    pairs = []
    for number, mask in enumerate(masks):
        path = tmp_path / f"{number}.png"
        (mask if isinstance(mask, Image.Image) else Image.fromarray(mask)).save(path, **options)
        pairs.append((tmp_path / f"{number}.jpg", path))
    if table is not None:
        (tmp_path / "table.txt").write_text(table)
        table = read_table(tmp_path / "table.txt")
    result = masks_in(pairs, table, lambda paths: paths)
    return result, [result.read(number) for number in range(len(masks))]


def palette_png(ids):
    image = Image.fromarray(ids)
    image.putpalette(COLOURS.tobytes())
    return image


def test_class_ids_stay(tmp_path):
    result, (ids,) = found(tmp_path, IDS)
    np.testing.assert_array_equal(ids, IDS)
    assert result.names == ["background", "class_1", "class_2"]


def test_palette_pngs_keep_ids_and_colours(tmp_path):
    result, (ids,) = found(tmp_path, palette_png(IDS))
    np.testing.assert_array_equal(ids, IDS)
    np.testing.assert_array_equal(result.palette, COLOURS)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_black_and_white_is_two_classes(tmp_path, mode):
    result, (ids,) = found(tmp_path, Image.fromarray(np.where(IDS == 1, 255, 0).astype(np.uint8)).convert(mode))
    np.testing.assert_array_equal(ids, IDS == 1)
    assert len(result.classes) == 2


def test_255_beside_classes_is_ignored(tmp_path):
    result, (ids,) = found(tmp_path, np.where(IDS == 2, 255, IDS).astype(np.uint8))
    np.testing.assert_array_equal(ids, np.where(IDS == 2, 255, IDS))
    assert len(result.classes) == 2 and "255 is ignored" in result.notes


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_numbers_with_gaps_are_counted_and_told(tmp_path, kind):
    result, (ids,) = found(tmp_path, np.array([0, 100, 200], kind)[IDS])
    np.testing.assert_array_equal(ids, IDS)
    assert any("100 becomes 1, 200 becomes 2" in note for note in result.notes)


def test_colours_without_a_table_are_black_first_and_then_the_commonest(tmp_path):
    result, (ids,) = found(tmp_path, COLOURS[[[2, 0, 1, 1]]])
    assert result.names == ["background", "colour_c80a0a", "colour_0a0ac8"]
    assert ids.tolist() == [[2, 0, 1, 1]]


def test_a_table_says_the_order_and_other_colours_are_ignored_and_told(tmp_path):
    table = "# mine\nsea 10 10 200\nroof, #c80a0a\n"
    result, (ids,) = found(tmp_path, COLOURS[IDS], table=table)
    np.testing.assert_array_equal(ids, np.array([255, 1, 0])[IDS])
    assert result.names == ["sea", "roof"] and any("#000000" in note and "25 %" in note for note in result.notes)


def test_cvats_table_is_read(tmp_path):
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nmy car:200,10,10::\n")
    assert read_table(tmp_path / "labelmap.txt") == [("background", (0, 0, 0)), ("my car", (200, 10, 10))]


def test_names_alone_name_numbers(tmp_path):
    result, (ids,) = found(tmp_path, IDS, table="ground\nwall\nsky\n")
    assert result.names == ["ground", "wall", "sky"] and ids.max() == 2


def test_the_colours_of_a_known_data_set_bring_its_order_and_names(tmp_path):
    from paddleisa.datasets import Cityscapes

    result, (ids,) = found(tmp_path, Cityscapes.palette[[[0, 13], [11, 10]]])
    assert result.names == Cityscapes.class_names and ids.tolist() == [[0, 13], [11, 10]]


def test_all_masks_together_decide(tmp_path):
    result, ids = found(tmp_path, COLOURS[[[1, 1]]], COLOURS[[[0, 2]]])
    assert len(result.classes) == 3 and ids[0].tolist() == [[1, 1]] and ids[1].tolist() == [[0, 2]]


def test_photographs_are_no_masks(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    with pytest.raises(DataError, match="more than 255 colours.*--classes"):
        found(tmp_path, noise)
    Image.fromarray(noise).save(tmp_path / "m.jpg")
    with pytest.raises(DataError, match="m.jpg: the mask is a JPEG.*PNG"):
        masks_in([(tmp_path / "x", tmp_path / "m.jpg")], None, lambda paths: paths)


def test_masks_of_several_kinds_are_told(tmp_path):
    with pytest.raises(DataError, match="several kinds: numbers .*0.png.*, colours .*1.png"):
        found(tmp_path, IDS, COLOURS[IDS])


@pytest.mark.parametrize("text", ["", "a 1 2 3\na 4 5 6\n", "a 1 2 3\nb 1 2 3\n", "a 300 2 3\n"])
def test_a_table_that_says_nothing_or_two_things_is_refused(tmp_path, text):
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(UsageError, match="t.txt"):
        read_table(tmp_path / "t.txt")
