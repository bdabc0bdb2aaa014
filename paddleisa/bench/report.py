"""What a bench found: the same rows as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Row = dict[str, Any]
PEAK = "the peak is the whole process's, weights and libraries too; on a GPU its allocator's"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        key: of the value in a row.
        title: above the column, with the unit.
        digits: after the point, for numbers.
        problem: key of the words that stand there when the value is None.
    """

    key: str
    title: str
    digits: int = 0
    problem: str | None = None

    def show(self, row: Row) -> str:
        """The cell of ``row``."""
        value = row.get(self.key)
        if value is None:
            return str((row.get(self.problem) if self.problem else None) or "-")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        return f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class Table:
    """Rows, and the columns that are shown of them."""

    title: str
    columns: list[Column]
    rows: list[Row]

    def text(self) -> str:
        """As Markdown, aligned for reading as it is."""
        cells = [[column.title for column in self.columns], *([c.show(row) for c in self.columns] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [any(isinstance(row.get(c.key), int | float) for row in self.rows) for c in self.columns]
        lines = ["| " + " | ".join(map(_aligned, line, widths, right)) + " |" for line in cells]
        rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
        return "\n".join([self.title, "", lines[0], rule, *lines[1:]])


@dataclass(frozen=True)
class Report:
    """All that one bench prints.

    Args:
        command: ``bench isa`` etc.
        what: what was measured, and what is compared with what.
        device: that Paddle computed on; None where no network ran.
        settings: the options that matter for the numbers.
        tables: the results.
        notes: why something is missing, and what else a reader must know.
        packages: names of packages, beside Paddle, whose versions matter.
    """

    command: str
    what: str
    device: str | None
    settings: dict[str, Any]
    tables: list[Table]
    notes: list[str] = field(default_factory=list)
    packages: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing could be measured: rows of measurements say so by ``failed``."""
        return all(row["failed"] for table in self.tables for row in table.rows if "failed" in row)

    def environment(self) -> dict[str, Any]:
        """Machine, versions, threads."""
        from paddleisa.utils.environment import describe, versions

        found = describe()
        return {**found, "packages": {**found["packages"], **versions(self.packages)}}

    def text(self) -> str:
        """For people."""
        env = self.environment()
        device = f"; device {self.device}" if self.device else ""
        head = [
            f"paddleisa {self.command}: {self.what}",
            f"machine: {env['processor']}, {env['cores']} cores, {env['system']}{device}",
            f"versions: Python {env['python']}, {_listed(env['packages'])}",
            f"threads: {_listed(env['threads']) or 'as the libraries choose'}",
            f"settings: {_listed(self.settings)}",
        ]
        notes = "\n".join(f"* {note}" for note in self.notes)
        return "\n\n".join(["\n".join(head), *(table.text() for table in self.tables), *([notes] if notes else [])])

    def to_dict(self) -> dict[str, object]:
        """For programs: everything that ``text`` says."""
        return {
            "command": self.command,
            "what": self.what,
            "device": self.device,
            "settings": self.settings,
            "tables": [asdict(table) for table in self.tables],
            "notes": self.notes,
            "environment": self.environment(),
        }


def given(settings: Any, leave_out: tuple[str, ...] = ()) -> dict[str, object]:
    """A settings dataclass as a report shows it: without what says nothing."""
    return {
        key: value for key, value in asdict(settings).items() if key not in leave_out and value not in (None, [], False)
    }


def _aligned(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_words(value)}" for key, value in values.items())


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value)
