import numpy as np

from paddleisa.visual import colorize, contact_sheet, legend, overlay

PALETTE = np.array([[10, 20, 30], [200, 100, 0], [0, 255, 0]], np.uint8)
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
MASK = RNG.integers(0, 3, (9, 7))


def test_each_class_has_its_colour_and_other_ids_the_given_one():
    mask = MASK.copy()
    mask[0, 0], mask[0, 1] = 255, 7
    picture = colorize(mask, PALETTE, other=(1, 2, 3))
    for y, x in np.ndindex(mask.shape):
        assert picture[y, x].tolist() == ([1, 2, 3] if mask[y, x] > 2 else PALETTE[mask[y, x]].tolist())


def test_an_overlay_mixes_image_and_colour():
    expected = 0.7 * IMAGE + 0.3 * PALETTE[MASK]
    assert np.abs(overlay(IMAGE, MASK, PALETTE, alpha=0.3) - expected).max() <= 0.5 + 1e-6


def test_ids_without_a_colour_show_the_image():
    mask = np.where(MASK == 1, 255, MASK)
    picture = overlay(IMAGE, mask, PALETTE)
    np.testing.assert_array_equal(picture[mask == 255], IMAGE[mask == 255])


def test_alpha_of_zero_is_the_image_and_one_the_colours():
    np.testing.assert_array_equal(overlay(IMAGE, MASK, PALETTE, 0), IMAGE)
    np.testing.assert_array_equal(overlay(IMAGE, MASK, PALETTE, 1), PALETTE[MASK])


def test_the_arguments_are_not_changed():
    image, mask = IMAGE.copy(), MASK.copy()
    overlay(image, mask, PALETTE)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


def test_a_legend_shows_every_colour_and_some_text():
    strip = legend(PALETTE, ["road", "straße", "tree"], width=120, row_height=20)
    assert strip.shape == (60, 120, 3)
    for row, colour in enumerate(PALETTE):
        assert strip[row * 20 + 10, 10].tolist() == colour.tolist()
        assert (strip[row * 20 : row * 20 + 20, 30:] < 128).any()


def test_a_contact_sheet_places_every_picture():
    sheet = contact_sheet([[IMAGE, IMAGE[:4]], [IMAGE[:, :3]]], gap=2, colour=(5, 5, 5))
    assert sheet.shape == (2 + 2 * 11, 2 + 2 * 9, 3)
    np.testing.assert_array_equal(sheet[2:11, 2:9], IMAGE)
    np.testing.assert_array_equal(sheet[2:6, 11:18], IMAGE[:4])
    np.testing.assert_array_equal(sheet[13:22, 2:5], IMAGE[:, :3])
    assert (sheet[13:22, 11:18] == 5).all()
