import pytest

from paddleisa.datasets.listing import missing_files, read_list, require_files
from paddleisa.errors import DataError


def listed(tmp_path, content, **options):
    path = tmp_path / "list.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_list(path, "root", **options)


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
        read_list(tmp_path / "weg.txt", tmp_path)


def test_missing_files_are_found_in_order_wherever_they_lie(tmp_path):
    (tmp_path / "x").mkdir()
    for name in ("a", "x/b"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("c", "a", "x/d", "x/b", "nowhere/e")]
    assert missing_files(paths) == [paths[0], paths[2], paths[4]]


def test_missing_files_are_counted_and_the_first_are_named(tmp_path):
    rows = [(str(tmp_path / f"{i}.jpg"), str(tmp_path / f"{i}.png")) for i in range(5)]
    (tmp_path / "0.jpg").touch()
    with pytest.raises(DataError, match=r"the.list: 9 of 10 files do not exist: .*0.png, .*1.jpg, .*1.png, \.\.\."):
        require_files(rows, where="the.list")
