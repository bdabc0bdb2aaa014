"""The Markdown tables of the README, made from the catalogue between two marker lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from paddleisa.errors import DataError, one_of
from paddleisa.utils.files import atomic_write
from paddleisa.zoo.catalogue.catalogue import Entry

_BLOCK = re.compile(r"(<!-- zoo table: ([\w.+-]+) -->\n)(.*?)(<!-- end of zoo table -->)", re.DOTALL)


def markdown_table(entries: Iterable[Entry]) -> str:
    """One table of the entries: a score column for each that any entry has, links to weights, log and curves."""
    entries = list(entries)
    scores = list(dict.fromkeys(column for entry in entries for column in _scores(entry)))
    header = ["model", "backbone", "data", "batch", *scores, "files"]
    lines = [header, ["---"] * 3 + ["--:"] * (1 + len(scores)) + ["---"]]
    lines += [_cells(entry, scores) for entry in entries]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def update_tables(path: str | Path, entries: Iterable[Entry], *, check: bool = False) -> bool:
    """Bring the tables of a Markdown file up to date.

    A table stands between ``<!-- zoo table: FAMILY -->`` and ``<!-- end of zoo table -->``, each on a line of its own.

    Args:
        check: only compare, write nothing.

    Returns:
        Whether the file differs from (with ``check``) or differed from what the catalogue says. Raises DataError when
        it cannot be read or has no table.
    """
    path = Path(path)
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=path) from error

    def fill(match: re.Match) -> str:
        if match[2] not in families:
            raise DataError(f"there is no family {match[2]!r}", where=path, fix=one_of(match[2], families))
        return match[1] + markdown_table(families[match[2]]) + match[4]

    new, count = _BLOCK.subn(fill, text)
    if not count:
        raise DataError(
            "has no place for a table",
            where=path,
            fix="Put '<!-- zoo table: paddleseg -->' and '<!-- end of zoo table -->' on lines of their own",
        )
    if new != text and not check:
        with atomic_write(path, "w") as stream:
            stream.write(new)
    return new != text


def _scores(entry: Entry) -> dict[str, float]:
    """{column: mIoU}; a column of its own for each protocol."""
    scores = entry.row.scores
    found: dict[str, float | None] = {"mIoU": scores.single, "flip": scores.flip}
    by_protocol: dict[str, float | None] = {
        f"ms+flip, {name}": value for name, value in scores.ms_flip_by_protocol.items()
    }
    found |= by_protocol or {"ms+flip": scores.ms_flip_alone}
    return {column: value for column, value in found.items() if value is not None}


def _cells(entry: Entry, scores: list[str]) -> list[str]:
    row = entry.row
    values = (_scores(entry).get(column) for column in scores)
    links = (("weights", row.weights.url), ("log", row.log), ("VisualDL", row.visualdl))
    return [
        f"`{entry.name}`",
        row.backbone,
        row.dataset,
        str(row.total_batch),
        *("" if value is None else f"{value:.2f}" for value in values),
        " ".join(f"[{label}]({url})" for label, url in links if url),
    ]
