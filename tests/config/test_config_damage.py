"""Random damage to a valid config gives a ConfigError or a config, and never anything else."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from config_fakes import VALID
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st

from paddleisa.config import build_part, check, read_config
from paddleisa.errors import ConfigError
from paddleisa.registry import MODELS

TREE = yaml.safe_load(VALID)
WORDS = st.sampled_from(
    [
        "type",
        "_base_",
        "_inherited_",
        "model",
        "Net",
        "Stem",
        "Flip",
        "loss",
        "coef",
        "plugins",
        "num_classes",
        "sgd",
        "learning_rate",
        "decay",
        "a.yml",
        "<<",
        "&a",
        "*a",
        "!!python/name:os",
        "1e-5",
        "{",
        "[",
        "]",
        ": ",
        "- ",
        "\n",
        "\t",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(tree, path=()):
    """Every path in a plain tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, child in items for place in [(*path, key), *places(child, (*path, key))]]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("damage") / "a.yml"


def survives(path: Path, opts=()):
    """Load, check, dump and build; a ConfigError with a message on the way is as good."""
    try:
        config = check(read_config(path, opts), "train")
        config.dump()
        build_part(config, "model", MODELS)
    except ConfigError as error:
        assert str(error)


@fuzz(120)
@given(data=st.data())
def test_deleted_replaced_and_renamed_keys(fakes, file, data):
    tree = copy.deepcopy(TREE)
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(places(tree) or [("x",)]))
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        action = data.draw(st.sampled_from(["delete", "replace", "rename", "swap"]))
        if action == "replace" or path[-1] == "x":
            parent[path[-1]] = data.draw(VALUES)
        elif action == "swap":
            other = data.draw(st.sampled_from(places(TREE)))
            value = TREE
            for key in other:
                value = value[key]
            parent[path[-1]] = copy.deepcopy(value)
        elif action == "delete" or isinstance(parent, list):
            del parent[path[-1]]
        else:
            parent[data.draw(st.text(max_size=6) | WORDS)] = parent.pop(path[-1])
    file.write_text(json.dumps(tree), encoding="utf-8")
    survives(file)


@fuzz(120)
@given(text=st.lists(WORDS | st.text(max_size=6), max_size=30).map("".join))
def test_random_text(fakes, file, text):
    file.write_text(text, encoding="utf-8", errors="ignore")
    survives(file)


@fuzz(120)
@given(
    cut=st.tuples(st.integers(0, len(VALID)), st.integers(0, 40)), put=st.binary(max_size=12) | WORDS.map(str.encode)
)
def test_random_bytes_in_a_valid_file(fakes, file, cut, put):
    start, length = cut
    file.write_bytes(VALID.encode()[:start] + put + VALID.encode()[start + length :])
    survives(file)


@fuzz(120)
@given(content=st.binary(max_size=200))
def test_random_bytes(fakes, file, content):
    file.write_bytes(content)
    survives(file)


@fuzz(120)
@given(data=st.data())
def test_random_options(fakes, file, data):
    file.write_text(VALID)
    paths = st.sampled_from(places(TREE)).map(lambda path: ".".join(map(str, path)))
    keys = paths | st.text(max_size=10) | st.tuples(paths, WORDS).map(".".join)
    values = VALUES.map(json.dumps) | st.text(max_size=15) | WORDS
    opts = data.draw(st.lists(st.tuples(keys, values).map("=".join) | st.text(max_size=10), min_size=1, max_size=4))
    survives(file, opts)


@fuzz(120)
@given(name=st.text(max_size=60) | WORDS)
def test_random_names(fakes, name):
    survives(name)


@fuzz(60)
@given(data=st.data())
def test_random_options_on_a_shipped_config_with_the_real_components(data):
    name = "isanet_resnet50_os8_cityscapes_769x769_80k"
    tree = read_config(name).to_dict()
    paths = st.sampled_from(places(tree)).map(lambda path: ".".join(map(str, path)))
    keys = paths | st.tuples(paths, WORDS).map(".".join)
    opts = data.draw(st.lists(st.tuples(keys, VALUES.map(json.dumps)).map("=".join), min_size=1, max_size=3))
    try:
        check(read_config(name, opts), "train", defaults=True).dump()
    except ConfigError as error:
        assert str(error)
