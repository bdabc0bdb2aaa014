"""Files that are whole or not there, under failing disks; results as JSON."""

import errno
import hashlib
import json
import os
import stat

import pytest

from paddleisa.utils import files
from paddleisa.utils.files import (
    AppendFile,
    WriteError,
    atomic_write,
    joined,
    new_folder,
    plain_number,
    remove_folder,
    remove_leftovers,
    sha256_of,
    write_json,
)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_the_file_appears_with_its_content_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "x.bin"
    with atomic_write(path) as stream:
        stream.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert names(path.parent) == ["x.bin"]


def test_text_is_utf8(tmp_path):
    with atomic_write(tmp_path / "x.txt", "w") as stream:
        stream.write("größe\n")
    assert (tmp_path / "x.txt").read_bytes() == "größe\n".encode()


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, stop):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(stop), atomic_write(tmp_path / "x") as stream:
        stream.write(b"new")
        raise stop
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_the_data_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def note_sync(handle):
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "data")
        fsync(handle)

    def note_replace(*args, **options):
        events.append("rename")
        replace(*args, **options)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    with atomic_write(tmp_path / "x") as stream:
        stream.write(b"1")
    assert events == ["data", "rename", "folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_our_error_and_the_old_file_stays(tmp_path, monkeypatch, code):
    (tmp_path / "x").write_bytes(b"old")

    def full(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(WriteError, match=r"x: no space left to write the file\. Free some space"),
        atomic_write(tmp_path / "x") as stream,
    ):
        stream.write(b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_folder_in_the_way_is_our_error(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(WriteError, match="cannot be written"), atomic_write(tmp_path / "x") as stream:
        stream.write(b"new")
    assert names(tmp_path) == ["x"]


def test_a_file_where_a_folder_is_needed_is_our_error(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(WriteError), atomic_write(tmp_path / "x" / "y"):
        pass


def test_the_longest_name_that_the_file_system_takes_can_be_written(tmp_path):
    path = tmp_path / ("ü" * 125 + ".json")  # 255 bytes
    with atomic_write(path) as stream:
        stream.write(b"1")
    assert path.read_bytes() == b"1"


def test_the_users_umask_decides_who_may_read(tmp_path):
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "x") as stream:
            stream.write(b"1")
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027  # reading the umask must not change it
    finally:
        os.umask(old)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, (1 << 20) + 1])
def test_sha256_of_a_file_is_that_of_its_content(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def fill(target, text):
    with new_folder(target) as filling:
        (filling / "x").write_text(text)


def test_a_folder_appears_whole_when_the_block_ends(tmp_path):
    with new_folder(tmp_path / "deep" / "f") as filling:
        (filling / "x").write_text("1")
        assert not (tmp_path / "deep" / "f").exists()
    assert names(tmp_path / "deep") == ["f"]
    assert (tmp_path / "deep" / "f" / "x").read_text() == "1"


def test_a_folder_that_was_there_is_replaced(tmp_path):
    fill(tmp_path / "f", "old")
    fill(tmp_path / "f", "new")
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f" / "x").read_text() == "new"


class Fail:
    """An observer of the disk that raises at one operation and counts them."""

    def __init__(self, at):
        self.at, self.operations = at, []

    def __call__(self, operation, path):
        self.operations.append(operation)
        if len(self.operations) - 1 == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def folder_operations(tmp_path_factory, monkeypatch):
    folder, seen = tmp_path_factory.mktemp("dry"), Fail(None)
    fill(folder / "f", "old")
    with monkeypatch.context() as patch:
        patch.setattr(files, "before_operation", seen)
        fill(folder / "f", "new")
    return seen.operations


def test_whichever_operation_fails_the_old_folder_is_there_and_nothing_else(tmp_path, monkeypatch, folder_operations):
    for at, operation in enumerate(folder_operations):
        target = tmp_path / str(at) / "f"
        fill(target, "old")
        with monkeypatch.context() as patch:
            patch.setattr(files, "before_operation", Fail(at))
            with pytest.raises(WriteError, match="f: cannot be written"):
                fill(target, "new")
        last = at == len(folder_operations) - 1  # the sync behind the rename: the new folder is there already
        assert (target / "x").read_text() == ("new" if last else "old"), operation
        assert names(target.parent) == ["f"]


def test_what_a_killed_process_was_replacing_comes_back(tmp_path):
    (tmp_path / ".f.old").mkdir()
    (tmp_path / ".f.old" / "x").write_text("old")
    (tmp_path / ".f.part").mkdir()
    (tmp_path / ".score.json.abc.part").write_text("half")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f" / "x").read_text() == "old"


def test_leftovers_of_a_folder_that_is_there_are_removed(tmp_path):
    fill(tmp_path / "f", "new")
    (tmp_path / ".f.old").mkdir()
    (tmp_path / ".g.old.part").mkdir()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["f"]


def test_a_removed_folder_leaves_nothing(tmp_path):
    fill(tmp_path / "f", "1")
    remove_folder(tmp_path / "f")
    assert names(tmp_path) == []


def test_a_closed_append_file_refuses_a_piece_by_its_name(tmp_path):
    file = AppendFile(tmp_path / "log")
    file.close()
    with pytest.raises(WriteError, match="log"):
        file.write(b"1")


def test_parts_are_joined_in_order():
    assert list(joined({"b": 1}, {"a": 2}, {})) == ["b", "a"]


def test_a_key_that_would_be_overwritten_is_an_error():
    with pytest.raises(ValueError, match="two values for precision"):
        joined({"precision": "fp32"}, {"precision": [0.5]})


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "r.json", {"x": float("nan")})
    assert not (tmp_path / "r.json").exists()
    write_json(tmp_path / "r.json", {"x": plain_number(float("nan"))})
    assert json.loads((tmp_path / "r.json").read_text()) == {"x": None}
