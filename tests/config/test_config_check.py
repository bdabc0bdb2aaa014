"""Every value is checked against the constructor that will get it, before anything is built."""

from __future__ import annotations

import pytest

from paddleisa.config import Config, check, read_config
from paddleisa.errors import ConfigError


@pytest.fixture
def checked(fakes, write):
    """``checked("a.b=1", purpose=...)``: the valid config with options, checked."""
    path = write("a.yml", fakes.VALID)
    return lambda *opts, purpose="train", **options: check(read_config(path, opts), purpose, **options)


def problems(checked, *opts, **options):
    with pytest.raises(ConfigError) as caught:
        checked(*opts, **options)
    return [str(problem) for problem in caught.value.problems]


def test_a_valid_config_keeps_its_values(checked, write):
    config = checked()
    assert config["model"]["down_factor"] == [4, 8]
    assert config["optimizer"]["custom_cfg"] == [{"name": "backbone", "lr_mult": 0.1}]
    assert config.origin("model.backbone.output_stride") == "a.yml:8"


def test_checking_twice_changes_nothing(checked):
    config = checked()
    assert check(config, "train") == config


def test_a_whole_number_given_for_a_float_becomes_one(checked):
    config = checked("lr_scheduler.power=2")
    assert repr(config["lr_scheduler"]["power"]) == "2.0"
    assert repr(config["loss"]["coef"]) == "[1.0, 0.4]"
    assert repr(config["loss"]["types"][1]["losses"][1]["weight"]) == "[1.0, 2.0]"


@pytest.mark.parametrize(
    ("opt", "expected"),
    [
        (
            "model.down_facto=1",
            "model.down_facto: Net has no option 'down_facto'. Did you mean 'down_factor'? It accepts: "
            "align_corners, backbone, down_factor, enable_auxiliary_loss, num_classes",
        ),
        ("modle={}", "modle: the config has no key 'modle'. Did you mean 'model'?"),
        ("test_config.aug_evl=1", "test_config.aug_evl: test_config has no key 'aug_evl'. Did you mean 'aug_eval'?"),
        ("optimizer.custom_cfg.0.nam=a", "optimizer.custom_cfg.0.nam: an item of custom_cfg has no key 'nam'. Did you"),
        ("model.type=Nett", "model.type: there is no model 'Nett'. Did you mean 'Net'? Choose one of: Net, PlainNet"),
        ("model.type=[1]", "model.type: must be the name of a model, not [1]"),
        (
            "model.backbone=8",
            "model.backbone: must be a backbone (a mapping with `type`), not 8. For example: {type: S",
        ),
        ("model.backbone=Stem", "not 'Stem'. Write {type: Stem}"),
        ("model.backbone={output_stride: 8}", "model.backbone: a backbone needs its `type`. Choose one of: Stem"),
        ("model=null", "'model' is needed for train and not given"),
        ("train_dataset.transforms={type: Flip}", "transforms: must be a list, each item a transform"),
        ("train_dataset.transforms.1=7", "train_dataset.transforms.1: must be a transform"),
        (
            "train_dataset.transforms.0={type: Crop}",
            "transforms.0: Crop needs the option 'crop_size': a list of 2 values",
        ),
        (
            "model.backbone.pretrained=yes",
            "not true. YAML takes yes, no, on, off, true and false for booleans: quote them",
        ),
        (
            "iters='8'",
            "iters: must be a whole number greater than 0 and at most 1000000000, not '8'. Write 8 without quotes",
        ),
        ("iters=8.0", "iters: must be a whole number greater than 0 and at most 1000000000, not 8.0. Write 8"),
        ("iters=8.5", "not 8.5"),
        ("iters=true", "iters: must be a whole number greater than 0 and at most 1000000000, not true"),
        ("iters=0", "iters: must be a whole number greater than 0 and at most 1000000000, not 0"),
        ("iters={type: Net}", "iters: must be a whole number"),
        ("model.align_corners=1", "model.align_corners: must be true or false, not 1"),
        ("model.align_corners='False'", "not 'False'. Write False without quotes"),
        ("model.down_factor=[1, 2, 3]", "must be a list of 2 values, each a whole number, not [1, 2, 3]"),
        ("model.down_factor=8", "model.down_factor: must be a list of 2 values, each a whole number, not 8"),
        ("model.backbone.output_stride=4", "model.backbone.output_stride: must be one of 8, 16, not 4"),
        ("train_dataset.mode=vall", "one of train, val, not 'vall'. Did you mean 'val'?"),
        ("train_dataset.transforms.1.prob=1.5", "prob: must be a number at least 0 and at most 1, not 1.5"),
        ("optimizer.weight_decay=true", "weight_decay: must be a number at least 0, not true"),
        ("model.backbone.pretrained=3", "pretrained: must be text or null, not 3"),
        ("loss=3", "loss: must be a mapping with types, coef, not 3"),
        ("loss={coef: [1, 1]}", "loss: loss needs the option 'types'"),
        ("loss.types.1.losses.0.type=Entrop", "loss.types.1.losses.0.type: there is no loss 'Entrop'. Did you mean"),
        ("plugins=3", "plugins: must be a list, each item text, not 3"),
        ("precision=fp61", "one of fp32, fp16, bf16, not 'fp61'. Did you mean 'fp16'?"),
    ],
)
def test_a_wrong_value_is_named_with_cause_and_remedy(checked, opt, expected):
    found = problems(checked, opt)
    assert found[0].startswith(f"--opts {opt}: ")
    assert expected in found[0]
    assert len(found) == 1


def test_all_problems_come_at_once(checked):
    found = problems(checked, "iters=-1", "model.x=1", "val_dataset.type=City", "optimizer.momentum=a", "z=1")
    assert len(found) == 5
    with pytest.raises(ConfigError, match="5 problems") as caught:
        checked("iters=-1", "model.x=1", "val_dataset.type=City", "optimizer.momentum=a", "z=1")
    assert all(line in str(caught.value) for line in found)


def test_a_single_problem_is_the_message(checked):
    with pytest.raises(ConfigError, match=r"^--opts iters=-1: iters: must be a whole number"):
        checked("iters=-1")


def test_an_option_left_over_from_another_type_tells_both_places(fakes, write):
    write("base.yml", fakes.VALID)
    own = "_base_: base.yml\nmodel:\n  type: PlainNet\nloss: {types: [{type: Entropy}], coef: [1]}\n"
    with pytest.raises(ConfigError) as caught:
        check(read_config(write("own.yml", own)), "train")
    first = str(caught.value.problems[0])
    assert first.startswith("base.yml:5: model.down_factor: PlainNet has no option 'down_factor'")
    assert "PlainNet is from own.yml:3" in first
    assert "_inherited_: False" in first


@pytest.mark.parametrize(
    ("purpose", "text", "missing"),
    [
        ("train", "iters: 5", ["batch_size", "model", "train_dataset", "optimizer", "lr_scheduler", "loss"]),
        ("val", "iters: 5", ["model", "val_dataset"]),
        ("model", "iters: 5\nmodel: null", ["model"]),
        (None, "iters: 5", []),
    ],
)
def test_what_is_required_depends_on_the_purpose(fakes, write, purpose, text, missing):
    config = read_config(write("a.yml", text))
    if not missing:
        assert check(config, purpose) == config
        return
    with pytest.raises(ConfigError) as caught:
        check(config, purpose)
    assert [p.problem.split("'")[1] for p in caught.value.problems] == missing
    assert str(caught.value.problems[0]).startswith("a.yml")


def test_the_model_takes_its_number_of_classes_from_the_data(checked):
    config = checked()
    assert config["model"]["num_classes"] == 5
    assert config.origin("model.num_classes") == "from train_dataset Streets"
    listed = "{type: Listed, num_classes: 7, path: x, transforms: []}"
    assert checked(f"val_dataset={listed}", "train_dataset=null", purpose="val")["model"]["num_classes"] == 7


def test_model_and_data_that_disagree_are_both_named(checked):
    (found,) = problems(checked, "model.num_classes=6", "train_dataset=null", purpose="val")
    assert "model.num_classes: the model has 6 classes, val_dataset Streets (a.yml:19) has 5" in found


def test_without_data_the_number_of_classes_must_be_given(checked):
    (found,) = problems(checked, "train_dataset=null", "val_dataset=null", purpose="model")
    assert "model: Net needs the option 'num_classes': a whole number greater than 0" in found


def test_one_loss_type_serves_all_coefficients(checked):
    config = checked("loss={types: [{type: Entropy}], coef: [1, 0.4]}")
    assert config["loss"]["types"] == [{"type": "Entropy"}, {"type": "Entropy"}]


def test_as_many_coefficients_as_losses(checked):
    (found,) = problems(checked, "loss.coef=[1, 2, 3]")
    assert "loss.coef: 2 loss types (a.yml:36) and 3 coefficients" in found


def test_as_many_losses_as_the_model_has_outputs(checked):
    (found,) = problems(checked, "model.enable_auxiliary_loss=False")
    assert "2 losses, but Net gives 1 in training" in found


def test_defaults_are_written_out_on_demand_with_their_class(checked):
    config = checked(defaults=True)
    assert config["model"]["backbone"]["multi_grid"] == [1, 1, 1]
    assert config.origin("model.backbone.multi_grid") == "default of Stem"
    assert config["test_config"]["flip_vertical"] is False
    assert config["precision"] == "fp32"
    assert config.origin("precision") == "default of the config"


def test_a_config_made_in_python_is_checked_alike(fakes):
    config = Config.from_dict({"model": {"type": "PlainNet", "num_classes": "3"}}, source="checkpoint")
    with pytest.raises(ConfigError, match="^checkpoint: model.num_classes: must be a whole number"):
        check(config, "model")


def test_only_plain_data_makes_a_config():
    with pytest.raises(ConfigError, match=r"^model.0: set is not plain data"):
        Config.from_dict({"model": [{1}]})


def test_a_component_without_annotations_takes_anything_but_components(fakes, monkeypatch, checked):
    class Bare:
        def __init__(self, num_classes, thing=1, **others):
            pass

    monkeypatch.setitem(fakes.MODELS._classes, "Bare", Bare)
    model = "model={type: Bare, num_classes: 5, thing: [x], other: 2"
    assert checked(model + "}")["model"]["other"] == 2
    (found,) = problems(checked, "model={type: Bare, num_classes: 5, thing: {type: Stem}}")
    assert "the class does not say of which table. Annotate it" in found
