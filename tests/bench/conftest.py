"""``call``: one command in this process, with its exit code and what it printed. ``tables_of``: what a reader reads."""

from __future__ import annotations

import json

import pytest

from paddleisa.bench.measuring import Outcome
from paddleisa.errors import PaddleISAError


@pytest.fixture
def in_this_process(monkeypatch):
    """Measurements run here instead of in children, which test_bench_measuring.py tests: seconds are saved.

    What goes in and comes out is JSON, as there.
    """

    def run(function, **params):
        try:
            return Outcome(value=json.loads(json.dumps(function(**json.loads(json.dumps(params))))))
        except PaddleISAError as error:
            return Outcome(problem=str(error))

    for module in ("isa", "model", "data", "train"):
        monkeypatch.setattr(f"paddleisa.bench.{module}.run_in_child", run)


@pytest.fixture
def tables_of():
    """``tables_of(text)``: the printed Markdown tables as lists of (header and rows) lists of cells."""

    def parse(text):
        found, table = [], []
        for line in [*text.splitlines(), ""]:
            if line.startswith("|"):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                if not all(set(cell) <= set("-:") and len(cell) > 1 for cell in cells):
                    table.append(cells)
            elif table:
                found.append(table)
                table = []
        return found

    return parse


@pytest.fixture
def same_as_printed(tables_of):
    """``same_as_printed(result, text)``: the JSON holds the printed numbers, row by row, and the printed words."""

    def compare(result, text):
        printed = tables_of(text)
        assert len(printed) == len(result["tables"])
        for table, (header, *rows) in zip(result["tables"], printed, strict=True):
            assert table["title"] in text
            assert header == [column["title"] for column in table["columns"]]
            assert len(rows) == len(table["rows"]) > 0
            for cells, row in zip(rows, table["rows"], strict=True):
                for cell, column in zip(cells, table["columns"], strict=True):
                    value = row.get(column["key"])
                    if isinstance(value, int | float):
                        assert float(cell) == pytest.approx(value, rel=0, abs=0.500001 * 10 ** -column["digits"])
                    elif value is None:
                        assert cell in ("-", "cannot run", "out of memory")
                    else:
                        assert cell == value
        for note in result["notes"]:
            assert f"* {note}" in text
        assert result["what"] in text
        env = result["environment"]
        for fact in (env["processor"], env["python"], *env["packages"].values(), *env["threads"].values()):
            assert str(fact) in text

    return compare
