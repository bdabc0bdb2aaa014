"""A data set that describes itself in one file gets everything that the package's own have."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from paddleisa.config import Config, check
from paddleisa.config.signature import options_of
from paddleisa.data.check.check import check_config, quick_check
from paddleisa.datasets.base import PublicData
from paddleisa.datasets.classes import named_palettes
from paddleisa.datasets.layouts import PairedFolders, Source
from paddleisa.errors import ConfigError, DataError
from paddleisa.registry import DATASETS
from paddleisa.reproduce.preflight import data_commands, data_digest


@DATASETS.register
class ToyPonds(PublicData):
    """Water and land, counted from 1."""

    num_classes = 2
    class_names = ["water", "land"]
    palette = np.array([[0, 0, 200], [90, 120, 40]], np.uint8)
    reduce_zero_label = True
    counts = {"train": 3, "val": 2}
    layout = PairedFolders("photo/{part}/*.jpg", "truth/{part}/*_t.png", {"train": "a", "val": "b"})
    source = Source("data/ponds", "the folder ponds", "ponds.zip", "ponds.zip", get=("unzip ponds.zip -d {root}",))


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("a", 3), ("b", 2)):
        for kind in ("photo", "truth"):
            (tmp_path / kind / part).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / f"photo/{part}/{number}.jpg")
            Image.fromarray(np.array([[0, 1, 2, 255] * 2] * 6, np.uint8)).save(
                tmp_path / f"truth/{part}/{number}_t.png"
            )
    return tmp_path


def config(root):
    part = {"type": "ToyPonds", "dataset_root": str(root), "transforms": []}
    return Config.from_dict({f"{mode}_dataset": {**part, "mode": mode} for mode in ("train", "val")})


def full_check(root):
    return check_config(config(root), workers=0, cache=root / "cache", progress=False)


def test_a_config_may_give_its_modes_only_and_finds_it_at_its_root():
    part = {"type": "ToyPonds", "transforms": [], "mode": "val"}
    values = check(Config.from_dict({"val_dataset": part}), defaults=True)["val_dataset"]
    assert (values["dataset_root"], values["mode"]) == ("data/ponds", "val")
    with pytest.raises(ConfigError, match="one of train, val, not 'test'"):
        check(Config.from_dict({"val_dataset": {**part, "mode": "test"}}))


def test_a_data_set_derived_from_it_may_have_options_of_its_own():
    class DeepPonds(ToyPonds):
        def __init__(self, transforms: list, depth: int = 3):
            super().__init__(transforms)

    class MorePonds(ToyPonds):
        counts = {"train": 30, "val": 20}

    assert list(options_of(DeepPonds).known) == ["transforms", "depth"]
    assert options_of(MorePonds).known["mode"].default == "train" and "train (30 images)" in MorePonds.__doc__


def test_right_data_passes_the_full_check(root):
    report = full_check(root)
    assert report.findings == []
    assert report.to_dict()["splits"][0]["class_pixels"] == [3 * 12, 3 * 12]  # raw 1 is water, 0 and 255 are nothing


@pytest.mark.parametrize(
    "damage, kind, words",
    [
        (lambda r: (r / "truth/a/1_t.png").unlink(), "missing_label", "ponds.zip"),
        (lambda r: (r / "photo/a/1.jpg").unlink(), "extra_label", "ponds.zip"),
        (lambda r: [p.unlink() for p in r.glob("*/a/2*")], "count", "3"),
        (lambda r: Image.new("L", (8, 6), 3).save(r / "truth/b/0_t.png"), "class_too_large", "1 to 2"),
        (lambda r: Image.new("L", (8, 6), 0).save(r / "truth/b/0_t.png"), "no_class", "ignored"),
    ],
    ids=["label", "image", "pair", "value", "empty"],
)
def test_the_full_check_finds_what_is_wrong(root, damage, kind, words):
    damage(root)
    found = [finding for finding in full_check(root).findings if finding.kind == kind]
    assert found and words in f"{found[0].problem} {found[0].fix}"


def test_no_advice_changes_files_that_count_from_one_by_agreement(root):
    Image.new("L", (8, 6), 3).save(root / "truth/a/0_t.png")
    with pytest.raises(DataError, match="value 3, but there are 2 classes, 1 to 2") as caught:
        quick_check(config(root), "train")
    assert "ubtract" not in str(caught.value)


def test_its_samples_count_from_zero(root):
    assert ToyPonds([], str(root))[0]["label"][0, :4].tolist() == [255, 0, 1, 255]


def test_missing_data_is_told_with_the_archive(tmp_path):
    with pytest.raises(DataError, match="Set dataset_root to the folder ponds; ponds.zip has it"):
        ToyPonds([], str(tmp_path / "x"))


def test_its_palette_goes_by_its_name():
    np.testing.assert_array_equal(named_palettes()["toyponds"], ToyPonds.palette)


def test_reproduction_knows_how_to_get_it_and_fingerprints_it(root, tmp_path):
    assert data_commands({"type": "ToyPonds", "dataset_root": "/x/y"}) == ["unzip ponds.zip -d /x/y"]
    assert data_commands({"type": "ToyPonds", "dataset_root": str(root)}) == []
    before = data_digest(ToyPonds([], str(root)))
    Image.new("L", (80, 60), 1).save(root / "truth/a/0_t.png")
    assert data_digest(ToyPonds([], str(root))) != before
