"""Damage done to right data: each kind is found, with the file and a fix, and nothing is found before.

Three sets are damaged: a list-file set of 12 street scenes, and generated data in the layouts of Cityscapes and VOC.
"""

from __future__ import annotations

import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from paddleisa.config import Config
from paddleisa.data.check.check import check_config, quick_check
from paddleisa.data.prepare.cityscapes import prepare_cityscapes
from paddleisa.data.prepare.scenes import prepare_scenes
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import DataError

COUNTS = {"train": 8, "val": 4}
SIZE = (128, 64)  # width, height
RGB = Scenes([], num_images=1).palette


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Right data in three layouts, made once."""
    root = tmp_path_factory.mktemp("right")
    for mode, count in COUNTS.items():
        scenes = Scenes([], mode, count, SIZE[1], SIZE[0])
        lines = []
        for folder in ("image", "label"):
            (root / "list" / folder / mode).mkdir(parents=True)
        for number in range(count):
            sample = scenes.read(number)
            names = f"image/{mode}/{number:03d}.png", f"label/{mode}/{number:03d}.png"
            Image.fromarray(sample["img"]).save(root / "list" / names[0])
            label = Image.fromarray(sample["label"]).convert("L")
            label = Image.fromarray(np.array(label))
            label.putpalette(palette())
            label.save(root / "list" / names[1])
            lines.append(" ".join(names))
        (root / f"list/{mode}.txt").write_text("\n".join(lines) + "\n")
    prepare_scenes(root / "cityscapes", "cityscapes", (4, 2), SIZE, workers=0, progress=False)
    prepare_cityscapes(root / "cityscapes", workers=0, progress=False)
    return root


@pytest.fixture
def data(originals, tmp_path):
    """A copy to be damaged: ``data / "list"``, ``data / "cityscapes"``."""
    shutil.copytree(originals, tmp_path / "data")
    return tmp_path / "data"


def palette():
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(RGB)] = RGB
    return colours.tobytes()


def config_of(root, **changes):
    parts = {}
    for mode in COUNTS:
        part = {"type": "Dataset", "dataset_root": str(root), "mode": mode, f"{mode}_path": str(root / f"{mode}.txt")}
        part |= {"num_classes": 8, "palette": RGB.tolist(), "transforms": [], **changes}
        parts[f"{mode}_dataset"] = part
    return Config.from_dict(parts)


def cityscapes_config(root):
    parts = {m: {"type": "Cityscapes", "dataset_root": str(root), "mode": m, "transforms": []} for m in COUNTS}
    return Config.from_dict({f"{mode}_dataset": part for mode, part in parts.items()})


def check(config, tmp_path, **options):
    return check_config(config, workers=0, cache=tmp_path / "cache", progress=False, **options)


def edit_label(path, change):
    """Change the class ids of a label; its palette stays."""
    label = Image.open(path)
    out = Image.fromarray(change(np.array(label)).astype(np.uint8))
    out.putpalette(label.getpalette())
    out.save(path)


def edit_all_labels(root, change):
    for path in sorted(root.glob("label/*/*.png")):
        Image.fromarray(change(np.array(Image.open(path))).astype(np.uint8)).save(path)


def edit_lines(root, change):
    path = root / "train.txt"
    path.write_bytes(change(path.read_text().splitlines()).encode())


def turned_jpeg(root):
    """An image stored on its side with an EXIF orientation that sets it upright."""
    image = Image.open(root / "image/train/003.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(root / "image/train/003.jpg", exif=exif)
    edit_lines(root, lambda lines: "\n".join(lines).replace("image/train/003.png", "image/train/003.jpg"))


def swap(root, a, b):
    one, other = root / f"label/train/{a}.png", root / f"label/train/{b}.png"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def lossy_copy(root):
    """A photograph of train, saved again as JPEG and put into val with its label."""
    Image.open(root / "image/train/002.png").save(root / "image/val/002.jpg", quality=80)
    shutil.copy(root / "label/train/002.png", root / "label/val/002.png")
    text = (root / "val.txt").read_text().replace("image/val/002.png", "image/val/002.jpg")
    (root / "val.txt").write_text(text)


def rename(root, old, new):
    (root / old).rename(root / new)
    edit_lines(root, lambda lines: "\n".join(lines).replace(old, new))


def lose_palette(root):
    path = root / "label/train/003.png"
    Image.fromarray(np.array(Image.open(path))).save(path)


def renumber_palette(root):
    """What a program does that sorts colours: same picture, other numbers."""
    path = root / "label/train/003.png"
    label = Image.open(path)
    order = [1, 0, *range(2, 256)]
    ids, colours = np.array(label), np.array(label.getpalette()).reshape(-1, 3)
    out = Image.fromarray(np.array(order, np.uint8)[ids])
    out.putpalette(colours[order[: len(colours)]].astype(np.uint8).tobytes())
    out.save(path)


IMAGE, LABEL = "image/train/003.png", "label/train/003.png"

# name: (damage, kind that must be found, part of the file's name, part of the fix)
ONE_FILE = {
    "missing label": (lambda r: (r / LABEL).unlink(), "missing_label", LABEL, "Restore it"),
    "missing image": (lambda r: (r / IMAGE).unlink(), "missing_image", IMAGE, "Restore it"),
    "broken symlink": (
        lambda r: ((r / LABEL).unlink(), (r / LABEL).symlink_to("/nowhere/003.png")),
        "broken_symlink",
        LABEL,
        "Restore that file",
    ),
    "empty image": (lambda r: (r / IMAGE).write_bytes(b""), "empty_file", IMAGE, "again"),
    "empty label": (lambda r: (r / LABEL).write_bytes(b""), "empty_file", LABEL, "again"),
    "truncated PNG": (
        lambda r: (r / IMAGE).write_bytes((r / IMAGE).read_bytes()[:-200]),
        "truncated",
        IMAGE,
        "again",
    ),
    "a byte changed": (
        lambda r: (r / LABEL).write_bytes((r / LABEL).read_bytes()[:-30] + b"x" + (r / LABEL).read_bytes()[-29:]),
        "damaged",
        LABEL,
        "again",
    ),
    "web page": (lambda r: (r / IMAGE).write_bytes(b"<!DOCTYPE html><html>"), "not_an_image", IMAGE, "HTML page"),
    "git lfs pointer": (
        lambda r: (r / IMAGE).write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "not_an_image",
        IMAGE,
        "git lfs pull",
    ),
    "wrong size": (
        lambda r: Image.open(r / LABEL).resize((64, 32), Image.NEAREST).save(r / LABEL),
        "wrong_size",
        LABEL,
        "nearest",
    ),
    "16-bit label": (
        lambda r: Image.fromarray(np.array(Image.open(r / LABEL)).astype(np.uint16)).save(r / LABEL),
        "label_16_bit",
        LABEL,
        "8 bits",
    ),
    "JPEG label": (
        lambda r: Image.fromarray(np.array(Image.open(r / LABEL))).save(r / LABEL, "JPEG"),
        "label_jpeg",
        LABEL,
        "PNG",
    ),
    "RGB colour mask": (
        lambda r: Image.open(r / LABEL).convert("RGB").save(r / LABEL),
        "label_colours",
        LABEL,
        "number of each colour's class",
    ),
    "ids in three channels": (
        lambda r: Image.fromarray(np.repeat(np.array(Image.open(r / LABEL))[..., None], 3, 2)).save(r / LABEL),
        "label_colours",
        LABEL,
        "one channel",
    ),
    "shades of grey": (
        lambda r: Image.open(r / LABEL).convert("RGB").convert("L").save(r / LABEL),
        "label_grey_shades",
        LABEL,
        "palette PNGs",
    ),
    "palette lost": (lose_palette, "palette_lost", LABEL, "Restore"),
    "palette renumbered": (renumber_palette, "palette_differs", LABEL, "Restore"),
    "class id too large": (
        lambda r: edit_label(r / LABEL, lambda x: np.where(x == 0, 9, x)),
        "class_too_large",
        LABEL,
        "num_classes",
    ),
    "all ignored": (lambda r: edit_label(r / LABEL, lambda x: x * 0 + 255), "no_class", LABEL, "Label the image"),
    "one mask of 0 and 255": (
        lambda r: edit_label(r / LABEL, lambda x: np.where(x == 0, 0, 255)),
        "label_0_255",
        LABEL,
        "label // 255",
    ),
    "swapped labels": (lambda r: swap(r, "002", "005"), "swapped_label", "label/train/002.png", "exchange"),
    "label of another line": (
        lambda r: edit_lines(
            r, lambda lines: "\n".join([*lines[:6], "image/train/006.png label/train/007.png", lines[7]])
        ),
        "swapped_label",
        "train.txt:7",
        "Pair each image",
    ),
    "EXIF orientation": (turned_jpeg, "exif", "003.jpg", "upright"),
    "grey image": (lambda r: Image.open(r / IMAGE).convert("L").save(r / IMAGE), "image_mode", IMAGE, "8-bit RGB"),
    "odd size": (
        lambda r: [Image.open(r / f).resize((96, 64), Image.NEAREST).save(r / f) for f in (IMAGE, LABEL)],
        "odd_size",
        IMAGE,
        "belongs here",
    ),
    "duplicate across splits": (
        lambda r: shutil.copy(r / IMAGE, r / "image/val/001.png"),
        "duplicate_across_splits",
        "image/val/001.png",
        "Take it out of one",
    ),
    "recompressed copy across splits": (lossy_copy, "near_duplicate", "image/val/002.jpg", "take it out of one"),
    "duplicate in one split": (
        lambda r: shutil.copy(r / IMAGE, r / "image/train/006.png"),
        "duplicate",
        "image/train/006.png",
        "Remove one",
    ),
    "listed twice": (
        lambda r: edit_lines(r, lambda lines: "\n".join([*lines, lines[2]])),
        "list_twice",
        "train.txt:3",
        "Remove one",
    ),
    "image as its own label": (
        lambda r: edit_lines(r, lambda lines: "\n".join([*lines[:7], f"{IMAGE} {IMAGE}"])),
        "same_file",
        "train.txt:8",
        "Name the label",
    ),
    "space in a name": (
        lambda r: rename(r, IMAGE, "image/train/no 3.png"),
        "list_columns",
        "train.txt:4",
        "use another one, a tab",
    ),
    "tabs in the list": (
        lambda r: edit_lines(r, lambda lines: "\n".join(line.replace(" ", "\t") for line in lines)),
        "list_columns",
        "train.txt:1",
        'separator: "\\t"',
    ),
    "CRLF list": (lambda r: edit_lines(r, lambda lines: "\r\n".join(lines)), "list_crlf", "train.txt", "sed -i"),
    "backslashes in the list": (
        lambda r: edit_lines(r, lambda lines: "\n".join([lines[0].replace("/", "\\"), *lines[1:]])),
        "missing_image",
        "image\\train\\000.png",
        "Write / instead of \\",
    ),
    "UTF-16 list": (
        lambda r: (r / "train.txt").write_bytes((r / "train.txt").read_text().encode("utf-16")),
        "list_encoding",
        "train.txt",
        "UTF-8",
    ),
    "empty list": (lambda r: (r / "train.txt").write_text("# nothing\n"), "list_empty", "train.txt", "image label"),
    "no list": (lambda r: (r / "train.txt").unlink(), "list_missing", "train.txt", "relative to"),
    "non-ASCII name": (lambda r: rename(r, IMAGE, "image/train/003-école.png"), "non_ascii", "école", "Rename"),
    "other Unicode form": (
        lambda r: (
            (r / IMAGE).rename(r / f"image/train/{unicodedata.normalize('NFD', 'é')}.png"),
            edit_lines(r, lambda lines: "\n".join(lines).replace(IMAGE, "image/train/\u00e9.png")),
        ),
        "missing_image",
        "\u00e9.png",
        "Rename the file",
    ),
    "capitals differ": (
        lambda r: (r / IMAGE).rename(r / "image/train/003.PNG"),
        "missing_image",
        IMAGE,
        "as the folder",
    ),
    "other ending": (lambda r: (r / IMAGE).rename(r / "image/train/003.jpg"), "missing_image", IMAGE, "ending"),
}

# name: (damage to every label, changes of the config, kind, part of the fix)
WHOLE_SET = {
    "masks of 0 and 255": (lambda x: np.where(x == 0, 0, 255), {}, "label_0_255", "label // 255"),
    "two classes as 0 and 255, nothing ignored": (
        lambda x: np.where(x == 0, 0, 255),
        {"num_classes": 2, "ignore_index": 254, "palette": None},
        "label_0_255",
        "label // 255",
    ),
    "counted from 1": (lambda x: np.where(x < 255, x + 1, x), {}, "label_one_based", "reduce_zero_label: true"),
    "counted from 1 with 0 for nothing": (
        lambda x: np.where(x < 255, x + 1, 0),
        {},
        "label_one_based",
        "reduce_zero_label: true in the config, or num_classes: 9",
    ),
    "stretched for viewing": (lambda x: np.where(x < 255, x * 36, x), {}, "label_stretched", "by 36"),
    "labelIds": (
        lambda x: np.array([7, 8, 11, 17, 21, 23, 24, 26, *[1] * 248])[x],
        {"num_classes": 19, "palette": "cityscapes"},
        "label_ids",
        "prepare cityscapes",
    ),
    "ignored value not named": (
        lambda x: np.where(x == 1, 255, x),
        {"ignore_index": 200},
        "label_255",
        "ignore_index: 255",
    ),
    "too few classes in the config": (
        lambda x: x,
        {"num_classes": 5, "palette": None},
        "class_too_large",
        "num_classes",
    ),
    "a class that never occurs": (lambda x: np.where(x == 4, 2, x), {}, "class_absent", "leave the class out"),
}


def test_right_data_has_no_findings(data, tmp_path):
    for config in (config_of(data / "list"), cityscapes_config(data / "cityscapes")):
        report = check(config, tmp_path)
        assert report.findings == []
        assert "nothing is wrong" in report.text()
        for which in COUNTS:
            quick_check(config, which)


@pytest.mark.parametrize("name", ONE_FILE)
def test_damage_is_found_with_the_file_and_the_fix(data, tmp_path, name):
    damage, kind, file, fix = ONE_FILE[name]
    damage(data / "list")
    report = check(config_of(data / "list"), tmp_path)
    found = [finding for finding in report.findings if finding.kind == kind]
    assert found, [finding.kind for finding in report.findings]
    assert any(file in finding.file and fix in finding.fix for finding in found), found
    assert all(finding.fix and finding.problem for finding in report.findings)


@pytest.mark.parametrize("name", WHOLE_SET)
def test_a_pattern_of_all_labels_is_recognised(data, tmp_path, name):
    change, changes, kind, fix = WHOLE_SET[name]
    edit_all_labels(data / "list", change)
    report = check(config_of(data / "list", **changes), tmp_path)
    kinds = {finding.kind for finding in report.findings}
    assert kind in kinds
    assert kinds <= {kind, "class_absent"}  # one cause, one name
    assert all(fix in finding.fix for finding in report.findings if finding.kind == kind)


def cityscapes_damage(root):
    train = root / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png"
    raw = root / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"
    other = root / "gtFine/train/bremen/bremen_000000_000019_gtFine_labelTrainIds.png"
    image = root / "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
    return train, raw, other, image


CITYSCAPES = {
    "label not prepared": (lambda t, r, o, i: t.unlink(), "missing_label", "prepare cityscapes"),
    "label lost": (lambda t, r, o, i: (t.unlink(), r.unlink()), "missing_label", "gtFine_trainvaltest.zip"),
    "image lost": (lambda t, r, o, i: i.unlink(), "extra_label", "leftImg8bit_trainvaltest.zip"),
    "labelIds under the other name": (lambda t, r, o, i: shutil.copy(r, t), "label_ids", "prepare cityscapes"),
    "label of another frame": (lambda t, r, o, i: shutil.copy(o, t), "stale_train_ids", "--overwrite"),
    "frame lost": (lambda t, r, o, i: (t.unlink(), i.unlink()), "count", "again"),
}


@pytest.mark.parametrize("name", CITYSCAPES)
def test_damage_to_cityscapes_is_found(data, tmp_path, name):
    damage, kind, fix = CITYSCAPES[name]
    damage(*cityscapes_damage(data / "cityscapes"))
    found = [f for f in check(cityscapes_config(data / "cityscapes"), tmp_path).findings if f.kind == kind]
    assert found and fix in found[0].fix


def test_without_the_note_of_generated_data_the_published_counts_are_asked_for(data, tmp_path):
    (data / "cityscapes/generated_by_paddleisa.json").unlink()
    counts = [f.problem for f in check(cityscapes_config(data / "cityscapes"), tmp_path).findings if f.kind == "count"]
    assert counts == ["4 images instead of the published 2975", "2 images instead of the published 500"]


def test_a_validation_image_in_aug_is_found(tmp_path):
    pytest.importorskip("scipy")
    from paddleisa.data.prepare.voc import prepare_voc

    root = tmp_path / "VOCdevkit"
    prepare_scenes(root, "voc", (3, 2), SIZE, workers=0, progress=False)
    prepare_voc(root, workers=0, progress=False, offline=True)
    parts = {"train": "trainaug", "val": "val"}
    values = {
        f"{w}_dataset": {"type": "PascalVOC", "dataset_root": str(root), "mode": m, "transforms": []}
        for w, m in parts.items()
    }
    assert check(Config.from_dict(values), tmp_path).findings == []
    aug = root / "VOC2012/ImageSets/Segmentation/aug.txt"
    aug.write_text(aug.read_text() + "2009_000000\n")
    shutil.copy(
        root / "VOC2012/SegmentationClass/2009_000000.png", root / "VOC2012/SegmentationClassAug/2009_000000.png"
    )
    found = {finding.kind: finding for finding in check(Config.from_dict(values), tmp_path).findings}
    assert "aug.txt" in found["val_in_aug"].file and "Remove the line" in found["val_in_aug"].fix
    assert "duplicate_across_splits" in found and "count" in found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_found(data, tmp_path):
    (data / "list" / IMAGE).chmod(0)
    assert "unreadable" in {finding.kind for finding in check(config_of(data / "list"), tmp_path).findings}


def test_a_folder_in_a_files_place_is_found(data, tmp_path):
    (data / "list" / IMAGE).unlink()
    (data / "list" / IMAGE).mkdir()
    assert "unreadable" in {finding.kind for finding in check(config_of(data / "list"), tmp_path).findings}


def test_the_model_s_classes_are_compared(data, tmp_path):
    values = config_of(data / "list").to_dict() | {"model": {"type": "ISANet", "num_classes": 19}}
    found = check(Config.from_dict(values), tmp_path).findings
    assert {finding.kind for finding in found} == {"num_classes"}
    assert "the model has 19 classes, the data 8" in found[0].problem


def test_an_interrupted_check_goes_on_where_it_was(data, tmp_path, monkeypatch):
    from paddleisa.data.check import check as module

    looked = []

    def examine(row, *others):
        if len(looked) == 5:
            raise KeyboardInterrupt
        looked.append(row)
        return original(row, *others)

    original = module.examine
    monkeypatch.setattr(module, "examine", examine)
    with pytest.raises(KeyboardInterrupt):
        check(config_of(data / "list"), tmp_path)
    cache = next((tmp_path / "cache").iterdir())
    cache.write_text(cache.read_text() + '[1, "half a li')  # what a kill leaves
    again = []
    monkeypatch.setattr(module, "examine", lambda row, *others: again.append(row) or original(row, *others))
    report = check(config_of(data / "list"), tmp_path)
    assert len(looked) == 5 and len(again) == 12 - 5
    assert report.findings == []


def test_the_cache_does_not_hide_a_change(data, tmp_path):
    assert check(config_of(data / "list"), tmp_path).findings == []
    edit_label(data / "list" / LABEL, lambda x: np.where(x == 0, 9, x))
    assert {finding.kind for finding in check(config_of(data / "list"), tmp_path).findings} == {"class_too_large"}


def test_a_cached_check_finds_what_the_first_one_found(data, tmp_path):
    for name in ("swapped labels", "duplicate across splits", "class id too large", "palette renumbered"):
        ONE_FILE[name][0](data / "list")
    first = check(config_of(data / "list"), tmp_path)
    assert first.findings and check(config_of(data / "list"), tmp_path).findings == first.findings


QUICKLY = (
    "missing label",
    "missing image",
    "broken symlink",
    "space in a name",
    "no list",
    "UTF-16 list",
    "truncated PNG",
)


@pytest.mark.parametrize("name", QUICKLY)
def test_the_quick_check_stops_at_what_training_would_stop_at(data, name):
    ONE_FILE[name][0](data / "list")
    with pytest.raises(DataError, match="paddleisa prepare check --config"):
        quick_check(config_of(data / "list"), "train")


@pytest.mark.parametrize("name", ["counted from 1", "stretched for viewing", "labelIds", "masks of 0 and 255"])
def test_the_quick_check_recognises_patterns(data, name):
    change, changes, _, fix = WHOLE_SET[name]
    edit_all_labels(data / "list", change)
    with pytest.raises(DataError) as caught:
        quick_check(config_of(data / "list", **changes), "val")
    assert fix in str(caught.value)


def test_a_config_without_that_split_passes_the_quick_check(data):
    values = config_of(data / "list").to_dict()
    del values["train_dataset"]
    quick_check(Config.from_dict(values), "train")


def few_classes(root, labels, num_classes, **changes):
    """The config of a set of images with these labels."""
    for number, label in enumerate(labels):
        noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).save(root / f"i{number}.png")
        Image.fromarray(np.asarray(label, np.uint8)).save(root / f"l{number}.png")
    (root / "train.txt").write_text("".join(f"i{n}.png l{n}.png\n" for n in range(len(labels))))
    part = {"type": "Dataset", "dataset_root": str(root), "train_path": "train.txt", "num_classes": num_classes}
    return Config.from_dict({"train_dataset": {**part, "transforms": [], **changes}})


ZEROS, EYE = np.zeros((8, 8)), np.eye(8)


@pytest.mark.parametrize(
    "labels, num_classes, words",
    [
        ([ZEROS] * 2, 1, "num_classes: 2, for the background counts as a class"),
        ([ZEROS] * 2, 3, "hold no class but 0"),
        ([ZEROS + 255, ZEROS + 255, *[EYE] * 9], 2, "every pixel is ignored (and 1 more)"),
    ],
    ids=["one class", "one class seen", "some ignored"],
)
def test_labels_that_teach_nothing_are_told_before_training(tmp_path, capsys, labels, num_classes, words):
    quick_check(few_classes(tmp_path, labels, num_classes), "train")
    assert words in capsys.readouterr().err


def test_labels_that_are_all_ignored_stop_the_training(tmp_path):
    with pytest.raises(DataError, match="every pixel of the 2 labels looked at is ignored"):
        quick_check(few_classes(tmp_path, [ZEROS + 255] * 2, 2), "train")
    with pytest.raises(DataError, match="every pixel of the 2 labels looked at is ignored"):
        quick_check(few_classes(tmp_path, [ZEROS] * 2, 2, reduce_zero_label=True), "train")


def test_a_mask_of_0_and_1_with_one_class_needs_a_second_class(tmp_path):
    found = check(few_classes(tmp_path, [EYE] * 3, 1), tmp_path).errors
    assert found and all(finding.fix.startswith("num_classes: 2") for finding in found)
