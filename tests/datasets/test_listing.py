from pathlib import Path

import pytest

from paddleisa.datasets.inventory import missing_files
from paddleisa.datasets.layouts import ListFile, Source
from paddleisa.errors import DataError


def listed(tmp_path, content, absent=(), **options):
    """The rows of a list, relative to its folder; all that it names lies there but for the endings ``absent``."""
    path, root = tmp_path / "list.txt", tmp_path / "root"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    root.mkdir(exist_ok=True)
    layout = ListFile(str(path), **options)
    for row in layout.survey(root, "train", Source()).rows:
        for name in row:
            if name is not None and not name.endswith(tuple(absent) or "/"):
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).touch()
    rows = layout.survey(root, "train", Source()).require()
    return [tuple(name and Path(name).relative_to(tmp_path).as_posix() for name in row) for row in rows]


def test_lines_are_pairs_relative_to_the_root(tmp_path):
    rows = listed(tmp_path, "a.jpg b.png\nc/d.jpg e/f.png\n")
    assert rows == [("root/a.jpg", "root/b.png"), ("root/c/d.jpg", "root/e/f.png")]


def test_windows_line_ends_marks_blank_lines_comments_and_accents_are_fine(tmp_path):
    content = "\ufeffstraße/街.jpg  b.png \r\n\r\n# a comment\r\n  c.jpg d.png"
    assert listed(tmp_path, content) == [("root/straße/街.jpg", "root/b.png"), ("root/c.jpg", "root/d.png")]


def test_names_with_blanks_work_with_another_separator(tmp_path):
    assert listed(tmp_path, "my photo.jpg,my label.png\n", separator=",") == [
        ("root/my photo.jpg", "root/my label.png")
    ]
    assert listed(tmp_path, "my photo.jpg\tb.png", separator="\t") == [("root/my photo.jpg", "root/b.png")]


def test_a_line_with_another_number_of_columns_is_named_by_its_number(tmp_path):
    with pytest.raises(DataError, match=r"list.txt:3: the line has 1 column .*image label"):
        listed(tmp_path, "a.jpg b.png\n\nc.jpg\n")


def test_the_right_separator_is_suggested(tmp_path):
    with pytest.raises(DataError, match=r'list.txt:1: the line has 1 column .*set separator: "\\t"'):
        listed(tmp_path, "a.jpg\tb.png\n")
    with pytest.raises(DataError, match=r"set separator: ','"):
        listed(tmp_path, "my photo.jpg,my label.png\n")


def test_blanks_in_names_are_explained(tmp_path):
    with pytest.raises(DataError, match="4 columns.*a name holds the separator"):
        listed(tmp_path, "my photo.jpg my label.png\n")


def test_a_label_may_be_left_out_only_where_none_is_needed(tmp_path):
    assert listed(tmp_path, "a.jpg\nb.jpg c.png\n", labels=False) == [
        ("root/a.jpg", None),
        ("root/b.jpg", "root/c.png"),
    ]
    with pytest.raises(DataError, match="3 columns"):
        listed(tmp_path, "a.jpg b.png c.png\n", labels=False)


@pytest.mark.parametrize("content, message", [("\n# nothing\n", "names no image"), (b"\xff\xfe\x00a", "not UTF-8")])
def test_a_list_without_images_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        listed(tmp_path, content)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(DataError, match="weg.txt: the list file does not exist"):
        ListFile(str(tmp_path / "weg.txt")).survey(tmp_path, "train", Source()).require()


def test_missing_files_are_found_in_order_wherever_they_lie(tmp_path):
    (tmp_path / "x").mkdir()
    for name in ("a", "x/b"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("c", "a", "x/d", "x/b", "nowhere/e")]
    assert list(missing_files(paths)) == [paths[0], paths[2], paths[4]]


def test_missing_files_are_counted_and_the_first_are_named(tmp_path):
    with pytest.raises(DataError, match=r"l0.png: is not there \(4 more: .*l1.png, .*l2.png, \.\.\.\)"):
        listed(tmp_path, "".join(f"{i}.jpg l{i}.png\n" for i in range(5)), absent=("png",))
