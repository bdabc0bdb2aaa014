"""List files, and which of many files are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from paddleisa.errors import DataError

Row = tuple[str, str | None]


def read_list(path: str | Path, root: str | Path, separator: str = " ", labels: bool = True) -> list[Row]:
    """The (image, label) paths of a list file.

    Each line is ``image<separator>label``, relative to ``root``. Blank lines, lines that start with ``#``, a byte
    order mark and Windows line ends are fine; blanks around a name are not part of it.

    Args:
        path: the list file, UTF-8.
        root: the folder that the names are relative to.
        separator: what stands between image and label. Names with blanks need another one than the default.
        labels: whether every line needs a label; otherwise a line may hold the image alone.

    Raises:
        DataError: the file is missing, not text, or empty, or a line has another number of columns.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError("the list file does not exist", where=path) from error
    except UnicodeDecodeError as error:
        raise DataError("the list file is not UTF-8 text", where=path, fix="Save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"the list file cannot be read ({error.strerror or error})", where=path) from error
    rows: list[Row] = []
    for number, line, columns in list_lines(text, separator):
        if len(columns) != 2 and (labels or len(columns) != 1):
            raise wrong_columns(path, number, line, len(columns), separator, labels)
        rows.append((str(Path(root) / columns[0]), str(Path(root) / columns[1]) if len(columns) == 2 else None))
    if not rows:
        raise DataError("the list file names no image", where=path)
    return rows


def list_lines(text: str, separator: str = " ") -> Iterator[tuple[int, str, list[str]]]:
    """(number, line, columns) of each line of a list file that is neither blank nor a comment."""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line, [column.strip() for column in line.split(separator) if column.strip()]


def wrong_columns(path: str | Path, number: int, line: str, count: int, separator: str, labels: bool) -> DataError:
    """The error of a line that does not hold an image and a label; its advice depends on what the line holds."""
    wanted = f"image{separator}label" + ("" if labels else ", or an image alone")
    other = next((s for s in ("\t", ",", ";", " ") if s != separator and len(line.split(s)) == 2), None)
    fix = f"Write {wanted!r} on each line"
    if other is not None:
        fix += f"; if the columns are separated by {other!r}, set separator: {other!r}".replace("'\\t'", '"\\t"')
    elif count > 2:
        fix += "; if a name holds the separator, use another one, a tab for example, and name it in the config"
    columns = "column" if count == 1 else "columns"
    return DataError(
        f"the line has {count} {columns} for the separator {separator!r}", where=f"{path}:{number}", fix=fix
    )


def missing_files(paths: Iterable[str]) -> list[str]:
    """Those of ``paths`` that do not exist, in order.

    Lists each folder once instead of asking for each file: the same on a local disk, far quicker on a network's.
    """
    folders: dict[Path, set[str]] = {}
    missing = []
    for path in map(Path, paths):
        if path.parent not in folders:
            try:
                folders[path.parent] = {entry.name for entry in path.parent.iterdir()}
            except OSError:
                folders[path.parent] = set()
        # A file system may ignore case or normalise names: ask it before calling a file missing.
        if path.name not in folders[path.parent] and not path.exists():
            missing.append(str(path))
    return missing


def require_files(rows: list[Row], where: str | Path, fix: str | None = None) -> None:
    """Raise one DataError that counts all missing images and labels of ``rows`` and names the first few."""
    missing = missing_files(path for row in rows for path in row if path is not None)
    if missing:
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        total = sum(path is not None for row in rows for path in row)
        raise DataError(f"{len(missing)} of {total} files do not exist: {first}", where=where, fix=fix)
