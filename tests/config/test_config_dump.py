"""What a config writes and how two are compared."""

from __future__ import annotations

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddleisa.config import Config, check, read_config

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["1e-5", "1:30", "no", "null", "~", "a, b", "a: b", "[x]", "#c", "- x", "2021-01-01", "<<", "="])
)
TREES = st.dictionaries(
    st.text("abcdefgh_0", min_size=1, max_size=6),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text("abxyz_1 ", min_size=1, max_size=5), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_a_dump_loads_back_to_an_equal_config(tmp_path_factory, tree):
    config = Config.from_dict(tree)
    for origins in (True, False):
        path = tmp_path_factory.mktemp("dump") / "a.yml"
        path.write_text(config.dump(origins), encoding="utf-8")
        again = read_config(path)
        assert again == config
        assert again.to_dict() == tree
        assert again.digest() == config.digest()


def test_each_values_line_ends_with_its_origin(fakes, write):
    write("base.yml", "a: {x: 1, y: [1, 2]}\nl:\n  - {t: 3}\n")
    config = read_config(write("own.yml", "_base_: base.yml\na: {x: text}\n"), ["b=2"])
    lines = [line.split("  # ") for line in config.dump().splitlines()]
    assert [(text.rstrip(), *origin) for text, *origin in lines] == [
        ("a:",),
        ("  x: text", "own.yml:2"),
        ("  y: [1, 2]", "base.yml:1"),
        ("l:",),
        ("  - t: 3", "base.yml:3"),
        ("b: 2", "--opts b=2"),
    ]


def test_a_list_of_several_origins_tells_each(write):
    config = read_config(write("a.yml", "size: [1, 2]"), ["size.1=5"])
    assert [line.split() for line in config.dump().splitlines()] == [
        ["size:"],
        ["-", "1", "#", "a.yml:1"],
        ["-", "5", "#", "--opts", "size.1=5"],
    ]


def test_an_option_with_line_breaks_cannot_break_the_dump(write):
    config = read_config(write("a.yml", "a: 1"), ["b='x\n\n  y: 2'\n"])
    assert yaml.safe_load(config.dump()) == config.to_dict() == {"a": 1, "b": "x\ny: 2"}


def test_a_checked_config_survives_dump_and_load(fakes, write):
    config = check(read_config(write("a.yml", fakes.VALID)), "train")
    again = read_config(write("b.yml", config.dump()))
    assert again == config
    assert check(again, "train").digest() == config.digest()


def test_equality_is_by_content_and_kind(write):
    one, two = Config.from_dict({"a": 1, "b": 2}, "x"), Config.from_dict({"b": 2, "a": 1}, "y", "elsewhere")
    assert one == two
    assert one.digest() == two.digest()
    assert one != Config.from_dict({"a": True, "b": 2})
    assert one.digest() != Config.from_dict({"a": 1, "b": 3}).digest()


def test_the_folder_of_a_plugin_is_no_part_of_the_digest():
    assert Config.from_dict({"plugins": ["/a/m.py"]}).digest() == Config.from_dict({"plugins": ["/b/m.py"]}).digest()
    assert Config.from_dict({"plugins": ["/a/m.py"]}).digest() != Config.from_dict({"plugins": ["/a/n.py"]}).digest()


def test_differences_name_what_came_went_and_changed():
    old, new = Config.from_dict({"a": 1, "b": [1], "c": {"d": "x"}}), Config.from_dict({"a": 2, "b": [1, 2], "e": None})
    assert old.differences(new) == [
        "a: 1 -> 2 (Python)",
        'c.d: "x" -> absent',
        "b.1: absent -> 2 (Python)",
        "e: absent -> null (Python)",
    ]
