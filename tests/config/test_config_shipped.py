"""The configs that we ship, with the real components, and PaddleSeg's own files of the four rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleisa.config import check, read_config, shipped_configs

HERE = Path(__file__).parent
ROWS = sorted(name for name, path in shipped_configs().items() if path.parent.name == "isanet")


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_a_shipped_config_is_fit_for_training_and_evaluation(name):
    config = check(read_config(name), "train")
    assert check(read_config(name), "val") == config
    assert config.name == name
    assert config.warnings == ()


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_a_shipped_config_begins_with_its_row_commands_and_batch(name):
    head = shipped_configs()[name].read_text().split("\n_base_:")[0].split("\nbatch_size:")[0]
    for words in ("ISANet (arXiv:1907.12273)", "otal batch:", f"--config {name}", "# Train:", "# Evaluate:"):
        assert words in head


def test_the_rows_are_the_four_published_ones():
    assert ROWS == [
        "isanet_resnet101_os8_cityscapes_769x769_80k",
        "isanet_resnet101_os8_voc12aug_512x512_40k",
        "isanet_resnet50_os8_cityscapes_769x769_80k",
        "isanet_resnet50_os8_voc12aug_512x512_40k",
    ]


@pytest.mark.parametrize("era", ["today", "2021"])
@pytest.mark.parametrize("name", ROWS)
def test_paddlesegs_own_file_means_the_same_as_ours(name, era):
    theirs = check(read_config(HERE / f"paddleseg_{era}" / "isanet" / f"{name}.yml"), "train")
    ours = check(read_config(name), "train")
    assert ours.differences(theirs) == []
    assert theirs == ours


@pytest.mark.parametrize(
    ("name", "facts"),
    [  # from the table of facts: weight decay, classes, align_corners, batch, iterations, mode, val size
        ("isanet_resnet50_os8_cityscapes_769x769_80k", (1e-5, 19, False, 2, 80000, "train", [2049, 1025])),
        ("isanet_resnet101_os8_cityscapes_769x769_80k", (1e-5, 19, False, 2, 80000, "train", [2049, 1025])),
        ("isanet_resnet50_os8_voc12aug_512x512_40k", (1e-5, 21, True, 4, 40000, "trainaug", [512, 512])),
        ("isanet_resnet101_os8_voc12aug_512x512_40k", (4e-5, 21, True, 4, 40000, "trainaug", [512, 512])),
    ],
)
def test_a_row_has_its_published_settings(name, facts):
    config = check(read_config(name), "train", defaults=True)
    model, optimizer = config["model"], config["optimizer"]
    assert facts == (
        optimizer["weight_decay"],
        model["num_classes"],
        model["align_corners"],
        config["batch_size"],
        config["iters"],
        config["train_dataset"]["mode"],
        config["val_dataset"]["transforms"][0]["target_size"],
    )
    assert (optimizer["momentum"], model["isa_channels"], model["backbone"]["output_stride"]) == (0.9, 256, 8)
    assert config["loss"]["coef"] == [1, 0.4]
    schedule = {key: config["lr_scheduler"][key] for key in ("type", "learning_rate", "end_lr", "power")}
    assert schedule == {"type": "PolynomialDecay", "learning_rate": 0.01, "end_lr": 0, "power": 0.9}
