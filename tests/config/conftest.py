"""Fake components in the tables, and files made from text."""

from __future__ import annotations

import textwrap

import config_fakes
import pytest


@pytest.fixture
def fakes(monkeypatch):
    """The tables hold the fake components only, and nothing imports the real ones."""
    for table, classes in config_fakes.TABLES.items():
        monkeypatch.setattr(table, "_home", "config_fakes")
        monkeypatch.setattr(table, "_classes", {cls.__name__: cls for cls in classes})
    return config_fakes


@pytest.fixture
def write(tmp_path, monkeypatch):
    """``write("a.yml", text)`` writes a file into the test's folder, which is the current one."""
    monkeypatch.chdir(tmp_path)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write
