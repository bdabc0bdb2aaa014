"""Results: no value is lost, and the file is JSON for every reader."""

import json

import pytest

from paddleisa.utils.files import joined, plain_number, write_json


def test_parts_are_joined_in_order():
    assert list(joined({"b": 1}, {"a": 2}, {})) == ["b", "a"]


def test_a_key_that_would_be_overwritten_is_an_error():
    with pytest.raises(ValueError, match="two values for precision"):
        joined({"precision": "fp32"}, {"precision": [0.5]})


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "r.json", {"x": float("nan")})
    assert not (tmp_path / "r.json").exists()
    write_json(tmp_path / "r.json", {"x": plain_number(float("nan"))})
    assert json.loads((tmp_path / "r.json").read_text()) == {"x": None}
