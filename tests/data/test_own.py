"""From a folder to labels, lists and a config that a training accepts."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from paddleisa.config import check, read_config
from paddleisa.config.inherit import find_config
from paddleisa.data.check.check import check_config
from paddleisa.data.prepare.own.own import Wishes, make_labels, prepare_own
from paddleisa.data.prepare.own.recipe import Machine, Numbers, choose, starting_model
from paddleisa.datasets import read_label
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import DataError, UsageError

COUNT = 12
COLOURS = 255 - Scenes([], num_images=1).palette  # of no known data set


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Twelve scenes with masks in colours, whose ignored pixels are black."""
    root = tmp_path_factory.mktemp("drawn")
    scenes = Scenes([], "train", COUNT, 64, 128)
    colours = np.zeros((256, 3), np.uint8)
    colours[:8] = COLOURS
    for kind in ("images", "masks"):
        (root / kind).mkdir()
    for number in range(COUNT):
        sample = scenes.read(number)
        Image.fromarray(sample["img"]).save(root / f"images/s {number:02}.png")
        Image.fromarray(colours[sample["label"]]).save(root / f"masks/s {number:02}.png")
    return root


@pytest.fixture
def folder(drawn, tmp_path):
    """A copy of them, to be worked on."""
    return Path(shutil.copytree(drawn, tmp_path / "my data"))


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.*") if path.is_file()}


def test_what_is_written_passes_the_full_check_and_the_config_check(folder):
    done = prepare_own(folder, progress=False)
    config = read_config(str(done.config))
    assert check_config(config, workers=0, cache=folder / "cache", progress=False).errors == []
    checked = check(config, "train")
    assert checked["model"]["num_classes"] == len(done.names) == checked["train_dataset"]["num_classes"]
    assert sum(done.counts.values()) == COUNT and min(done.counts.values()) > 0


def test_labels_hold_the_numbers_of_the_named_classes(folder):
    done = prepare_own(folder, progress=False)
    scenes = Scenes([], "train", COUNT, 64, 128)
    for number, (_, label) in enumerate(done.rows):
        truth = scenes.read(number)["label"]
        written = read_label(label)
        for k in range(8):
            of_class = written[truth == k]
            assert of_class.size == 0 or tuple(done.palette[of_class[0]]) == tuple(COLOURS[k])
            assert len(set(of_class.tolist())) <= 1


def test_nothing_of_the_user_is_touched(folder):
    before = digests(folder)
    prepare_own(folder, progress=False)
    after = digests(folder)
    assert {path: after[path] for path in before} == before


def test_a_second_run_writes_the_same_and_a_changed_label_stops_it(folder):
    done = prepare_own(folder, progress=False)
    before = digests(folder)
    prepare_own(folder, progress=False)
    assert digests(folder) == before
    Image.new("L", (128, 64)).save(done.rows[0][1])
    with pytest.raises(DataError, match="--overwrite"):
        prepare_own(folder, progress=False)
    prepare_own(folder, wishes=Wishes(overwrite=True), progress=False)
    assert digests(folder) == before


def test_the_background_can_be_left_out(folder, tmp_path):
    kept = make_labels(folder, tmp_path / "with", Wishes(), progress=False)
    done = make_labels(folder, tmp_path / "without", Wishes(ignore_background=True), progress=False)
    assert done.names == kept.names[1:]
    for row, again in zip(kept.rows, done.rows, strict=True):
        one, other = read_label(row[1]).astype(int), read_label(again[1])
        np.testing.assert_array_equal(other, np.where(one == 0, 255, one - 1))


def test_a_class_that_is_no_background_is_not_left_out(folder, tmp_path):
    (folder / "classes.txt").write_text("".join(f"c{n} {r} {g} {b}\n" for n, (r, g, b) in enumerate(COLOURS)))
    with pytest.raises(UsageError, match="class 0 is 'c0'"):
        make_labels(folder, tmp_path / "out", Wishes(ignore_background=True), progress=False)


def test_frames_of_a_group_stay_on_one_side(folder):
    done = prepare_own(folder, group=r"^(s \d)", progress=False)  # two groups: s 0x and s 1x
    lists = [(folder / f"paddleisa/{mode}.txt").read_text() for mode in ("train", "val")]
    assert sorted({line[9:10] for line in text.splitlines()} for text in lists) == [{"0"}, {"1"}]
    assert sorted(done.counts.values()) == [2, 10]


def test_every_number_of_the_config_has_its_reason_and_the_user_s_own_are_taken(folder):
    done = prepare_own(folder, numbers=Numbers((64, 32), 3, 77, 0.02), progress=False)
    text = done.config.read_text()
    values = yaml.safe_load(text)
    assert (values["batch_size"], values["iters"], values["lr_scheduler"]["learning_rate"]) == (3, 77, 0.02)
    assert values["train_dataset"]["transforms"][1]["crop_size"] == [64, 32]
    lines = text.splitlines()
    for key in ("batch_size", "iters", "learning_rate", "crop_size"):
        number = next(n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
        assert lines[number - 1].strip().startswith("# ")


@pytest.mark.parametrize(
    "machine, crop, batch", [(Machine(2, 16, 0), (448, 320), 4), (Machine(8, 64, 24), (512, 512), 16)]
)
def test_the_numbers_follow_the_machine_and_the_images(machine, crop, batch):
    start = starting_model("isanet_efficientnet_lite0_os16_camvid_448x320_600")
    recipe = choose(np.array([[1280, 360]] * 100), machine, start)
    assert recipe.crop == crop and recipe.batch == batch


def test_a_larger_set_gets_more_steps_within_bounds():
    start = starting_model()
    steps = [choose(np.full((n, 2), 300), Machine(2, 16, 0), start).iters for n in (4, 100, 1000, 10**6)]
    assert steps == sorted(steps) and steps[0] == 200 and steps[-1] == 3000 and steps[1] < steps[2]


@pytest.mark.parametrize("share", [0, 1, 2])
def test_a_share_that_is_none_is_refused(folder, share):
    with pytest.raises(UsageError, match="no share"):
        prepare_own(folder, val_share=share, progress=False)


def test_a_mask_of_another_size_is_named(folder):
    Image.new("RGB", (9, 9)).save(folder / "masks/s 03.png")
    with pytest.raises(DataError, match="s 03.png: the annotation is 9x9 pixels, its image 128x64"):
        prepare_own(folder, progress=False)


def test_images_are_normalised_and_enlarged_as_the_weights_to_start_from_saw_them(folder):
    start = yaml.safe_load(find_config("isanet_efficientnet_lite0_os16_camvid_448x320_600").read_text())
    written = yaml.safe_load(prepare_own(folder, progress=False).config.read_text())
    # rows of 64 pixels become 256: towards the 720 that the weights saw, four times as many at most
    assert written["val_dataset"]["transforms"][0] == {"type": "ResizeByShort", "short_size": 4 * 64}
    assert written["val_dataset"]["transforms"][1] == start["val_dataset"]["transforms"][1]
    assert written["train_dataset"]["transforms"][-1] == start["train_dataset"]["transforms"][-1]
    assert written["train_dataset"]["transforms"][0]["min_scale_factor"] == 0.75 * 4


def test_the_optimizer_is_that_of_the_weights_to_start_from(folder):
    written = yaml.safe_load(prepare_own(folder, progress=False).config.read_text())
    assert written["optimizer"]["type"] == "AdamW" and "backbone._conv_stem" in written["optimizer"]["freeze"]
