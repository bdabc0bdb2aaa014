"""PNG surgery against Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets import png


def encoded(image, **options):
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.fixture
def data():
    return encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)))


def test_an_intact_file_has_no_damage(data):
    assert png.damage(data) is None


def test_a_file_cut_anywhere_is_truncated(data):
    for end in range(len(png.SIGNATURE), len(data), 7):
        assert "truncated" in png.damage(data[:end])


def test_any_changed_byte_is_damage(data):
    for position in range(8, len(data), 11):
        broken = bytearray(data)
        broken[position] ^= 0x10
        assert png.damage(bytes(broken)) is not None


def test_the_header_tells_size_depth_and_kind():
    image = Image.fromarray(np.zeros((3, 7), np.uint8), "P")
    image.putpalette(bytes(range(12)))
    assert png.header(encoded(image, bits=2)) == (7, 3, 2, png.PALETTE)


def test_a_palette_file_as_grey_holds_its_indices():
    indices = np.random.default_rng(1).integers(0, 256, (20, 33), dtype=np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(bytes(range(256)) * 3)
    grey = Image.open(io.BytesIO(png.as_grey(encoded(image, transparency=3))))
    assert grey.mode == "L"
    np.testing.assert_array_equal(np.asarray(grey), indices)


def test_a_grey_file_as_palette_keeps_indices_and_shows_colours():
    indices = np.random.default_rng(1).integers(0, 4, (20, 33), dtype=np.uint8)
    colours = bytes([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    image = Image.open(io.BytesIO(png.as_palette(encoded(Image.fromarray(indices)), colours)))
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), indices)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.reshape(list(colours), (4, 3))[indices])
