"""The recipes of ISA's authors: what their scripts and configs say of each training, beside our configs."""

import numpy as np
import pytest

from paddleisa.build import build_optimizer
from paddleisa.config import check, read_config, shipped_configs
from paddleisa.datasets import LIP
from paddleisa.inference.settings import inference_settings

R101, HRNET = "deepbase_resnet101_dilated8", "hrnet_w48"
# crop (width, height), short side, images of a step, iterations, rate, factor of the head, weight decay, largest scale
FACTS = {
    f"isanet_{R101}_cityscapes": ("Cityscapes", "train", (1024, 512), None, 8, 40000, 0.01, 1, 5e-4, 2.0),
    f"isanet_{HRNET}_cityscapes_1024x512_80k": ("Cityscapes", "train", (1024, 512), None, 8, 80000, 0.01, 1, 5e-4, 2.0),
    f"isanet_{HRNET}_ade20k_520x520_150k": ("ADE20K", "train", (520, 520), 520, 16, 150000, 0.02, 1, 1e-4, 2.0),
    f"isanet_{HRNET}_coco_stuff10k_520x520_60k": (
        "CocoStuff10k", "train", (520, 520), 520, 16, 60000, 0.001, 10, 1e-4, 2.0),
    f"isanet_{HRNET}_lip_473x473_100k": ("LIP", "train", (473, 473), None, 32, 100000, 0.007, 1, 5e-4, 1.5),
    f"isanet_{HRNET}_pascal_context_520x520_60k": (
        "PascalContext59", "train", (520, 520), 520, 16, 60000, 0.001, 10, 1e-4, 2.0),
    f"isanet_{R101}_pascal_context_520x520_30k": (
        "PascalContext59", "train", (520, 520), 520, 16, 30000, 0.001, 10, 1e-4, 2.0),
    f"isanet_{HRNET}_voc12aug_513x513_60k": ("PascalVOC", "trainaug", (513, 513), 513, 16, 60000, 0.001, 10, 1e-4, 2.0),
    f"isanet_{R101}_voc12aug_513x513_60k": ("PascalVOC", "trainaug", (513, 513), 513, 16, 60000, 0.001, 10, 1e-4, 2.0),
}  # fmt: skip
WEIGHTS = ".8373 .918 .866 1.0345 1.0166 .9969 .9754 1.0489 .8786 1.0023 .9539 .9843 1.1116 .9037 1.0865 1.0955 1.0865"
WEIGHTS = [float(word) for word in f"{WEIGHTS} 1.1529 1.0507".split()]
CLASSES = {"Cityscapes": 19, "ADE20K": 150, "CocoStuff10k": 171, "LIP": 20, "PascalContext59": 59, "PascalVOC": 21}
pytestmark = pytest.mark.parametrize("name", FACTS)


@pytest.fixture
def config(name):
    return check(read_config(name), "train", defaults=True)


def test_a_recipe_has_its_schedule_and_rates(name, config):
    data, mode, _, _, total, iters, rate, factor, decay, _ = FACTS[name]
    assert (config["train_dataset"]["type"], config["train_dataset"]["mode"]) == (data, mode)
    assert (4 * config["batch_size"], config["iters"], config["model"]["num_classes"]) == (total, iters, CLASSES[data])
    schedule, optimizer = config["lr_scheduler"], config["optimizer"]
    keys = ("type", "learning_rate", "end_lr", "power", "warmup_iters")
    assert [schedule[key] for key in keys] == ["PolynomialDecay", rate, 0, 0.9, 0]
    assert (optimizer["type"], optimizer["momentum"], optimizer["use_nesterov"]) == ("SGD", 0.9, False)
    assert optimizer["weight_decay"] == decay
    rule, _ = build_optimizer(config)
    assert [(group.name, group.lr_mult) for group in rule.groups] == ([("head", 10)] if factor == 10 else [])


def test_a_recipe_augments_in_the_authors_order(name, config):
    data, _, crop, side, *_, top = FACTS[name]
    steps = {step["type"]: step for step in config["train_dataset"]["transforms"]}
    resize = ["Resize"] if data == "LIP" else [] if side is None else ["ResizeByShort"]
    tail = ["RandomBrightnessShift", "Normalize", "Padding"]
    scale_and_crop = ["ResizeStepScaling", "RandomPaddingCrop"]
    if data == "Cityscapes":
        assert list(steps) == [*scale_and_crop, "RandomHorizontalFlip", *tail]
    else:
        assert list(steps) == ["RandomHorizontalFlip", *resize, *scale_and_crop, *tail]
    scale = steps["ResizeStepScaling"]
    assert (scale["min_scale_factor"], scale["max_scale_factor"], scale["scale_step_size"]) == (0.5, top, 0)
    assert (tuple(scale["aspect_range"]), scale["interp"], scale["as_bytes"]) == ((0.9, 1.1), "CUBIC", True)
    assert tuple(steps["RandomPaddingCrop"]["crop_size"]) == tuple(steps["Padding"]["target_size"]) == crop
    assert (steps["RandomPaddingCrop"]["padding"], steps["Padding"]["position"]) == (False, "random")
    assert (steps["Padding"]["im_padding_value"], steps["Padding"]["label_padding_value"]) == (0, 255)
    assert (steps["RandomBrightnessShift"]["max_shift"], steps["RandomBrightnessShift"]["prob"]) == (10, 1.0)
    assert steps["RandomHorizontalFlip"]["prob"] == 0.5
    for kind in resize:
        assert (steps[kind]["interp"], steps[kind]["as_bytes"]) == ("CUBIC", True)
        assert steps[kind].get("short_size", 473) == (side or 473)


def test_a_recipe_is_measured_by_the_authors_protocol(name, config):
    data, _, _, side, *_ = FACTS[name]
    test, steps = config["test_config"], config["val_dataset"]["transforms"]
    assert (test["protocol"], test["flip_horizontal"], test["aug_eval"]) == ("openseg", True, False)
    scales = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert test["scales"] == (scales[:5] if data == "LIP" else scales)
    augmented = inference_settings(test, {"aug_eval": True})
    assert len(augmented.scales) == (5 if data == "LIP" else 7) and augmented.flip_horizontal
    assert inference_settings(test).is_single
    resize = {"LIP": ["Resize"], "Cityscapes": []}.get(data, ["ResizeByShort"])
    assert [step["type"] for step in steps] == [*resize, "Normalize", *(["Padding"] if side == 520 else [])]
    if side == 520:
        assert (steps[-1]["size_divisor"], steps[-1]["position"], steps[-1]["im_padding_value"]) == (
            8,
            "right_bottom",
            0,
        )
    exchanged = [tuple(pair) for pair in test["swapped_labels"] or ()]
    flip = next(step for step in config["train_dataset"]["transforms"] if step["type"] == "RandomHorizontalFlip")
    assert exchanged == [tuple(pair) for pair in flip["swapped_labels"] or ()]
    assert exchanged == (list(LIP.mirrored_classes) if data == "LIP" else [])


def test_a_recipe_normalises_as_its_backbone_needs(name, config):
    for part in ("train_dataset", "val_dataset"):
        (step,) = [step for step in config[part]["transforms"] if step["type"] == "Normalize"]
        mean, std = (np.broadcast_to(np.array(step[key]) * 255, 3) for key in ("mean", "std"))
        if HRNET in name:
            np.testing.assert_allclose([mean / 255, std / 255], [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        else:
            np.testing.assert_allclose([mean, std], [[122.7717, 115.9465, 102.9801], [1, 1, 1]], rtol=1e-6)


def test_a_recipe_has_the_authors_loss(name, config):
    terms, coef = config["loss"]["types"], config["loss"]["coef"]
    assert coef == ([1] if HRNET in name else [1, 0.4]) and len(terms) == len(coef)
    if "ade20k" in name:
        (term,) = terms
        assert (term["type"], term["thresh"], term["min_kept"]) == ("OhemCrossEntropyLoss", 0.9, 100000)
        return
    for term in terms:
        assert term["type"] == "CrossEntropyLoss"
        assert term["weight"] == (WEIGHTS if "cityscapes" in name else None)


def test_a_recipe_says_what_score_is_known_and_that_nobody_has_reproduced_it(name):
    head = shipped_configs()[name].read_text().split("\n_base_:")[0]
    if name == f"isanet_{R101}_cityscapes":
        assert "Published mIoU: 79.55 single scale (openseg.pytorch, MODEL_ZOO.md)" in head
        assert "Nobody has loaded the checkpoint or reproduced the score here" in head
    else:
        assert "No score of this training is known" in head and "Nobody has trained it here" in head
        assert "# Settings: " in head and "openseg.pytorch" in head
