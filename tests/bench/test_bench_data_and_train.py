"""``paddleisa bench data`` and ``bench train`` from the command line."""

import json

import numpy as np
import pytest

from paddleisa.bench.train import crop_size
from paddleisa.config import Config

SCENES = "isanet_resnet18_os8_scenes_128x128_200"
SMALL = [f"{part}_dataset.{side}" for part in ("train", "val") for side in ("height=32", "width=64")]
DATA = ("bench", "data", "--frames", 4, "--repeats", 2, "--opts", *SMALL)
CROP = "train_dataset.transforms.1.crop_size=[48, 40]"
TRAIN = ("bench", "train", "--device", "cpu", "--iters", 2, "--batch_size", 2, "--opts", "model.isa_channels=8", CROP)


@pytest.fixture
def found(call, tmp_path, in_this_process):
    def run(*words):
        answer = call(*words, "--json", tmp_path / "r.json")
        assert answer.code == 0
        return json.loads((tmp_path / "r.json").read_text()), answer.out

    return run


def test_reading_is_measured_for_every_number_of_threads(found, same_as_printed, tmp_path):
    result, text = found(*DATA, "--num_workers", 1, "--plot", tmp_path / "d.png")
    rates, shares = (table["rows"] for table in result["tables"])
    assert [(row["split"], row["workers"]) for row in rates] == [("train", 0), ("train", 1), ("val", 0), ("val", 1)]
    for row in rates:
        assert row["frames_per_s"] == pytest.approx(np.median(row["rates"]))
        assert len(row["rates"]) == 2
    assert (tmp_path / "d.png").stat().st_size > 10_000
    same_as_printed(result, text)


def test_the_shares_are_those_of_the_steps_that_run_and_make_up_the_whole(found):
    result, _ = found(*DATA, "--num_workers", 0)
    shares = result["tables"][1]["rows"]
    train = {row["step"]: row for row in shares if row["split"] == "train"}
    assert list(train) == ["read and decode", "ScaleAndCrop", "RandomHorizontalFlip", "RandomDistort", "Normalize",
                           "layout and the rest"]  # fmt: skip
    assert sum(row["percent"] for row in train.values()) == pytest.approx(100)
    assert min(row["ms"] for row in train.values()) >= 0


def test_a_data_set_that_is_not_there_is_the_users_mistake(call, tmp_path):
    answer = call("bench", "data", "--config", "isanet_resnet50_os8_voc12aug_512x512_40k", "--opts",
                  f"train_dataset.dataset_root={tmp_path}/no", f"val_dataset.dataset_root={tmp_path}/no")  # fmt: skip
    assert answer.code == 2
    assert answer.out == ""
    assert f"{tmp_path}/no" in answer.err


@pytest.mark.parametrize("source", [("--input_size", 64, 32), ("--real_data",)], ids=["random", "real"])
def test_a_step_is_the_sum_of_its_parts(found, same_as_printed, source):
    result, text = found(*TRAIN, *source)
    (row,) = result["tables"][0]["rows"]
    assert len(row["seconds"]) == 2
    assert row["step_ms"] == pytest.approx(1e3 * np.median(row["seconds"]))
    parts = [row[f"{part}_ms"] for part in ("batch", "forward", "backward", "optimizer")]
    assert sum(parts) == pytest.approx(row["step_ms"])  # medians of two are means, which add up
    assert row["images_per_s"] == pytest.approx(2 / row["step_ms"] * 1e3)
    assert row["batch"] == ("2 x 64x32" if "--input_size" in source else "2 x 48x40")
    same_as_printed(result, text)


def test_a_precision_that_the_device_lacks_is_a_row_with_its_reason(found, tmp_path):
    small = ("--input_size", 32, 32, "--plot", tmp_path / "t.svg")
    result, text = found(*TRAIN, *small, "--precision", "fp16", "bf16")
    fp16, bf16 = result["tables"][0]["rows"]
    assert "fp16 needs a GPU" in fp16["problem"]
    assert bf16["step_ms"] > 0
    assert "* bf16: Paddle's autocast has no effect on CPUs: bf16 is computed in float32" in text
    assert "<!-- cannot run -->" in (tmp_path / "t.svg").read_text()


def test_the_size_of_the_images_is_what_the_last_of_the_transforms_makes():
    transforms = [{"type": "Resize", "target_size": [9, 8]}, {"type": "RandomPaddingCrop", "crop_size": [7, 6]}]
    config = {"train_dataset": {"transforms": transforms}}
    assert crop_size(Config.from_dict(config, name="x")) == (7, 6)


def test_a_config_that_does_not_say_how_large_its_images_are_asks_for_it(call):
    answer = call(*TRAIN, "--config", SCENES, "--opts", "train_dataset.transforms=[{type: Normalize}]")
    assert answer.code == 2
    assert "Give --input_size W H" in answer.err
