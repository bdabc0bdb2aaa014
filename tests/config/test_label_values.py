"""One number says which pixels do not count; whatever repeats it says the same, or the config is refused."""

from __future__ import annotations

import pytest

from paddleisa.config import Config, check
from paddleisa.errors import ConfigError

DATA = {"type": "Dataset", "dataset_root": "data", "num_classes": 3}


def config(train=None, val=None, losses=({"type": "CrossEntropyLoss"},), transforms=()):
    """Two data sets with options, losses and training transforms. A data set that is False is not there."""
    values = {"loss": {"types": list(losses), "coef": [1.0] * len(losses)}}
    if train is not False:
        transforms = [*transforms, {"type": "Normalize"}]
        values["train_dataset"] = {**DATA, "mode": "train", "transforms": transforms, **(train or {})}
    if val is not False:
        values["val_dataset"] = {**DATA, "mode": "val", "transforms": [{"type": "Normalize"}], **(val or {})}
    return Config.from_dict(values, source="a.yml")


def problem(*args, **options):
    with pytest.raises(ConfigError) as caught:
        check(config(*args, **options))
    (found,) = caught.value.problems
    return str(found)


def crop(**options):
    return {"type": "RandomPaddingCrop", "crop_size": [32, 32], **options}


BOTH_4 = {"train": {"ignore_index": 4}, "val": {"ignore_index": 4}}


def test_with_255_everywhere_nothing_is_written_and_nothing_said():
    plain = config(transforms=[crop()])
    assert check(plain).to_dict() == plain.to_dict()
    assert check(plain).warnings == ()


def test_losses_follow_the_data():
    found = check(config(**BOTH_4, losses=[{"type": "CrossEntropyLoss"}, {"type": "DiceLoss"}]))
    assert [loss["ignore_index"] for loss in found["loss"]["types"]] == [4, 4]
    assert found.origin("loss.types.0.ignore_index") == "from train_dataset"


def test_losses_inside_a_mixed_loss_follow_too():
    mixed = {"type": "MixedLoss", "losses": [{"type": "CrossEntropyLoss"}, {"type": "DiceLoss"}], "coef": [1, 1]}
    found = check(config(**BOTH_4, losses=[mixed]))
    assert [loss["ignore_index"] for loss in found["loss"]["types"][0]["losses"]] == [4, 4]


@pytest.mark.parametrize(
    "transform",
    [
        crop(),
        {"type": "Padding", "target_size": [32, 32]},
        {"type": "PaddingByAspectRatio"},
        {"type": "RandomRotation"},
    ],
    ids=lambda transform: transform["type"],
)
def test_the_padding_of_labels_follows_the_data(transform):
    found = check(config(**BOTH_4, transforms=[transform]))
    assert found["train_dataset"]["transforms"][0]["label_padding_value"] == 4


def test_what_followed_is_told():
    (told,) = check(config(**BOTH_4, transforms=[crop()])).warnings
    assert told.startswith("a.yml: train_dataset.ignore_index: 4 holds for loss.types.0.ignore_index, ")
    assert "train_dataset.transforms.0.label_padding_value" in told


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "OhemCrossEntropyLoss", "DiceLoss"])
def test_a_loss_that_ignores_another_value_is_refused_with_both_places(loss):
    told = problem(losses=[{"type": loss, "ignore_index": 1}])
    assert told.startswith(
        "a.yml: loss.types.0.ignore_index: 1 is ignored here, 255 in train_dataset by default, a.yml"
    )
    assert "Remove ignore_index here" in told


def test_a_loss_inside_a_mixed_loss_is_compared_too():
    mixed = {"type": "MixedLoss", "losses": [{"type": "CrossEntropyLoss", "ignore_index": 0}], "coef": [1]}
    assert "loss.types.0.losses.0.ignore_index: 0 is ignored here" in problem(losses=[mixed])


@pytest.mark.parametrize(("train", "val"), [(None, 0), (0, None), (4, 5)])
def test_data_sets_that_ignore_different_values_are_refused(train, val):
    given = [None if value is None else {"ignore_index": value} for value in (train, val)]
    told = problem(*given)
    assert "Give both data sets the same ignore_index" in told
    assert f"{255 if train is None else train}" in told and f"{255 if val is None else val}" in told


def test_the_value_that_a_class_has_counts_like_a_given_one():
    city = {"type": "Cityscapes", "mode": "train", "transforms": [{"type": "Normalize"}]}
    values = {"train_dataset": city, "val_dataset": {**DATA, "mode": "val", "num_classes": 19, "ignore_index": 7}}
    values["val_dataset"]["transforms"] = [{"type": "Normalize"}]
    with pytest.raises(ConfigError, match="7 is ignored in val_dataset, 255 in train_dataset by default"):
        check(Config.from_dict(values))


def test_padding_that_counts_as_a_class_is_a_warning():
    (told,) = check(config(transforms=[crop(label_padding_value=0)])).warnings
    assert "label_padding_value: padding counts as pixels of class 0; ignored is 255" in told


def test_padding_that_is_no_class_and_not_ignored_is_refused():
    assert "254 is none of 3 classes and not what is ignored: 255" in problem(
        transforms=[crop(label_padding_value=254)]
    )


def test_a_class_that_is_ignored_is_a_warning():
    warnings = check(config({"ignore_index": 0}, {"ignore_index": 0})).warnings
    assert "class 0 of the 3 is neither trained nor scored" in warnings[0]


def test_one_data_set_alone_is_followed_too():
    found = check(config(train=False, val={"ignore_index": 9}))
    assert found["loss"]["types"][0]["ignore_index"] == 9


@pytest.mark.parametrize("kind", ["Dataset", "Scenes", "Cityscapes", "PascalVOC", "ADE20K"])
def test_val_dataset_without_mode_means_the_validation_part(kind):
    options = {key: value for key, value in DATA.items() if key != "type"} if kind == "Dataset" else {}
    data = {"type": kind, "transforms": [{"type": "Normalize"}], **options}
    found = check(Config.from_dict({"val_dataset": data}), defaults=True)
    assert found["val_dataset"]["mode"] == "val"
    assert found.origin("val_dataset.mode") == "default under val_dataset"


@pytest.mark.parametrize(("part", "mode"), [("train_dataset", "val"), ("val_dataset", "train")])
def test_the_wrong_part_in_a_data_set_is_told(part, mode):
    found = check(config({"mode": mode} if part[0] == "t" else None, {"mode": mode} if part[0] == "v" else None))
    assert f"{part}.mode: {part} is the {mode} part of its data" in found.warnings[0]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("class_names", ["a", "b"], "there are 2 class_names for 3 classes"),
        ("palette", [[0, 0, 0]], "the palette has 1 colours for 3 classes"),
        ("palette", "cityscapes", "the palette has 19 colours for 3 classes"),
        ("palette", "citiscapes", "there is no palette 'citiscapes'. Did you mean 'cityscapes'?"),
    ],
)
def test_names_and_colours_that_are_not_one_per_class_are_refused_before_building(option, value, told):
    assert problem({option: value}).startswith(f"a.yml: train_dataset.{option}: {told}")
