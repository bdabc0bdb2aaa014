"""Reading and writing against Pillow; every kind of unusable file has its own message."""

import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets.images import damage, read_image, read_label, write_image, write_label
from paddleisa.errors import DataError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (30, 45, 3), dtype=np.uint8)
IDS = RNG.integers(0, 21, (30, 45), dtype=np.uint8)


def saved(tmp_path, array, name="a.png", mode=None, **options):
    image = Image.fromarray(array) if mode is None else Image.fromarray(array, mode)
    if mode == "P":
        image.putpalette(np.arange(768).astype(np.uint8).tobytes())
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "straße 街.png"])
def test_an_image_is_read_as_rgb(tmp_path, name):
    img = read_image(saved(tmp_path, RGB, name))
    assert img.dtype == np.uint8
    np.testing.assert_array_equal(img, RGB)


def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path):
    smooth = np.asarray(Image.fromarray(RGB[:4, :5]).resize((45, 30), Image.BICUBIC))
    path = saved(tmp_path, smooth, "a.jpg", quality=95)
    assert np.abs(read_image(path).astype(int) - np.asarray(Image.open(path))).max() <= 3


def test_grey_and_transparent_images_become_rgb(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path, IDS)), np.repeat(IDS[..., None], 3, 2))
    rgba = np.concatenate([RGB, IDS[..., None]], -1)
    np.testing.assert_array_equal(read_image(saved(tmp_path, rgba)), RGB)


def test_of_16_bits_the_upper_8_are_kept(tmp_path):
    deep = RNG.integers(0, 65536, (6, 7)).astype(np.uint16)
    assert np.abs(read_image(saved(tmp_path, deep))[..., 0].astype(int) - deep // 256).max() <= 1


def test_an_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    assert read_image(saved(tmp_path, RGB, "a.jpg", exif=exif)).shape == (45, 30, 3)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_label_gives_its_indices_at_any_bit_depth(tmp_path, bits):
    ids = (IDS.astype(int) % 2**bits).astype(np.uint8)
    path = saved(tmp_path, ids, mode="P", bits=bits)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), ids)
    np.testing.assert_array_equal(read_label(path), ids)


def test_palette_transparency_and_interlacing_do_not_matter(tmp_path):
    path = saved(tmp_path, IDS, mode="P", transparency=5, gamma=0.3)
    np.testing.assert_array_equal(read_label(path), IDS)


def test_a_grey_label_gives_its_values(tmp_path):
    np.testing.assert_array_equal(read_label(saved(tmp_path, IDS)), IDS)


def test_a_one_bit_label_gives_zeros_and_ones(tmp_path):
    Image.fromarray(IDS % 2 * 255).convert("1").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), IDS % 2)


def test_a_written_label_reads_back_and_shows_its_palette(tmp_path):
    palette = RNG.integers(0, 256, (21, 3), dtype=np.uint8)
    write_label(tmp_path / "p.png", IDS, palette)
    write_label(tmp_path / "g.png", IDS)
    np.testing.assert_array_equal(read_label(tmp_path / "p.png"), IDS)
    np.testing.assert_array_equal(read_label(tmp_path / "g.png"), IDS)
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), palette[IDS])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "p.png").convert("RGB")), palette[IDS])


def test_a_written_image_reads_back(tmp_path):
    write_image(tmp_path / "neu" / "bild ü.png", RGB)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "neu" / "bild ü.png")), RGB)


@pytest.mark.parametrize("name", ["a.xyz", "a"])
def test_an_unknown_format_cannot_be_written(tmp_path, name):
    with pytest.raises(DataError, match="Use .png or .jpg"):
        write_image(tmp_path / name, RGB)


def test_class_ids_are_not_written_as_jpeg(tmp_path):
    with pytest.raises(DataError, match="ends with .png"):
        write_label(tmp_path / "a.jpg", IDS)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.98])
def test_a_truncated_file_is_refused(tmp_path, name, part):
    path = saved(tmp_path, RGB, name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(DataError, match=r"truncated|not an image"):
        read_image(path)


def test_a_truncated_progressive_jpeg_with_a_thumbnail_is_refused(tmp_path):
    thumbnail = saved(tmp_path, RGB[:8, :8], "t.jpg").read_bytes()
    data = saved(tmp_path, RGB, "a.jpg", progressive=True).read_bytes()
    app = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    (tmp_path / "b.jpg").write_bytes(data[:2] + app + data[2:])
    assert read_image(tmp_path / "b.jpg").shape == RGB.shape
    (tmp_path / "b.jpg").write_bytes((data[:2] + app + data[2:])[:-60])
    with pytest.raises(DataError, match="truncated"):
        read_image(tmp_path / "b.jpg")


def test_a_damaged_label_is_refused(tmp_path):
    path = saved(tmp_path, IDS)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="checksum.*Copy or download"):
        read_label(path)


@pytest.mark.parametrize(
    "content, message",
    [(b"", "empty"), (b"<!DOCTYPE html><html>404</html>", "HTML page"), (b"not an image at all", "Formats that work")],
)
def test_what_is_no_image_says_what_it_is(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    for read in (read_image, read_label):
        with pytest.raises(DataError, match=message):
            read(tmp_path / "a.png")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match="weg.png: there is no such file"):
        read_image(tmp_path / "weg.png")
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path)


def test_labels_that_hold_no_class_ids_are_refused_with_the_reason(tmp_path):
    cases = {
        "RGB image": saved(tmp_path, RGB, "rgb.png"),
        "RGBA image": saved(tmp_path, np.concatenate([RGB, IDS[..., None]], -1), "rgba.png"),
        "16 bits": saved(tmp_path, IDS.astype(np.uint16), "deep.png"),
        "JPEG, whose compression": saved(tmp_path, IDS, "a.jpg"),
        "an RGB image, not class ids": saved(tmp_path, RGB, "a.bmp"),
    }
    for message, path in cases.items():
        with pytest.raises(DataError, match=message) as error:
            read_label(path)
        assert "8-bit PNG" in str(error.value) and path.name in str(error.value)


def test_a_file_cut_anywhere_is_truncated(tmp_path):
    data = saved(tmp_path, IDS).read_bytes()
    assert damage(data) is None
    for end in range(8, len(data), 7):
        assert "truncated" in damage(data[:end])


def test_any_changed_byte_is_damage(tmp_path):
    data = saved(tmp_path, IDS).read_bytes()
    for position in range(8, len(data), 11):
        broken = bytearray(data)
        broken[position] ^= 0x10
        assert damage(bytes(broken)) is not None
