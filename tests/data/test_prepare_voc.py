"""VOC with SBD on folders in their layout, with .mat files written by scipy."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

scipy_io = pytest.importorskip("scipy.io", reason="SBD's MATLAB files need scipy, extra `data`")

from paddleisa.data.prepare.voc import prepare_voc, read_sbd  # noqa: E402
from paddleisa.datasets import PascalVOC  # noqa: E402
from paddleisa.errors import DataError, DownloadError, UsageError  # noqa: E402

TRAIN, VAL, EXTRA = (
    ["2007_000032", "2007_000039"],
    ["2007_000033", "2007_000042"],
    ["2011_003276", "2008_000002", "2010_000001"],
)


def mask_of(name, size=(30, 40)):
    return np.random.default_rng(int(name[-4:])).integers(0, 21, size).astype(np.uint8)


@pytest.fixture
def masks():
    return {name: mask_of(name) for name in (*TRAIN, *VAL, *EXTRA)}


@pytest.fixture
def root(tmp_path, masks):
    """VOCdevkit: VOC2012 with its lists, and SBD, whose lists hold VOC's train and val images too, unsorted."""
    root = tmp_path / "VOCdevkit"
    voc, sbd = root / "VOC2012", root / "benchmark_RELEASE/dataset"
    for folder in (voc / "JPEGImages", voc / "SegmentationClass", voc / "ImageSets/Segmentation", sbd / "cls"):
        folder.mkdir(parents=True)
    for name, mask in masks.items():
        Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)).save(voc / f"JPEGImages/{name}.jpg")
        struct = {"Segmentation": mask, "Boundaries": np.zeros((20, 1), object), "CategoriesPresent": np.uint8([[1]])}
        scipy_io.savemat(sbd / f"cls/{name}.mat", {"GTcls": struct}, do_compression=True)
    for name in (*TRAIN, *VAL):
        Image.fromarray(masks[name]).save(voc / f"SegmentationClass/{name}.png")
    for part, names in (("train", TRAIN), ("val", VAL), ("trainval", [*TRAIN, *VAL])):
        (voc / f"ImageSets/Segmentation/{part}.txt").write_text("\n".join(names) + "\n")
    (sbd / "train.txt").write_text("\n".join([EXTRA[0], VAL[0], TRAIN[1], EXTRA[1]]) + "\n")
    (sbd / "val.txt").write_text("\n".join([EXTRA[2], VAL[1]]) + "\n")
    return root


def prepare(root, **options):
    return prepare_voc(root, **{"workers": 0, "progress": False, "offline": True, **options})


def aug(root):
    return (root / "VOC2012/ImageSets/Segmentation/aug.txt").read_text()


def test_aug_is_sorted_and_holds_no_image_of_train_or_val(root):
    done = prepare(root)
    assert aug(root) == "2008_000002\n2010_000001\n2011_003276\n"
    assert (done.train, done.val, done.aug, done.trainaug, done.made) == (2, 2, 3, 5, 3)


def test_masks_are_those_of_the_mat_files_as_palette_pngs(root, masks):
    prepare(root)
    for name in EXTRA:
        png = Image.open(root / f"VOC2012/SegmentationClassAug/{name}.png")
        assert png.mode == "P" and np.array_equal(np.array(png), masks[name])
        assert png.getpalette()[3:6] == [128, 0, 0] and png.getpalette()[765:768] == [224, 224, 192]  # VOC's colours


def test_the_data_set_reads_what_was_made(root, masks):
    prepare(root)
    data = PascalVOC([], str(root), "trainaug")
    assert len(data) == 5
    assert np.array_equal(data.read(2)["label"], masks["2008_000002"])


def test_two_runs_and_several_processes_give_equal_files(root):
    prepare(root, workers=2)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = prepare(root)
    assert (done.made, done.kept) == (0, 3)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_damaged_mat_is_named_and_the_others_are_made(root):
    bad = root / f"benchmark_RELEASE/dataset/cls/{EXTRA[1]}.mat"
    bad.write_bytes(bad.read_bytes()[:150])
    with pytest.raises(DataError, match=f"1 of 3 files failed to convert: .*{EXTRA[1]}.mat"):
        prepare(root)
    assert len(list((root / "VOC2012/SegmentationClassAug").iterdir())) == 2


def test_a_mask_of_another_size_than_its_image_is_named(root):
    Image.new("RGB", (41, 30)).save(root / f"VOC2012/JPEGImages/{EXTRA[0]}.jpg")
    with pytest.raises(DataError, match=f"{EXTRA[0]}.mat: the mask is 40x30 pixels, its image 41x30"):
        prepare(root)


def test_a_label_of_ones_own_is_not_replaced(root):
    folder = root / "VOC2012/SegmentationClassAug"
    folder.mkdir()
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(folder / f"{EXTRA[0]}.png")
    with pytest.raises(DataError, match=f"{EXTRA[0]}.png: is there and differs"):
        prepare(root)
    assert prepare(root, overwrite=True).made == 1


@pytest.mark.parametrize(
    "content, message",
    [
        ({"Other": 1}, "holds no GTcls"),
        ({"GTcls": {"Segmentation": np.full((3, 3), 77, np.uint8)}}, "holds 77"),
        ({"GTcls": {"Segmentation": np.zeros((0, 0), np.uint8)}}, "of shape"),
        ({"GTcls": 5}, "cannot be read"),
    ],
)
def test_other_mat_files_are_refused(tmp_path, content, message):
    scipy_io.savemat(tmp_path / "a.mat", content)
    with pytest.raises(DataError, match=message) as caught:
        read_sbd(tmp_path / "a.mat")
    assert "a.mat" in str(caught.value)


def archived(folder, names, file, prefix=""):
    with tarfile.open(file, "w:gz") as out:
        for name in names:
            out.add(folder / name, f"{prefix}{name}")


def test_archives_are_unpacked_where_they_belong(root, tmp_path, masks):
    archived(root, ["VOC2012"], tmp_path / "voc.tar", "VOCdevkit/")
    archived(root, ["benchmark_RELEASE"], tmp_path / "benchmark.tgz")
    fresh = tmp_path / "fresh"
    done = prepare(fresh, archive=tmp_path / "voc.tar", sbd=tmp_path / "benchmark.tgz")
    assert done.made == 3 and aug(fresh) == "2008_000002\n2010_000001\n2011_003276\n"
    assert sorted(path.name for path in fresh.glob("[!.]*")) == ["VOC2012", "benchmark_RELEASE"]


@pytest.mark.parametrize("given", ["", "dataset"])
def test_sbd_may_lie_anywhere(root, tmp_path, given):
    (root / "benchmark_RELEASE").rename(tmp_path / "elsewhere")
    assert prepare(root, sbd=tmp_path / "elsewhere" / given).made == 3


def test_an_archive_with_a_link_is_refused(root, tmp_path):
    with tarfile.open(tmp_path / "evil.tgz", "w:gz") as out:
        link = tarfile.TarInfo("benchmark_RELEASE/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        out.addfile(link)
        out.addfile(tarfile.TarInfo("benchmark_RELEASE/a"), io.BytesIO())
    with pytest.raises(Exception, match="link") as caught:
        prepare(root, sbd=tmp_path / "evil.tgz")
    assert type(caught.value).__module__.startswith("paddleisa")


def test_what_is_missing_is_not_downloaded_offline(tmp_path):
    with pytest.raises(DownloadError, match="VOCtrainval_11-May-2012.tar.*offline"):
        prepare(tmp_path)


def test_a_folder_without_sbd_is_named(root, tmp_path):
    with pytest.raises(DataError, match="no folder cls"):
        prepare(root, sbd=tmp_path)


def test_without_scipy_the_extra_is_named(root, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UsageError, match=r"pip install 'paddleisa\[data\]'"):
        prepare(root)
