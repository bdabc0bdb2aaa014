"""Tables of components."""

import pytest

from paddleisa.config import check, load_config
from paddleisa.errors import ConfigError
from paddleisa.registry import LOSSES, Registry


@pytest.fixture
def table():
    table = Registry("loss", "paddleisa.errors")
    table.explain("EdgeLoss", "ISANet has no edge branch: leave it out of loss.types")
    return table


def test_an_explained_name_is_refused_with_its_sentence(table):
    with pytest.raises(ConfigError, match="there is no loss 'EdgeLoss'. ISANet has no edge branch: leave it out"):
        table.get("EdgeLoss")


def test_an_explained_name_is_no_member(table):
    assert "EdgeLoss" not in table
    assert list(table) == []


def test_a_class_under_an_explained_name_takes_precedence(table):
    mine = table.register(type("EdgeLoss", (), {}))
    assert table.get("EdgeLoss") is mine


def test_the_config_check_tells_the_sentence(tmp_path):
    LOSSES.explain("LossOfThisTest", "Write CrossEntropyLoss")
    path = tmp_path / "a.yml"
    path.write_text("loss:\n  types:\n    - type: LossOfThisTest\n  coef: [1]\n")
    with pytest.raises(
        ConfigError, match=r"a.yml:3: loss.types.0.type: there is no loss 'LossOfThisTest'. Write Cross"
    ):
        check(load_config(str(path)))
