"""The data sets of the papers: their id tables by the rules of their sources, their layouts, their preparation."""

import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from paddleisa.config import Config
from paddleisa.data.check.check import check_config
from paddleisa.data.prepare.by_table import prepare_by_table
from paddleisa.datasets import (
    LIP,
    CocoStuff,
    CocoStuff10k,
    FolderDataset,
    OpticDiscSeg,
    PascalContext,
    PascalContext59,
)
from paddleisa.errors import DataError, UsageError


def test_cocostuff_164k_keeps_the_ids_that_paddleseg_keeps_in_their_order():
    unused = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
    kept = [number for number in range(182) if number not in unused]
    expected = [kept.index(number) if number in kept else 255 for number in range(256)]
    assert CocoStuff.raw_table.tolist() == expected
    assert max(value for value in expected if value < 255) == 170


def test_cocostuff_10k_counts_the_same_classes_from_one_and_ignores_what_is_unlabelled():
    unused = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}
    assert CocoStuff10k.raw_table[0] == 255
    np.testing.assert_array_equal(CocoStuff10k.raw_table[1:183], CocoStuff.raw_table[:182])
    assert {number for number in range(1, 183) if CocoStuff10k.raw_table[number] == 255} == unused


def test_cocostuff_names_follow_cocos_ids():
    names = CocoStuff.class_names
    assert len(set(names)) == 171 and names == CocoStuff10k.class_names
    # COCO's ids of person, stop sign, toothbrush, banner (the first kind of stuff), wood
    assert [names[CocoStuff10k.raw_table[i]] for i in (1, 13, 90, 92, 182)] == [
        "person",
        "stop sign",
        "toothbrush",
        "banner",
        "wood",
    ]


def test_pascal_context_takes_a_labels_rank_among_the_59_and_the_rest_as_background():
    ids = """0 2 9 18 19 22 23 25 31 33 34 44 45 46 59 65 68 72 80 85 98 104 105 113 115 144 158 159 162 187 189 207 220
    232 258 259 260 284 295 296 308 324 326 347 349 354 355 360 366 368 397 415 416 420 424 427 440 445 454 458"""
    ids = [int(word) for word in ids.split()]
    table = PascalContext.raw_table
    assert [int(table[number]) for number in ids] == list(range(60))
    assert all(table[number] == 0 for number in range(len(table)) if number not in ids)


def test_pascal_context_names_follow_the_alphabet_as_its_numbers_do():
    assert PascalContext.class_names[1:] == sorted(PascalContext.class_names[1:])
    assert PascalContext59.class_names == PascalContext.class_names[1:]


def test_lips_pairs_are_left_and_right():
    for left, right in LIP.mirrored_classes:
        assert LIP.class_names[left].replace("left", "right") == LIP.class_names[right]


def image(path, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(path.as_posix().encode())).integers(0, 256, (size[1], size[0], 3))
    Image.fromarray(noise.astype(np.uint8)).save(path)


def label(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([values] * 4, np.uint8)).save(path)


def matrix(path, **values):
    savemat = pytest.importorskip("scipy.io").savemat
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(str(path), values)


def prepared(kind, root, **options):
    return prepare_by_table(root, kind, workers=0, progress=False, **options)


def findings(kind, root):
    parts = {f"{m}_dataset": {"type": kind, "dataset_root": str(root), "mode": m, "transforms": []} for m in MODES}
    report = check_config(Config.from_dict(parts), workers=0, cache=root / "cache", progress=False)
    return {finding.kind for finding in report.findings} - {"count", "class_absent"}


MODES = ("train", "val")


@pytest.fixture
def coco(tmp_path):
    for part in ("train2017", "val2017"):
        image(tmp_path / f"images/{part}/1.jpg")
        label(tmp_path / f"stuffthingmaps/{part}/1.png", [0, 11, 12, 181, 255, 91])
    return tmp_path


def test_cocostuff_is_converted_and_checked_and_nothing_downloaded_is_changed(coco):
    assert "missing_label" in findings("CocoStuff", coco)
    done = prepared("CocoStuff", coco)
    assert (done.made, done.kept) == (2, 0)
    assert CocoStuff([], str(coco))[0]["label"][0].tolist() == [0, 255, 11, 170, 255, 80]
    assert np.array(Image.open(coco / "stuffthingmaps/val2017/1.png"))[0].tolist() == [0, 11, 12, 181, 255, 91]
    assert findings("CocoStuff", coco) == set()
    assert prepared("CocoStuff", coco).kept == 2


def test_a_converted_label_that_belongs_to_another_image_is_found(coco):
    prepared("CocoStuff", coco)
    label(coco / "annotations/train2017/1.png", [1] * 6)
    assert findings("CocoStuff", coco) == {"stale_train_ids", "one_class"}
    with pytest.raises(DataError, match="--overwrite"):
        prepared("CocoStuff", coco)


def test_official_archives_are_unpacked_once(coco, tmp_path_factory):
    root = tmp_path_factory.mktemp("zips")
    for name, folder in CocoStuff.source.archives.items():
        with zipfile.ZipFile(root / name, "w") as archive:
            base = coco / folder
            for path in sorted(base.rglob("*.*")):
                if "2017" in name and (name.startswith("stuff") or path.parent.name == name.removesuffix(".zip")):
                    archive.write(path, path.relative_to(base).as_posix())
    assert prepared("CocoStuff", root).made == 2
    assert len(CocoStuff([], str(root), "val")) == 1
    assert prepared("CocoStuff", root).kept == 2


def test_cocostuff_10k_comes_from_matlab_files_and_lists(tmp_path):
    for name, part in (("a", "train"), ("b", "test")):
        image(tmp_path / f"images/{name}.jpg")
        matrix(tmp_path / f"annotations/{name}.mat", S=np.array([[0, 1, 12, 13, 92, 182]] * 4, np.uint16))
        (tmp_path / "imageLists").mkdir(exist_ok=True)
        (tmp_path / f"imageLists/{part}.txt").write_text(f"{name}\n")
    assert prepared("CocoStuff10k", tmp_path).made == 2
    data = CocoStuff10k([], str(tmp_path), "val")
    assert data.samples[0][0].endswith("b.jpg") and data[0]["label"][0].tolist() == [255, 0, 255, 11, 80, 170]
    assert findings("CocoStuff10k", tmp_path) == set()


def test_pascal_context_makes_lists_of_what_is_labelled_and_both_countings_read_one_label(tmp_path):
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    for part, names in (("train", "ab"), ("val", "c"), ("trainval", "abc")):
        (tmp_path / f"ImageSets/Main/{part}.txt").write_text("\n".join(names) + "\n")
    for name in "abc":
        image(tmp_path / f"JPEGImages/{name}.jpg")
        if name != "b":
            matrix(tmp_path / f"trainval/{name}.mat", LabelMap=np.array([[0, 1, 2, 9, 284, 458]] * 4, np.uint16))
    assert prepared("PascalContext", tmp_path).made == 2
    assert (tmp_path / "ImageSets/Segmentation/trainval_context.txt").read_text() == "a\nc\n"
    names = [PascalContext.class_names[k] for k in PascalContext([], str(tmp_path))[0]["label"][0]]
    assert names == ["background", "background", "aeroplane", "bag", "person", "wood"]
    assert PascalContext59([], str(tmp_path), "val")[0]["label"][0].tolist() == [255, 255, 0, 1, 36, 58]
    assert findings("PascalContext", tmp_path) == findings("PascalContext59", tmp_path) == set()


def test_lip_is_read_as_it_is_unpacked(tmp_path):
    for part in MODES:
        image(tmp_path / f"{part}_images/1_2.jpg")
        label(tmp_path / f"{part}_segmentations/1_2.png", [0, 1, 2, 13, 14, 19])
    assert LIP([], str(tmp_path), "val")[0]["label"][0].tolist() == [0, 1, 2, 13, 14, 19]
    assert findings("LIP", tmp_path) == set()


def test_optic_disc_has_lists_in_its_folder(tmp_path):
    for part in ("train", "val"):
        image(tmp_path / f"JPEGImages/{part}.jpg")
        label(tmp_path / f"Annotations/{part}.png", [0, 0, 1, 1, 0, 0])
        (tmp_path / f"{part}_list.txt").write_text(f"JPEGImages/{part}.jpg Annotations/{part}.png\n")
    (tmp_path / "test_list.txt").write_text("JPEGImages/val.jpg\n")
    assert OpticDiscSeg([], str(tmp_path))[0]["label"][0].tolist() == [0, 0, 1, 1, 0, 0]
    assert "label" not in OpticDiscSeg([], str(tmp_path), "test")[0]
    assert findings("OpticDiscSeg", tmp_path) == set()


def test_folders_of_any_layout_are_a_data_set(tmp_path):
    for part in MODES:
        image(tmp_path / f"{part}/rgb/x/1.png")
        label(tmp_path / f"{part}/ids/x/1_id.png", [0, 1, 2, 1, 0, 0])
    options = {"images": "{part}/rgb/*/*.png", "labels": "{part}/ids/*/*_id.png", "num_classes": 2}
    data = FolderDataset([], str(tmp_path), mode="val", reduce_zero_label=True, **options)
    assert data[0]["label"][0].tolist() == [255, 0, 1, 0, 255, 255]
    with pytest.raises(DataError, match="holds value 2, but there are 2 classes"):
        FolderDataset([], str(tmp_path), **options)[0]


@pytest.mark.parametrize("kind", ["CocoStuff", "CocoStuff10k", "PascalContext"])
def test_nothing_to_start_from_names_the_archives(tmp_path, kind):
    with pytest.raises(DataError, match="no label to start from"):
        prepared(kind, tmp_path)


def test_a_data_set_that_is_read_as_it_is_has_nothing_to_prepare(tmp_path):
    with pytest.raises(UsageError, match="Scenes has nothing to prepare"):
        prepared("Scenes", tmp_path)
