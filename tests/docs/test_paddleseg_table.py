"""The page of PaddleSeg's names is complete, and says of each what the check of a config or a command says."""

from __future__ import annotations

import paddleseg_table
import pytest
import yaml

from paddleisa.config import Config, check, load_config
from paddleisa.errors import ConfigError

ROWS = list(paddleseg_table.rows())
KEYS, DEPLOY = "Keys of a config", "Keys of deploy.yaml"
MODEL = {"type": "ISANet", "num_classes": 2, "backbone": {"type": "ResNet18_vd"}}
DATA = {"dataset_root": "d", "num_classes": 2, "train_path": "t.txt", "transforms": [{"type": "Normalize"}]}
COMPONENTS = {  # of each section: a config with a component in it
    "Models": lambda component: {"model": {**MODEL, **component}},
    "Backbones": lambda component: {"model": {**MODEL, "backbone": component}},
    "Losses": lambda component: {"loss": {"types": [component], "coef": [1]}},
    "Optimizers": lambda component: {"optimizer": component},
    "Learning-rate schedules": lambda component: {"lr_scheduler": component},
    "Datasets": lambda component: {"train_dataset": {**DATA, **component}},
    "Transforms": lambda component: {"train_dataset": {"type": "Dataset", "transforms": [component]}},
}
STRANGE = {"strange": 1}  # no option takes it: what is known is refused for its value, not for its name
VALID = (True, 1, "mine")  # what options without an effect take
COMMANDS = sorted({row.section for row in ROWS if row.owner.startswith("--")})


def of(section):
    found = [row for row in ROWS if row.section == section]
    assert found
    return found


def said(values):
    """What the check has to say of a config: its problems, and what changes nothing."""
    try:
        return "\n".join(check(Config.from_dict(values)).warnings)
    except ConfigError as error:
        return str(error)


def agrees(row, unknown, text, with_valid):
    """Whether the check says of a name what the page says: refuses the name, or takes it, with the page's words."""
    if row.state == "no":
        return unknown in text and row.words.rstrip(".") in text
    return unknown not in text and (row.state == "yes" or any(row.words in other for other in map(said, with_valid)))


@pytest.mark.parametrize("section", COMPONENTS)
def test_the_check_of_a_component_says_what_the_page_says(section):
    for row in of(section):
        unknown = f"has no option '{row.name}'" if row.name else f"'{row.owner}'. "
        given = [{"type": row.owner, **({row.name: value} if row.name else {})} for value in (STRANGE, *VALID)]
        texts = [COMPONENTS[section](component) for component in given]
        assert agrees(row, unknown, said(texts[0]), texts[1:]), row


def test_the_check_of_a_key_says_what_the_page_says():
    for row in of(KEYS):
        section, _, key = row.owner.rpartition(".")
        configs = [{section: {key: value}} if section else {key: value} for value in (STRANGE, *VALID)]
        assert agrees(row, f"has no key '{key}'", said(configs[0]), configs[1:]), row


@pytest.mark.parametrize("section", COMMANDS)
def test_a_command_says_of_an_option_what_the_page_says(section, call):
    for row in of(section):
        answer = call(section.rpartition("paddleisa ")[2].rstrip("`"), "--config", "nosuch.yml", row.owner)
        assert (f"unrecognized arguments: {row.owner}" in answer.err) == (row.state == "no"), row
        assert row.words in answer.err, row


def test_no_name_is_unknown_and_the_page_has_every_one_as_it_is_now():
    page = paddleseg_table.PAGE.read_text(encoding="utf-8")
    assert page == paddleseg_table.page(), "run `python scripts/paddleseg_table.py`"
    for row in ROWS:
        assert row.state != "unknown", row
        assert f"`{row.name or row.owner}`" in page and row.words.replace("|", "\\|") in page, row


def test_the_keys_of_deploy_yaml_are_written(tmp_path):
    from paddleisa.deploy.export.deploy_yaml import write_deploy_yaml
    from paddleisa.deploy.export.formats import Written

    files = [tmp_path / "model.json", tmp_path / "model.pdiparams"]
    for file in files:
        file.touch()
    config = load_config("isanet_resnet18_os8_scenes_128x128_200")
    path = write_deploy_yaml(tmp_path, config, [Written("paddle", files, [], True)], (-1, 3, -1, -1), "argmax", {}, {})
    content = yaml.safe_load(path.read_text())
    for row in of(DEPLOY):
        section, key = row.owner.split(".")
        assert (key in content.get(section, {})) == (row.state == "yes"), row
