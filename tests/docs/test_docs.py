"""Pages that state facts of the code are held to it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_environment_variable_of_ours_is_documented_and_none_else():
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "paddleisa").rglob("*.py"))
    read = set(re.findall(r"\bPADDLEISA_[A-Z_]*[A-Z]\b", code))
    page = (ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bPADDLEISA_[A-Z_]*[A-Z]\b", page)) == read


def test_the_architecture_page_and_picture_name_every_room():
    rooms = {p.stem for p in (ROOT / "paddleisa").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    text = (ROOT / "docs/architecture.md").read_text() + (ROOT / "docs/architecture.svg").read_text()
    hidden = {"__init__", "__main__", "optimizers"}  # the alias that keeps an old import working
    assert {room for room in rooms - hidden if not re.search(rf"\b{room}\b", text)} == set()
