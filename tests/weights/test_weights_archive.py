"""Archives: what is honest is read, what is hostile writes nothing outside, and nothing at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import stat
import struct
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from peak_memory import growth_of

from paddleisa.errors import WeightsError
from paddleisa.weights import extract_archive, read_archive

STATE = pickle.dumps({"w": np.arange(5, dtype=np.float32)}, protocol=2)
MODEL = "resnet50_vd_ssld_v2/model.pdparams"
OUTSIDE = Path(tempfile.gettempdir(), "evil")  # an absolute path that could be written to


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w", **options) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, **options) as file:
        for info, data in members:
            file.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def zipped(*members: tuple[str, bytes], mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, method
            file.writestr(info, data)
    return stream.getvalue()


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


def encrypted_zip() -> bytes:
    data = bytearray(zipped(("a", b"1")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def zeros(compress, megabytes: int, name: str = MODEL) -> bytes:
    """A tar of one member of zeros, compressed to a thousandth."""
    return compress(tar(member(name, bytes(megabytes << 20))))


def pax(size: int, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A tar whose extended header is ``size`` bytes long."""
    return tar((member("x", bytes(size), kind)), member("a", b"1"), format=tarfile.GNU_FORMAT)


def sparse() -> bytes:
    """A member of the old GNU sparse type that declares a terabyte."""
    info, _ = member("a")
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[:512])
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"%011o\0" % (1 << 32)
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


HOSTILE_TARS = {
    "parent_folder": (lambda: tar(member("../evil", b"1")), "written elsewhere"),
    "parent_folder_within": (lambda: tar(member("a/../../evil", b"1")), "written elsewhere"),
    "absolute": (lambda: tar(member(str(OUTSIDE), b"1")), "written elsewhere"),
    "backslash": (lambda: tar(member("..\\evil", b"1")), "written elsewhere"),
    "drive": (lambda: tar(member("C:evil", b"1")), "written elsewhere"),
    "control_characters": (lambda: tar(member("a\x1b[2J", b"1")), "unusable name"),
    "symlink": (lambda: tar(member("a", kind=tarfile.SYMTYPE, link="/etc")), "holds a link"),
    "symlink_and_file_through_it": (
        lambda: tar(member("a", kind=tarfile.SYMTYPE, link=".."), member("a/evil", b"1")),
        "holds a link",
    ),
    "hard_link": (lambda: tar(member("a", kind=tarfile.LNKTYPE, link="/etc/passwd")), "holds a link"),
    "device": (lambda: tar(member("a", kind=tarfile.CHRTYPE)), "holds a device"),
    "pipe": (lambda: tar(member("a", kind=tarfile.FIFOTYPE)), "holds a device or pipe"),
    "sparse": (sparse, "holds a sparse file"),
    "long_header": (lambda: gzip.compress(pax(30 << 20)), "absurd size"),
    "long_name": (lambda: gzip.compress(pax(30 << 20, tarfile.GNUTYPE_LONGNAME)), "absurd size"),
    "headers_in_headers": (lambda: tar(*[member("x", b"a\0", tarfile.GNUTYPE_LONGNAME)] * 3000), "damaged|end mark"),
    "hostile_after_an_honest_one": (lambda: tar(member("b", b"1"), member("../evil", b"1")), "written elsewhere"),
}
DAMAGED_TARS = {
    "truncated": (lambda: tar(member(MODEL, STATE * 50))[:2000], "truncated|damaged|end mark|ends before"),
    "without_end": (lambda: tar(member(MODEL, STATE))[: 512 + (len(STATE) + 511) // 512 * 512], "end mark"),
    "truncated_gzip": (lambda: gzip.compress(tar(member(MODEL, os.urandom(9999))))[:5000], "damaged|ends before"),
    "gzip_checksum": (lambda: gzip.compress(tar(member("a", STATE)))[:-8] + b"\0" * 8, "damaged"),
    "gzip_of_something_else": (lambda: gzip.compress(b"<html>" * 500), "damaged"),
    "broken_second_header": (
        lambda: patched(tar(member("a", b"1"), member("second", b"2")), b"second", b"s\xff\0ond"),
        "end mark|damaged",
    ),
    "empty_gzip": (lambda: gzip.compress(b""), "damaged"),
}
HOSTILE_ZIPS = {
    "zip_parent_folder": (lambda: zipped(("../evil", b"1")), "written elsewhere"),
    "zip_absolute": (lambda: zipped((str(OUTSIDE), b"1")), "written elsewhere"),
    "zip_symlink": (lambda: zipped(("a", b"/etc"), mode=stat.S_IFLNK | 0o777), "holds a link"),
    "zip_device": (lambda: zipped(("a", b""), mode=stat.S_IFCHR | 0o777), "holds a device"),
    "zip_bomb": (lambda: zipped(("a", bytes(80 << 20))), "50 times its size"),
    "zip_bomb_that_declares_little": (
        lambda: patched(zipped(("a", bytes(80 << 20))), struct.pack("<I", 80 << 20), struct.pack("<I", 4 << 20)),
        "damaged|50 times",
    ),
    "zip_twice": (lambda: zipped(("a", b"1"), ("a", b"2")), "twice"),
    "zip_file_as_folder": (lambda: zipped(("a", b"1"), ("a/b", b"2")), "twice, or as file and folder"),
    "zip_encrypted": (encrypted_zip, "is encrypted"),
    "zip_lzma": (lambda: zipped(("a", b"1"), method=zipfile.ZIP_LZMA), "another method"),
    "zip_checksum": (lambda: patched(zipped(("a", b"123"), method=0), b"123", b"124"), "damaged"),
    "zip_truncated": (lambda: zipped(("a", b"123"))[:-10], "damaged"),
    "page": (lambda: b"<html>404</html>", "is not a tar archive"),
}
BOMBS = {
    "gzip_bomb": (lambda: zeros(gzip.compress, 80), "decompresses to more"),
    "bzip2_bomb": (lambda: zeros(bz2.compress, 80), "decompresses to more"),
    "xz_bomb": (lambda: zeros(lzma.compress, 80), "decompresses to more"),
}
EVERYTHING = {**HOSTILE_TARS, **DAMAGED_TARS, **HOSTILE_ZIPS, **BOMBS}


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", EVERYTHING)
def test_hostile_archive_is_refused_in_one_line_and_leaves_nothing(name, tmp_path):
    make, message = EVERYTHING[name]
    path, folder = tmp_path / "archive", tmp_path / "there"
    path.write_bytes(make())
    with pytest.raises(WeightsError, match=message) as caught:
        extract_archive(path, folder)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert contents(tmp_path) == {"archive"}
    assert not OUTSIDE.exists()


@pytest.mark.parametrize("name", [*HOSTILE_TARS, *DAMAGED_TARS, *BOMBS])
def test_weights_are_not_read_from_a_hostile_archive(name, tmp_path):
    path = tmp_path / "resnet.tar.gz"
    path.write_bytes(EVERYTHING[name][0]())
    with pytest.raises(WeightsError) as caught:
        read_archive(path)
    assert str(caught.value).isprintable()
    assert contents(tmp_path) == {"resnet.tar.gz"}


def test_weights_in_an_archive_are_read_without_touching_the_disk(tmp_path):
    path = tmp_path / "resnet.tar.gz"
    path.write_bytes(
        tar(member("resnet", kind=tarfile.DIRTYPE), member(MODEL, STATE), member("x.txt", b"1"), mode="w:gz")
    )
    np.testing.assert_array_equal(read_archive(path)["w"], np.arange(5))
    assert contents(tmp_path) == {"resnet.tar.gz"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "damaged|holds no .pdparams"),
        ([member("readme.txt", b"1")], "holds no .pdparams, only readme.txt"),
        ([member("a.pdparams", STATE), member("b.pdparams", STATE)], "more than one .pdparams"),
        ([member(f"{i}.txt") for i in range(200)], "more than 100 files"),
        ([member("a.pdparams", b"<html></html>")], "its member 'a.pdparams' is a web page"),
        ([member("a.pdparams", STATE[:-20])], "its member 'a.pdparams' ends before its data does"),
        ([member("a.pdparams", pickle.dumps(print, protocol=2))], "its member 'a.pdparams' would import .*print"),
    ],
)
def test_archive_without_one_state_dict_is_refused(members, message, tmp_path):
    path = tmp_path / "resnet.tar.gz"
    path.write_bytes(tar(*members, mode="w:gz"))
    with pytest.raises(WeightsError, match=message):
        read_archive(path)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure peak memory")
def test_memory_stays_below_twice_the_archive_and_100_megabytes(tmp_path):
    hostile = {name: make() for name, (make, _) in (HOSTILE_TARS | DAMAGED_TARS | BOMBS).items()}
    hostile |= {f"{name} of a pickle": bomb_of_a_pickle(name) for name in ("gzip", "bz2", "lzma")}
    hostile["global headers"] = gzip.compress(global_headers())
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
    growth, accepted = growth_of("paddleisa.weights:read_archive", tmp_path)
    assert accepted == set()
    assert growth.keys() == hostile.keys()
    assert {name: rise >> 20 for name, rise in growth.items() if rise > 2 * len(hostile[name]) + 100e6} == {}


def bomb_of_a_pickle(library: str) -> bytes:
    state = pickle.dumps({"w": np.zeros(130 << 20, np.uint8)}, protocol=4)
    options = {"preset": 0} if library == "lzma" else {}
    return sys.modules[library].compress(tar(member(MODEL, state)), **options)


def global_headers() -> bytes:
    """Many global headers of many short records: each record would take a hundred times its size in memory."""
    blocks = []
    for i in range(1500):
        records = b"".join(b"%d %04x%03x=\n" % (12, i, j) for j in range(600))
        assert all(len(line) == 11 for line in records.splitlines())
        blocks.append(member("g", records, tarfile.XGLTYPE))
    return tar(*blocks)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_honest_archive_is_unpacked_whole(mode, tmp_path):
    files = {"gtFine/train/a.png": os.urandom(5000), "gtFine/b.txt": b"", "license.txt": b"free"}
    path = tmp_path / "archive"
    if mode == "zip":
        path.write_bytes(zipped(*files.items(), mode=stat.S_IFREG | 0o644))
    else:
        folder = member("gtFine/empty", kind=tarfile.DIRTYPE)
        path.write_bytes(tar(folder, *[member(f"./{name}", data) for name, data in files.items()], mode=mode))
    written = extract_archive(path, tmp_path / "data" / "cityscapes")
    root = tmp_path / "data" / "cityscapes"
    assert {str(file.relative_to(root)): file.read_bytes() for file in written} == files
    assert {name for name in contents(root) if (root / name).is_file()} == set(files)


def test_second_archive_joins_the_first_and_the_same_file_in_both_stays(tmp_path):
    first, second, folder = tmp_path / "1.zip", tmp_path / "2.zip", tmp_path / "data"
    first.write_bytes(zipped(("images/a", b"1"), ("license.txt", b"free")))
    second.write_bytes(zipped(("images/b", b"2"), ("license.txt", b"free")))
    extract_archive(first, folder)
    extract_archive(second, folder)
    assert {"images/a", "images/b", "license.txt"} <= contents(folder)


def test_another_file_of_the_same_name_is_not_replaced_and_nothing_is_moved(tmp_path):
    path, folder = tmp_path / "1.zip", tmp_path / "data"
    path.write_bytes(zipped(("new", b"1"), ("mine", b"theirs")))
    folder.mkdir()
    (folder / "mine").write_bytes(b"mine")
    with pytest.raises(WeightsError, match="would replace .*mine"):
        extract_archive(path, folder)
    assert contents(folder) == {"mine"} and (folder / "mine").read_bytes() == b"mine"


def test_link_that_stands_in_the_folder_is_not_followed_out_of_it(tmp_path):
    path, folder, outside = tmp_path / "1.zip", tmp_path / "data", tmp_path / "outside"
    path.write_bytes(zipped(("images/a", b"1")))
    folder.mkdir(), outside.mkdir()
    (folder / "images").symlink_to(outside)
    with pytest.raises(WeightsError, match="through the link"):
        extract_archive(path, folder)
    assert contents(outside) == set()
