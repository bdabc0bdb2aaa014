import numpy as np
import pytest

from paddleisa.errors import UsageError
from paddleisa.visual.palette import camvid_palette, cityscapes_palette, generic_palette, palette_for, voc_palette


def test_cityscapes_colours_are_the_official_ones():
    palette = cityscapes_palette()
    assert palette.shape == (19, 3)
    # https://github.com/mcordts/cityscapesScripts, labels.py: road, traffic light, sky, car, bicycle
    assert palette[[0, 6, 10, 13, 18]].tolist() == [
        [128, 64, 128],
        [250, 170, 30],
        [70, 130, 180],
        [0, 0, 142],
        [119, 11, 32],
    ]


def test_voc_colours_are_the_official_ones():
    palette = voc_palette()
    assert palette.shape == (21, 3)
    # background, aeroplane, bicycle, bottle, cat, person, tvmonitor
    assert palette[[0, 1, 2, 5, 8, 15, 20]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 0, 128],
        [64, 0, 0],
        [192, 128, 128],
        [0, 64, 128],
    ]


def test_camvid_has_eleven_colours():
    assert camvid_palette().shape == (11, 3)
    assert camvid_palette()[3].tolist() == [128, 64, 128]  # road


@pytest.mark.parametrize("palette", [cityscapes_palette(), voc_palette(), camvid_palette(), generic_palette(255)])
def test_no_two_classes_share_a_colour(palette):
    assert palette.dtype == np.uint8 and len({tuple(colour) for colour in palette}) == len(palette)


def test_generic_palettes_grow_without_changing_and_hold_no_black():
    np.testing.assert_array_equal(generic_palette(5), generic_palette(255)[:5])
    assert generic_palette(255).any(axis=1).all()


def test_a_palette_is_found_by_name_number_or_data_set():
    class Data:
        palette = np.ones((2, 3), np.uint8)

    np.testing.assert_array_equal(palette_for("voc"), voc_palette())
    assert len(palette_for(7)) == 7 and palette_for(Data()) is Data.palette


@pytest.mark.parametrize(
    "what, message", [("citiscapes", "Did you mean 'cityscapes'"), (0, "1 to 255"), (256, "1 to 255")]
)
def test_a_palette_that_does_not_exist_is_a_clear_error(what, message):
    with pytest.raises(UsageError, match=message):
        palette_for(what)
