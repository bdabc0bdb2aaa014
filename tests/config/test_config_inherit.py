"""``_base_`` and ``_inherited_``."""

from __future__ import annotations

import pytest

from paddleisa.config import read_config
from paddleisa.errors import ConfigError


def test_mappings_merge_and_lists_replace(write):
    write("parts/base.yml", "a: {x: 1, y: {z: 2}}\nl: [1, 2, 3]\nkeep: 5")
    config = read_config(write("own.yml", "_base_: parts/base.yml\na: {y: {w: 3}}\nl: [4]"))
    assert config.to_dict() == {"a": {"x": 1, "y": {"z": 2, "w": 3}}, "l": [4], "keep": 5}


def test_an_inherited_value_keeps_the_place_where_it_stands(write):
    write("base.yml", "a:\n  x: 1\n  y: 2\n")
    config = read_config(write("own.yml", "_base_: base.yml\na:\n  y: 3\n"))
    assert config.origins == {"a.x": "base.yml:2", "a.y": "own.yml:3"}


def test_of_several_bases_the_later_wins_and_the_file_itself_last(write):
    write("one.yml", "a: 1\nb: 1\nc: 1")
    write("two.yml", "b: 2\nc: 2")
    assert read_config(write("own.yml", "_base_: [one.yml, two.yml]\nc: 3")).to_dict() == {"a": 1, "b": 2, "c": 3}


def test_a_base_is_relative_to_the_file_that_names_it(write, tmp_path):
    write("x/deep/base.yml", "a: 1")
    write("x/middle.yml", "_base_: deep/base.yml\nb: 2")
    assert read_config(write("own.yml", "_base_: x/middle.yml")).to_dict() == {"a": 1, "b": 2}


def test_inherited_false_replaces_and_leaves_no_trace(write):
    write("base.yml", "a: {x: 1}\nb: {x: 1}")
    own = """
        _base_: base.yml
        a: {_inherited_: False, y: 2}
        b: {_inherited_: True, y: 2}
        c: [{_inherited_: False, d: 1}]
    """
    assert read_config(write("own.yml", own)).to_dict() == {"a": {"y": 2}, "b": {"x": 1, "y": 2}, "c": [{"d": 1}]}


def test_a_mapping_replaces_a_scalar_and_the_other_way_round(write):
    write("base.yml", "a: 1\nb: {x: 1}")
    assert read_config(write("own.yml", "_base_: base.yml\na: {y: 2}\nb: null")).to_dict() == {"a": {"y": 2}, "b": None}


def test_a_circle_is_named_file_by_file(write):
    write("a.yml", "_base_: b.yml")
    write("b.yml", "_base_: c.yml")
    write("c.yml", "_base_: a.yml")
    with pytest.raises(ConfigError, match=r"a\.yml -> b\.yml -> c\.yml -> a\.yml"):
        read_config("a.yml")


def test_a_file_may_be_reached_twice_without_being_a_circle(write):
    write("f0.yml", "a: 1")
    for level in range(1, 40):  # 2**40 loads if each were read anew
        write(f"f{level}.yml", f"_base_: [f{level - 1}.yml, f{level - 1}.yml]")
    assert read_config("f39.yml")["a"] == 1


def test_a_missing_base_names_the_line_and_the_nearest_file(write):
    write("city.yml", "a: 1")
    path = write("own.yml", "b: 1\n_base_: citi.yml\n")
    with pytest.raises(ConfigError, match=r"own\.yml:2: the _base_ 'citi.yml' does not exist. Did you mean 'city.yml'"):
        read_config(path)


@pytest.mark.parametrize("text", ["_base_: 3", "_base_: [1]", "_base_: {a: 1}", "_base_: ''", "a: {_inherited_: 3}"])
def test_wrong_kinds_are_refused_with_their_line(write, text):
    with pytest.raises(ConfigError, match=r"own\.yml:1: _(base|inherited)_ is"):
        read_config(write("own.yml", text))
