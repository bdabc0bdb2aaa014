"""Rehearsal data of every data set that describes its layout: written, prepared, and found right by the full check."""

import pytest

from paddleisa.config import Config
from paddleisa.data.check.check import check_config
from paddleisa.data.prepare.by_table import prepare_by_table
from paddleisa.data.prepare.scene_layouts import writer_of
from paddleisa.data.prepare.scenes import prepare_scenes
from paddleisa.errors import UsageError
from paddleisa.registry import DATASETS

KINDS = ["ADE20K", "CocoStuff", "CocoStuff10k", "LIP", "OpticDiscSeg", "PascalContext", "PascalContext59", "PascalVOC"]
SIZE = (128, 64)


def rehearse(kind, root):
    prepare_scenes(root, kind, (4, 2), SIZE, workers=0, progress=False)
    if DATASETS.get(kind).raw_table is not None:
        prepare_by_table(root, kind, workers=0, progress=False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rehearsal_passes_the_full_check_and_is_read(tmp_path, kind):
    if DATASETS.get(kind).source.matrix:
        pytest.importorskip("scipy")
    root = tmp_path / "data"
    rehearse(kind, root)
    parts = {m: {"type": kind, "dataset_root": str(root), "mode": m, "transforms": []} for m in ("train", "val")}
    config = Config.from_dict({f"{mode}_dataset": part for mode, part in parts.items()})
    report = check_config(config, workers=0, cache=tmp_path / "cache", progress=False)
    assert report.findings == []
    assert [len(part.rows) for part in report.parts] == [4, 2]
    data = DATASETS.get(kind)([], str(root), "train")
    assert all(data[number]["label"].shape == SIZE[::-1] for number in range(4))


def test_classes_of_the_same_name_are_the_same(tmp_path):
    rehearse("ADE20K", tmp_path / "data")
    data = DATASETS.get("ADE20K")([], str(tmp_path / "data"))
    seen = {data.class_names[k] for n in range(4) for k in set(data[n]["label"].ravel().tolist()) - {255}}
    assert (
        {"road", "sky", "building", "tree"}
        <= seen
        <= {*["road", "sidewalk", "building", "pole", "tree", "sky", "person", "car"]}
    )


def test_a_data_set_without_files_has_no_layout(tmp_path):
    with pytest.raises(UsageError, match="Scenes describes no layout"):
        prepare_scenes(tmp_path, "Scenes", workers=0, progress=False)


def test_the_next_command_prepares_what_needs_it(tmp_path):
    assert writer_of("CocoStuff").next_command("x") == "paddleisa prepare dataset CocoStuff x"
    assert writer_of("voc").next_command("x") == "paddleisa prepare voc x"
