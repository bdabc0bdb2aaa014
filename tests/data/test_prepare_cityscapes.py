"""Train ids from Cityscapes' own files, compared with the official script's."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cityscapesscripts", reason="the official package, extra `data`, is the oracle")

from prepare_fakes import official_train_ids, write_cityscapes  # noqa: E402

from paddleisa.data.prepare.cityscapes import prepare_cityscapes  # noqa: E402
from paddleisa.datasets.cityscapes import ID_OF_TRAIN_ID, NUM_IDS, TO_LABEL_ID, TO_TRAIN_ID  # noqa: E402
from paddleisa.errors import DataError, UsageError  # noqa: E402

ARCHIVES = ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip")  # each named after the folder in it


@pytest.fixture
def root(tmp_path):
    return write_cityscapes(tmp_path / "cityscapes")


def prepare(root, **options):
    return prepare_cityscapes(root, **{"workers": 0, "progress": False, **options})


def labels(root, kind="labelTrainIds"):
    return {path.name: np.array(Image.open(path)) for path in sorted(root.glob(f"gtFine/*/*/*_{kind}.png"))}


def snapshot(root):
    """The content of everything that was downloaded."""
    files = (path for path in root.rglob("[!.]*") if path.is_file() and "TrainIds" not in path.name)
    return {path: path.read_bytes() for path in files}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_the_numbers_are_the_official_ones():
    from cityscapesscripts.helpers.labels import labels as official

    train_ids = {label.id: label.trainId for label in official if label.id >= 0}
    assert train_ids == {number: int(TO_TRAIN_ID[number]) for number in range(NUM_IDS)}
    assert dict(enumerate(ID_OF_TRAIN_ID)) == {
        label.trainId: label.id for label in official if 0 <= label.trainId < 255
    }
    assert [int(TO_TRAIN_ID[TO_LABEL_ID[n]]) for n in range(19)] == list(range(19))


@pytest.mark.parametrize("source", ["auto", "labelIds", "polygons"])
def test_every_source_gives_the_official_scripts_pixels(root, monkeypatch, source):
    wanted = official_train_ids(root, monkeypatch)
    assert set(np.unique(np.stack(list(wanted.values())))) == {*range(19), 255}  # all classes are drawn
    assert prepare(root, source=source).made == 4
    assert same(labels(root), wanted)


def test_official_files_are_not_touched(root):
    before = snapshot(root)
    prepare(root, source="polygons", overwrite=True)
    assert snapshot(root) == before


def test_processes_do_what_one_does(root):
    prepare(root, workers=2)
    several = labels(root)
    for path in root.glob("gtFine/*/*/*_labelTrainIds.png"):
        path.unlink()
    prepare(root)
    assert same(labels(root), several)


def test_a_second_run_makes_only_what_is_missing(root):
    prepare(root)
    first, *others = sorted(root.glob("gtFine/*/*/*_labelTrainIds.png"))
    first.unlink()
    stamps = [path.stat().st_mtime_ns for path in others]
    done = prepare(root)
    assert (done.made, done.kept) == (1, 3)
    assert [path.stat().st_mtime_ns for path in others] == stamps


@pytest.mark.parametrize("source", ["labelIds", "polygons"])
def test_a_half_written_label_is_found_and_made_again_when_asked(root, source):
    prepare(root)
    path = sorted(root.glob("gtFine/*/*/*_labelTrainIds.png"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"{path.name}: is there and unusable .*--overwrite"):
        prepare(root, source=source)
    assert prepare(root, source=source, overwrite=True).made == 1
    assert path.read_bytes() == whole


def test_a_label_of_another_mapping_is_not_replaced_silently(root):
    prepare(root)
    path = sorted(root.glob("gtFine/*/*/*_labelTrainIds.png"))[0]
    Image.fromarray(np.zeros_like(np.array(Image.open(path)))).save(path)
    mine = path.read_bytes()
    with pytest.raises(DataError, match=r"1 of 4 files failed.*differs in \d+ pixels from"):
        prepare(root)
    assert path.read_bytes() == mine


def test_a_file_that_fails_is_named_and_the_others_are_made(root):
    bad = sorted(root.glob("gtFine/*/*/*_labelIds.png"))[1]
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(DataError, match=f"1 of 4 files failed to convert: .*{bad.name}"):
        prepare(root, workers=2)
    assert len(labels(root)) == 3


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "cannot be read"),
        (
            json.dumps({"imgHeight": 4, "imgWidth": 4, "objects": [{"label": "unicorn", "polygon": [[0, 0]] * 3}]}),
            "unicorn",
        ),
        (json.dumps({"imgHeight": 4}), "cannot be read"),
    ],
)
def test_polygons_that_cannot_be_drawn_are_named(root, content, message):
    bad = sorted(root.glob("gtFine/*/*/*_polygons.json"))[0]
    bad.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        prepare(root, source="polygons")
    assert bad.name in str(caught.value)


def test_an_id_that_cityscapes_does_not_have_is_named(root):
    bad = sorted(root.glob("gtFine/*/*/*_labelIds.png"))[0]
    Image.fromarray(np.full((96, 192), 34, np.uint8)).save(bad)
    with pytest.raises(DataError, match="holds the id 34"):
        prepare(root)


def test_an_empty_folder_says_where_to_get_the_data(tmp_path):
    with pytest.raises(DataError, match=r"leftImg8bit_trainvaltest.zip.*cityscapes-dataset.com"):
        prepare(tmp_path)


def test_polygons_without_the_package_name_the_extra(root, monkeypatch):
    for path in root.glob("gtFine/*/*/*_labelIds.png"):
        path.unlink()
    import sys

    monkeypatch.setitem(sys.modules, "cityscapesscripts.preparation.json2labelImg", None)
    with pytest.raises(UsageError, match=r"pip install 'paddleisa\[data\]'"):
        prepare(root)


def zipped(root, folder, file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("README", f"of {folder}")  # both official zips have their own
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                out.write(path, path.relative_to(root))


def test_the_official_zips_in_the_folder_are_unpacked(root, tmp_path, monkeypatch):
    wanted = official_train_ids(root, monkeypatch)
    target = tmp_path / "fresh"
    target.mkdir()
    for name in ARCHIVES:
        zipped(root, name.partition("_")[0], target / name)
    assert prepare(target).made == 4
    assert same(labels(target), wanted)
    assert sorted(p.name for p in target.glob("[!.]*")) == sorted([*ARCHIVES, "leftImg8bit", "gtFine"])


def test_unpacking_that_was_killed_goes_on(root, tmp_path):
    target = tmp_path / "fresh"
    target.mkdir()
    for name in ARCHIVES:
        zipped(root, name.partition("_")[0], target / name)
    # What a kill leaves: the hidden folder, and some of the files in place.
    (target / ".unpacking/gtFine_trainvaltest.zip/.extracting-x").mkdir(parents=True)
    one = next((root / "gtFine").rglob("*_labelIds.png"))
    (target / one.relative_to(root)).parent.mkdir(parents=True)
    shutil.copy(one, target / one.relative_to(root))
    assert prepare(target).made == 4
    assert not (target / ".unpacking").exists()


def test_an_unpacked_file_never_replaces_another(root, tmp_path):
    zipped(root, "gtFine", tmp_path / "gtFine_trainvaltest.zip")
    mine = next((root / "gtFine").rglob("*_labelIds.png"))
    mine.write_bytes(b"mine")
    with pytest.raises(DataError, match="another file of this name"):
        prepare(root, archives=[tmp_path / "gtFine_trainvaltest.zip"])
    assert mine.read_bytes() == b"mine"


def test_an_archive_that_would_leave_the_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as out:
        out.writestr("../evil.txt", "x")
    with pytest.raises(Exception, match="evil") as caught:
        prepare(tmp_path / "data", archives=[tmp_path / "evil.zip"])
    assert type(caught.value).__module__.startswith("paddleisa")
    assert not (tmp_path / "evil.txt").exists()
