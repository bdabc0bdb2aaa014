"""The image files that an argument names, a file, a folder, or a list; and list files, a line ``image label`` each.

Blank lines, lines that start with ``#``, a byte order mark and Windows line ends are fine; blanks around a name are not
part of it. Names with blanks need another separator than a blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from paddleisa.errors import DataError
from paddleisa.utils.files import atomic_write

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_SEPARATORS = ("\t", ",", ";", " ")
LISTS = (".txt", ".lst", ".list", ".csv", ".tsv")


def find_images(
    path: str | Path, leave_out: Iterable[Path] = (), separator: str = " ", root: str | Path | None = None
) -> list[tuple[Path, Path]]:
    """The images that ``path`` names, each with its name relative to the result folders.

    Args:
        path: an image; a pattern such as ``photos/*.jpg``; a folder, searched with its subfolders but for hidden
            ones; or a list of images, such as one that training reads (``listed_images`` has the details).
        leave_out: folders of earlier results that, if they lie in the searched folder, are no images to predict.
        separator: in a list, what stands between image and label.
        root: what a list's names are relative to where they are not beside the list; the config's ``dataset_root``.

    Raises:
        DataError: nothing is there, or no image in it.
    """
    path = Path(path)
    if path.is_dir():
        images = [(p, p.relative_to(path)) for p in files_in(path, leave_out) if p.suffix.lower() in SUFFIXES]
    elif path.suffix.lower() in LISTS and path.is_file():
        folders = [path.parent] if root is None else [path.parent, root]
        images = [(image, _inside_results(name)) for image, name in listed_images(path, folders, separator)]
    elif path.is_file():
        images = [(path, Path(path.name))]
    elif any(_is_pattern(part) for part in path.parts):
        images = _matching(path)
    else:
        raise DataError("there is no such image, folder or list", where=path)
    if not images:
        raise DataError("no image in it", where=path, fix=f"Images end in {', '.join(SUFFIXES)}")
    return images


def _is_pattern(part: str) -> bool:
    return any(sign in part for sign in "*?[")


def _matching(pattern: Path) -> list[tuple[Path, Path]]:
    """Files that a pattern names, with their names relative to its last folder without signs."""
    first = next(number for number, part in enumerate(pattern.parts) if _is_pattern(part))
    folder = Path(*pattern.parts[:first])
    found = sorted(folder.glob(str(Path(*pattern.parts[first:]))))
    return [(path, path.relative_to(folder)) for path in found if path.suffix.lower() in SUFFIXES and path.is_file()]


def files_in(folder: Path, leave_out: Iterable[Path] = ()) -> list[Path]:
    """All files below ``folder`` in the order of their names, but hidden ones and those in folders ``leave_out``."""
    root = folder.resolve()
    results = {path.resolve() for path in leave_out} - {root, *root.parents}  # whoever names a result folder means it
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (not results or results.isdisjoint(path.resolve().parents))
    ]


def _inside_results(name: str) -> Path:
    """A listed name as one inside a result folder: the last part alone of a name that would lead out of it."""
    relative = Path(name)
    return Path(relative.name) if relative.is_absolute() or ".." in relative.parts else relative


def read_text(path: str | Path, fix: str | None = None) -> str:
    """A list file's text with its own line ends; DataError, with the advice ``fix``, when there is none."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError("the list file does not exist", where=path, fix=fix) from error
    except UnicodeDecodeError as error:
        advice = "Save it as UTF-8, or: iconv -t UTF-8 ..."
        raise DataError("the list file is not UTF-8 text", where=path, fix=advice) from error
    except OSError as error:
        raise DataError(f"the list file cannot be read ({error.strerror or error})", where=path, fix=fix) from error


def listed_images(path: str | Path, folders: Sequence[str | Path], separator: str = " ") -> Iterator[tuple[Path, str]]:
    """(path, name in the list) of each image that a list names: any list that training reads, or one of images alone.

    A line is tried as a whole, then up to ``separator``, then up to a tab, comma, semicolon or blank: the first that is
    a file gives the image.

    Args:
        path: the list file, UTF-8.
        folders: what names may be relative to; the first in which the file is.
        separator: what the config says stands between image and label.

    Raises:
        DataError: the list cannot be read, or a line names no image that is there.
    """
    for number, line, columns in list_lines(read_text(path), separator):
        names = dict.fromkeys([line, *columns[:1], *(line.split(other)[0].strip() for other in _SEPARATORS)])
        places = ((Path(folder, name), name) for name in names for folder in folders)
        found = next(((place, name) for place, name in places if _is_file(place)), None)
        if found is None:
            name = columns[0] if 1 <= len(columns) <= 2 else line
            where = " or to ".join(dict.fromkeys(str(folder) for folder in folders))
            fix = f"Names are relative to {where}; between image and label stands {separator!r}"
            raise DataError(f"the list names {name!r}, which is not there", where=f"{path}:{number}", fix=fix)
        yield found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a whole line may be no name: too long, or with a NUL
        return False


def list_lines(text: str, separator: str = " ") -> Iterator[tuple[int, str, list[str]]]:
    """(number, line, columns) of each line of a list file that is neither blank nor a comment."""
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):  # splitlines would cut names that hold U+2028
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line, [column.strip() for column in line.split(separator) if column.strip()]


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write a list file, whole or not at all."""
    with atomic_write(path, "w") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def wrong_columns(path: str | Path, number: int, line: str, count: int, separator: str, labels: bool) -> DataError:
    """The error of a line that does not hold an image and a label; its advice depends on what the line holds."""
    wanted = f"image{separator}label" + ("" if labels else ", or an image alone")
    other = next((s for s in _SEPARATORS if s != separator and len(line.split(s)) == 2), None)
    fix = f"Write {wanted!r} on each line"
    if other is not None:
        fix += f"; if the columns are separated by {other!r}, set separator: {other!r}".replace("'\\t'", '"\\t"')
    elif count > 2:
        fix += "; if a name holds the separator, use another one, a tab for example, and name it in the config"
    columns = "column" if count == 1 else "columns"
    return DataError(
        f"the line has {count} {columns} for the separator {separator!r}", where=f"{path}:{number}", fix=fix
    )
