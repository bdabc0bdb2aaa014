"""``paddleisa components``: what a config may name, from the registries themselves."""

from __future__ import annotations

import json

import pytest

from paddleisa.config.listing import components, explanations, markdown, plural
from paddleisa.registry import TABLES

ALL = components()


def test_every_registered_component_is_listed():
    """Of the package: other tests of this process may have registered more, after or before the list was made."""
    own = [(t.kind, name) for t in TABLES for name in t if t.get(name).__module__.startswith("paddleisa.")]
    assert set(own) <= {(c.kind, c.name) for c in ALL}


@pytest.mark.parametrize("component", ALL, ids=lambda component: component.name)
def test_every_component_says_what_it_is_and_what_each_option_is(component):
    assert component.about
    for option in component.options:
        assert option.about or option.name in component.about, option.name
        assert option.accepts != "anything", option.name


def test_an_option_has_its_type_default_and_meaning():
    (crop,) = [c for c in ALL if c.name == "RandomPaddingCrop"]
    size = crop.options[0]
    assert (size.name, size.default, size.about) == ("crop_size", "[512, 512]", "(width, height) in pixels.")
    assert size.accepts.startswith("a list of 2 values, each a whole number greater than 0")


def test_the_overview_has_every_name(call):
    out = call("components").out
    assert all(f"  {component.name}" in out for component in ALL)


def test_a_kind_or_a_name_shows_options(call):
    assert "  isa_channels: " in call("components", "ISANet").out
    assert {"CrossEntropyLoss (loss)", "DiceLoss (loss)"} <= {
        line.partition(":")[0] for line in call("components", "losses").out.splitlines()
    }


def test_a_component_that_has_no_place_here_is_explained(call):
    answer = call("components", "KLLoss")
    assert answer.code == 0
    assert explanations()["KLLoss"] in answer.out


def test_an_unknown_name_gets_the_nearest(call):
    answer = call("components", "DiceLos")
    assert answer.code == 2
    assert "Did you mean 'DiceLoss'?" in answer.err


def test_a_plugins_component_is_listed(call, write, monkeypatch):
    from paddleisa.registry import LOSSES

    monkeypatch.setattr(LOSSES, "_classes", dict(LOSSES._classes))
    text = "from paddleisa.registry import LOSSES\n@LOSSES.register\nclass Mine:\n    '''My own.'''\n"
    assert "Mine (loss): My own." in call("components", "Mine", "--plugin", write("mine.py", text)).out


def test_the_page_and_the_json_hold_the_same(call, tmp_path):
    page = call("components", "--markdown", "--json", tmp_path / "c.json").out
    assert page.strip() == markdown().strip()
    written = json.loads((tmp_path / "c.json").read_text())
    assert {c.name for c in ALL} <= {c["name"] for c in written["components"]}
    assert all(f"### {c.name}\n" in page for c in ALL)
    assert all(f"- `{name}`: {text}." in page for name, text in written["elsewhere"].items())


@pytest.mark.parametrize(("kind", "expected"), [("loss", "losses"), ("head", "heads")])
def test_plurals(kind, expected):
    assert plural(kind) == expected
