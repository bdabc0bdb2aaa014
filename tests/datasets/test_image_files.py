"""Whatever list training reads, prediction and calibration read too."""

import pytest
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st

from paddleisa.datasets.image_files import find_images
from paddleisa.datasets.layouts import ListFile, Source
from paddleisa.errors import DataError

NAMES = ["img/val no 0.png", "img/b.png", "img/c, d.png", "img/straße 街.png"]


@pytest.fixture
def root(tmp_path):
    for name in [*NAMES, *(name.replace("img/", "lab/") for name in NAMES)]:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "data"


def written(root, separator, names=NAMES, end="\n", head="", where="val.txt", labels=True):
    lines = [name + (separator + name.replace("img/", "lab/") if labels else "") for name in names]
    (root / where).parent.mkdir(parents=True, exist_ok=True)
    (root / where).write_bytes((head + "".join(line + end for line in lines)).encode())
    return root / where


def names_in(root, found):
    return [path.relative_to(root).as_posix() for path, _ in found]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("head", ["", "\ufeff", "# a comment\n\n", "\ufeff# a comment\n"])
def test_the_images_are_those_that_training_reads(root, end, head):
    path = written(root, "\t", end=end, head=head)
    rows = ListFile(str(path), "\t").survey(root, "train", Source()).rows
    assert [str(image) for image, _ in find_images(path, separator="\t")] == [image for image, _ in rows]
    assert names_in(root, find_images(path, separator="\t")) == NAMES


@pytest.mark.parametrize("separator", ["\t", ";", " ; ", "|", " -> "])
def test_the_configs_separator_is_used(root, separator):
    assert names_in(root, find_images(written(root, separator), separator=separator)) == NAMES


@pytest.mark.parametrize("separator, names", [(",", NAMES[:2]), ("\t", NAMES), (";", NAMES), (" ", NAMES[1:2])])
def test_a_list_with_another_separator_than_the_configs_is_understood(root, separator, names):
    path = written(root, separator, names)
    assert names_in(root, find_images(path, separator="|")) == names


def test_a_list_of_images_alone_may_hold_names_with_blanks(root):
    assert names_in(root, find_images(written(root, "", labels=False))) == NAMES


def test_names_may_be_relative_to_the_data_sets_folder(root):
    path = written(root, "\t", where="../lists/val.txt")
    assert names_in(root, find_images(path, separator="\t", root=root)) == NAMES
    with pytest.raises(DataError):
        find_images(path, separator="\t")


def test_names_beside_the_list_go_before_those_in_the_data_sets_folder(root, tmp_path):
    path = written(tmp_path / "other", "\t", ["img/b.png"])
    (tmp_path / "other/img").mkdir()
    (tmp_path / "other/img/b.png").write_bytes(b"")
    assert find_images(path, separator="\t", root=root)[0][0] == tmp_path / "other/img/b.png"


@pytest.mark.parametrize(
    "line, name, separator",
    [
        ("img/no such file.png\tlab/x.png", "img/no such file.png", "\t"),
        ("img/no such file.png,lab/x.png", "img/no such file.png", ","),
        ("img/no such file.png", "img/no such file.png", " "),
    ],
)
def test_the_error_shows_the_whole_name_and_its_line(root, line, name, separator):
    path = written(root, "\t")
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=rf"val\.txt:5: the list names '{name}', which is not there") as error:
        find_images(path, separator=separator, root="elsewhere")
    assert "elsewhere" in error.value.fix


@pytest.mark.parametrize("line", [",", ",,", "\t,", "a" * 5000, "x\0y", "..", "/"])
def test_a_strange_line_is_an_error_and_never_a_traceback(root, line):
    path = root / "val.txt"
    path.write_text(line)
    with pytest.raises(DataError):
        find_images(path, separator=",")


@fuzz(60)
@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12), max_size=4))
def test_any_text_gives_images_or_a_data_error(root, lines):
    path = root / "val.txt"
    path.write_bytes("\n".join([*lines, "img/b.png"]).encode())
    try:
        found = find_images(path)
    except DataError:
        return
    assert found[-1][0] == root / "img/b.png"
