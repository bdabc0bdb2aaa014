"""Every kind of image and label that people have: right as Pillow sees it, or refused with the cure."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from paddleisa.datasets.images import decode_image, decode_label, decode_turned, read_image, read_label
from paddleisa.errors import DataError, UsageError
from paddleisa.utils.memory import MAX_PIXELS

RNG = np.random.default_rng(0)
SMOOTH = Image.fromarray(RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((45, 30), Image.BICUBIC)
IDS = RNG.integers(0, 200, (30, 45), dtype=np.uint8)
BITS = RNG.integers(0, 2, (30, 45), dtype=np.uint8)


def encoded(image, fmt, **options):
    stream = io.BytesIO()
    image.save(stream, fmt, **options)
    return stream.getvalue()


def with_palette(ids):
    image = Image.fromarray(ids).convert("L")
    image.putpalette(RNG.integers(0, 256, 768, dtype=np.uint8).tobytes())
    return image


RGB_KINDS = {
    "png grey": ("L", "PNG", {}),
    "png grey and alpha": ("LA", "PNG", {}),
    "png rgba": ("RGBA", "PNG", {}),
    "png one bit": ("1", "PNG", {}),
    "png palette": ("P", "PNG", {}),
    "tiff": ("RGB", "TIFF", {}),
    "tiff lzw": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "tiff one bit fax": ("1", "TIFF", {"compression": "group4"}),
    "tiff palette": ("P", "TIFF", {}),
    "tiff grey and alpha": ("LA", "TIFF", {}),
    "tiff rgba": ("RGBA", "TIFF", {}),
    "tiff cmyk": ("CMYK", "TIFF", {}),
    "jpeg cmyk": ("CMYK", "JPEG", {"quality": 98}),
    "jpeg grey": ("L", "JPEG", {"quality": 98}),
    "bmp grey": ("L", "BMP", {}),
    "bmp one bit": ("1", "BMP", {}),
    "bmp palette": ("P", "BMP", {}),
    "webp": ("RGB", "WEBP", {"lossless": True}),
    "webp rgba": ("RGBA", "WEBP", {"lossless": True}),
    "ppm": ("RGB", "PPM", {}),
    "pgm": ("L", "PPM", {}),
}


@pytest.mark.parametrize("kind", RGB_KINDS)
def test_an_image_of_any_kind_is_the_rgb_that_pillow_sees(kind):
    mode, fmt, options = RGB_KINDS[kind]
    data = encoded(SMOOTH.convert(mode), fmt, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    img = decode_image(data, kind)
    assert img.dtype == np.uint8 and img.flags.c_contiguous
    assert np.abs(img - expected).max() <= (3 if fmt == "JPEG" else 0)


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_of_16_bits_the_upper_8_are_kept_in_every_kind(fmt, channels):
    deep = RNG.integers(0, 65536, (6, 7, channels)).astype(np.uint16)
    data = cv2.imencode(f".{fmt.lower()}", deep)[1].tobytes()
    upper = np.repeat(deep, 3, 2) if channels == 1 else deep[..., 2::-1]
    np.testing.assert_array_equal(decode_image(data, "a"), upper // 256)


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_16_bits_that_hold_fewer_are_refused_with_the_cure(fmt, bits):
    deep = (RNG.integers(0, 2**bits, (30, 40)) | 2 ** (bits - 1)).astype(np.uint16)
    with pytest.raises(DataError, match=rf"none above \d+, as if they held {bits}\. Stretch its values"):
        decode_image(encoded(Image.fromarray(deep), fmt), "a")


def test_16_bits_of_black_alone_are_black():
    assert not decode_image(encoded(Image.fromarray(np.zeros((4, 5), np.uint16)), "PNG"), "a").any()


FLOATS = {
    "grey": encoded(Image.fromarray(np.asarray(SMOOTH.convert("L"), np.float32)), "TIFF"),
    "32-bit": encoded(Image.fromarray(np.asarray(SMOOTH.convert("L"), np.int32)), "TIFF"),
    "rgb": cv2.imencode(".tiff", np.asarray(SMOOTH, np.float32) / 255)[1].tobytes(),
    "lab": encoded(SMOOTH.convert("LAB"), "TIFF"),
}


@pytest.mark.parametrize("kind", FLOATS)
def test_values_without_a_known_range_are_refused_with_the_cure(kind):
    with pytest.raises(DataError, match="Convert it to 8-bit RGB"):
        decode_image(FLOATS[kind], "a.tif")


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_every_orientation_is_undone_in_every_format(fmt, number):
    exif = Image.Exif()
    exif[0x0112] = number
    data = encoded(SMOOTH, fmt, exif=exif, **({"lossless": True} if fmt == "WEBP" else {}))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    img, turned = decode_turned(data, "a")
    assert turned == number and img.shape == expected.shape
    assert np.abs(img.astype(int) - expected).max() <= (3 if fmt == "JPEG" else 0)


def test_damaged_exif_does_no_harm():
    data = encoded(SMOOTH, "PNG", exif=b"Exif\0\0nonsense")
    np.testing.assert_array_equal(decode_image(data, "a"), SMOOTH)


LABELS = {
    "png grey": encoded(Image.fromarray(IDS), "PNG"),
    "png palette": encoded(with_palette(IDS), "PNG"),
    "bmp palette": encoded(with_palette(IDS), "BMP"),
    "bmp grey": encoded(Image.fromarray(IDS), "BMP"),
    "tiff grey": encoded(Image.fromarray(IDS), "TIFF"),
    "tiff lzw": encoded(Image.fromarray(IDS), "TIFF", compression="tiff_lzw"),
    "tiff palette": encoded(with_palette(IDS), "TIFF"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_a_label_of_any_kind_gives_the_stored_numbers(kind):
    label = decode_label(LABELS[kind], kind)
    assert label.dtype == np.uint8 and label.flags.c_contiguous
    np.testing.assert_array_equal(label, IDS)


@pytest.mark.parametrize("fmt, options", [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"})])
def test_a_one_bit_label_of_any_format_gives_zeros_and_ones(fmt, options):
    np.testing.assert_array_equal(
        decode_label(encoded(Image.fromarray(BITS * 255).convert("1"), fmt, **options), "a"), BITS
    )


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_gives_the_stored_numbers(bits):
    ids = IDS % 2**bits
    rows = b"".join(
        b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, -bits:].ravel()).tobytes() for row in ids
    )
    np.testing.assert_array_equal(decode_label(png(45, 30, bits, 0, zlib.compress(rows)), "a"), ids)


def png(width, height, bits, kind, pixels):
    """A PNG chunk by chunk, for files that no library writes."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)),
        (b"IDAT", pixels),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


NO_LABELS = {
    "palette indices, but no palette": png(45, 30, 8, 3, zlib.compress(b"".join(b"\0" + r.tobytes() for r in IDS))),
    "grey and alpha": encoded(SMOOTH.convert("LA"), "PNG"),
    "RGBA": encoded(SMOOTH.convert("RGBA"), "PNG"),
    "CMYK": encoded(SMOOTH.convert("CMYK"), "TIFF"),
    "16 bits": encoded(Image.fromarray(IDS.astype(np.uint16)), "TIFF"),
    "32 bits": encoded(Image.fromarray(IDS.astype(np.float32)), "TIFF"),
    "may not keep class ids": encoded(Image.fromarray(IDS).convert("RGB"), "WEBP"),
    "compression changes class ids": encoded(Image.fromarray(IDS), "JPEG"),
    "counts from white": encoded(Image.fromarray(IDS), "TIFF", tiffinfo={262: 0}),
    "says that it is turned by 180 degrees": encoded(Image.fromarray(IDS), "TIFF", tiffinfo={274: 3}),
}


@pytest.mark.parametrize("reason", NO_LABELS)
def test_what_is_no_label_is_refused_with_the_reason(reason):
    with pytest.raises(DataError, match=rf"{reason}.*A label is an 8-bit PNG"):
        decode_label(NO_LABELS[reason], "a")


BOMB = png(30_000, 30_000, 1, 0, zlib.compress(b"\0" * 100))


@pytest.mark.parametrize("read", [read_image, read_label])
def test_a_small_file_of_many_pixels_is_refused_by_its_header(tmp_path, read):
    (tmp_path / "a.png").write_bytes(BOMB)
    with pytest.raises(DataError, match=r"30000x30000 pixels, more than 200,000,000.*PADDLEISA_MAX_PIXELS=900000000"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM"])
def test_the_bound_on_pixels_can_be_set_for_every_format(monkeypatch, fmt):
    data = encoded(SMOOTH, fmt)
    monkeypatch.setenv(MAX_PIXELS, str(45 * 30 - 1))
    with pytest.raises(DataError, match="45x30 pixels, more than 1,349"):
        decode_image(data, "a")
    monkeypatch.setenv(MAX_PIXELS, str(45 * 30))
    assert decode_image(data, "a").shape == (30, 45, 3)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e6", "²"])
def test_a_bound_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(MAX_PIXELS, text)
    with pytest.raises(UsageError, match=f"{MAX_PIXELS}: '{text}' is not a number from 1"):
        decode_image(encoded(SMOOTH, "PNG"), "a")


def test_a_higher_bound_goes_beyond_pillows_own(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode_image(encoded(SMOOTH, "PNG"), "a").shape == (30, 45, 3)


@pytest.mark.parametrize("decode", [decode_image, decode_label])
def test_a_tiff_that_says_more_rows_than_it_holds_is_refused(decode):
    data = bytearray(encoded(Image.fromarray(IDS), "TIFF"))
    entry = data.index(struct.pack("<HH", 257, 4))  # ImageLength, a long
    data[entry + 8 : entry + 12] = struct.pack("<I", 100_000)
    with pytest.raises(DataError, match="more rows than it holds"):
        decode(bytes(data), "a.tif")


@pytest.mark.parametrize("decode", [decode_image, decode_label])
def test_damage_is_found_whoever_read_the_bytes(decode):
    data = bytearray(LABELS["png grey"])
    data[-20] ^= 1
    with pytest.raises(DataError, match="a checksum is wrong"):
        decode(bytes(data), "a.png")


SEEDS = [encoded(SMOOTH.convert(mode), fmt, **options) for mode, fmt, options in RGB_KINDS.values()]
SEEDS += [*LABELS.values(), *FLOATS.values(), BOMB, *NO_LABELS.values()]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's words on damaged TIFFs
@fuzz(300)
@given(st.data())
def test_damaged_bytes_are_a_data_error_or_an_image(data):
    damaged = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for decode, dimensions in ((decode_image, 3), (decode_label, 2)):
        try:
            found = decode(damaged, "a")
        except DataError as error:
            assert str(error).startswith("a: ")
        else:
            assert found.ndim == dimensions and found.dtype == np.uint8
