"""YAML text to values and lines."""

from __future__ import annotations

import pytest

from paddleisa.config import read_config
from paddleisa.errors import ConfigError


def refusal(path, **options):
    with pytest.raises(ConfigError) as caught:
        read_config(path, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("4.0e-5", 4e-5),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("True", True),
        ("no", False),
        ("~", None),
        ("null", None),
        ("'1e-5'", "1e-5"),
        ("1:30", "1:30"),
        ("2021-01-06", "2021-01-06"),
        ("=", "="),
        ("[1, 2.5]", [1, 2.5]),
        ("{a: b}", {"a": "b"}),
        ("e5", "e5"),
    ],
)
def test_a_scalar_is_read_as_people_mean_it(write, text, value):
    got = read_config(write("a.yml", f"x: {text}"))["x"]
    assert got == value
    assert type(got) is type(value)


def test_every_value_knows_its_line(write):
    config = read_config(write("a.yml", "a: 1\n\nb:\n  c: x\n  d:\n    - 7\n    - e: 2\n"))
    assert config.origins == {"a": "a.yml:1", "b.c": "a.yml:4", "b.d.0": "a.yml:6", "b.d.1.e": "a.yml:7"}
    assert config.origin("b.d") == "a.yml:5"
    assert config.origin("b.d.1.missing") == "a.yml:7"


def test_a_syntax_error_names_file_line_and_column(write):
    message = refusal(write("a.yml", "a: 1\nb: [1, 2\nc: 3\n"))
    assert message.startswith("a.yml:3: is not YAML, column 2")


def test_a_tab_is_called_a_tab(write):
    assert "Indent with spaces" in refusal(write("a.yml", "a:\n\tb: 1\n"))


def test_a_key_given_twice_is_an_error_that_names_both_lines(write):
    message = refusal(write("a.yml", "m:\n  a: 1\n  b: 2\n  a: 3\n"))
    assert message.startswith("a.yml:4: 'a' is given twice (first: a.yml:2)")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"- 1\n- 2\n", "holds a list, not a mapping"),
        (b"text", "holds 'text', not a mapping"),
        (b"\x80\x02}q\x00", "not a text file"),
        (b"a: \x00", "no text has"),
        (b"1: 2\n", "a key must be a name"),
        (b"[a]: 2\n", "a key must be a name"),
        (b"a: 1\n---\nb: 2\n", "not YAML"),
        (b"a: &x [*x]\n", "without end"),
        (b"a: .inf", "not a finite number"),
        (b"a: 1" + b"0" * 30, "not a finite"),
        (b"a: !!int x", "not what its tag"),
        (b'a: "\\ud800"', "not what its tag"),
        (b"a: !!set {b}", "'!!set' is not"),
        (b"a: " + b"[" * 5000, "nested too deeply"),
        (b"a: " + b"[" * 99 + b"]" * 99, "without end"),
        (b"#" * (1 << 20) + b"\na: 1", "too large"),
        (b"a: *nowhere", "undefined alias"),
        (b"<<: 3", "mappings only"),
    ],
)
def test_what_is_no_config_is_refused_in_words(write, content, words):
    message = refusal(write("a.yml", content))
    assert message.startswith("a.yml")
    assert words in message


def test_aliases_that_multiply_are_refused(write):
    lines = ["a0: &a0 [1, 1]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "without end" in refusal(write("a.yml", "\n".join(lines)))


def test_merge_keys_bring_in_what_the_mapping_does_not_have(write):
    config = read_config(write("a.yml", "base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\n"))
    assert config["own"] == {"x": 1, "y": 3}


def test_a_python_tag_runs_nothing(write, tmp_path):
    message = refusal(write("a.yml", "a: !!python/object/apply:pathlib.Path.touch ['made']\n"))
    assert "is not allowed" in message
    assert not (tmp_path / "made").exists()


def test_a_missing_file_is_told_with_the_nearest_name(write):
    write("my_isanet.yml", "a: 1")
    assert "Did you mean 'my_isanet.yml'?" in refusal("my_isanett.yml")


def test_a_folder_is_not_a_config(tmp_path):
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["a\0b.yml", "x" * 300 + ".yml", "", "/dev/null", "no/such/folder.yml"])
def test_impossible_names_are_refused(name):
    refusal(name)


def test_a_byte_order_mark_is_no_part_of_the_first_key(write):
    assert read_config(write("a.yml", b"\xef\xbb\xbfa: 1\n"))["a"] == 1


def test_a_shipped_config_is_found_by_its_name_and_nearest_names_are_offered():
    name = "isanet_resnet50_os8_cityscapes_769x769_80k"
    assert read_config(name).name == name
    assert f"Did you mean {name!r}?" in refusal("isanet_resnet50_os8_cityscape_769x769_80k")


def test_a_folder_named_like_a_shipped_config_is_not_in_its_way(write, tmp_path):
    write("other.yml", "a: 1")
    name = "isanet_resnet50_os8_cityscapes_769x769_80k"
    (tmp_path / name).mkdir()
    assert read_config(name)["iters"] == 80000


def test_a_path_that_is_wrong_is_answered_with_the_shipped_name():
    name = "isanet_resnet50_os8_cityscapes_769x769_80k"
    assert f"The shipped config is named {name}" in refusal(f"elsewhere/{name}.yml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a: 1\nb: "\\UFFFFFFFF"\n', 2),
        ('a: "\\U00110000"\n', 1),
        (f"%YAML {'9' * 5000}.1\n---\na: 1\n", 1),
        (f"a: 1\nb: {'9' * 6000}\n", 2),
        ("a: 1\n\nb: !!int ''\n", 3),
        (f"a: {'1:' * 3000}1e{'9' * 400}\nb: [\n", 3),
    ],
    ids=["escape", "escape beyond Unicode", "version", "number", "empty number", "cut off"],
)
def test_what_the_parser_itself_cannot_take_is_told_with_its_line(write, text, line):
    with pytest.raises(ConfigError, match=rf"^a\.yml:{line}: "):
        read_config(write("a.yml", text))


@pytest.mark.parametrize("value", ['"\\UFFFFFFFF"', '"\\UD800DC00"', "9" * 6000, "!!float x", "%YAML 1", "[" * 3000])
def test_what_the_parser_cannot_take_in_an_option_names_the_option(write, value):
    with pytest.raises(ConfigError, match="^--opts b="):
        read_config(write("a.yml", "a: 1"), [f"b={value}"])
