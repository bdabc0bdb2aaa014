import numpy as np
import pytest

from paddleisa.datasets import Cityscapes, PascalVOC
from paddleisa.datasets.classes import named_palettes, palette_of
from paddleisa.errors import ConfigError, UsageError
from paddleisa.visual.palette import PALETTES, generic_palette

CAMVID = PALETTES["camvid"]


def test_cityscapes_colours_are_the_official_ones():
    palette = Cityscapes.palette
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
    palette = PascalVOC.palette
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
    assert CAMVID.shape == (11, 3)
    assert CAMVID[3].tolist() == [128, 64, 128]  # road


@pytest.mark.parametrize("palette", [Cityscapes.palette, PascalVOC.palette, CAMVID, generic_palette(255)])
def test_no_two_classes_share_a_colour(palette):
    assert palette.dtype == np.uint8 and len({tuple(colour) for colour in palette}) == len(palette)


def test_generic_palettes_grow_without_changing_and_hold_no_black():
    np.testing.assert_array_equal(generic_palette(5), generic_palette(255)[:5])
    assert generic_palette(255).any(axis=1).all()


def test_the_palettes_of_all_data_sets_go_by_their_names():
    palettes = named_palettes()
    assert {"ade20k", "camvid", "cityscapes", "scenes", "voc"} <= palettes.keys()
    np.testing.assert_array_equal(palette_of("voc", 21), PascalVOC.palette)
    assert len(palette_of(None, 7)) == 7


def test_a_palette_that_does_not_exist_is_a_clear_error():
    with pytest.raises(ConfigError, match="Did you mean 'cityscapes'"):
        palette_of("citiscapes", 19)


@pytest.mark.parametrize("number", [0, 256])
def test_a_number_of_classes_without_a_palette_is_a_clear_error(number):
    with pytest.raises(UsageError, match="1 to 255"):
        generic_palette(number)
