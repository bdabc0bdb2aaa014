"""The images that a command's argument names: a file, a folder, or a list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from paddleisa.datasets.listing import listed_images
from paddleisa.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
LISTS = (".txt", ".lst", ".list", ".csv", ".tsv")


def find_images(
    path: str | Path, leave_out: Iterable[Path] = (), separator: str = " ", root: str | Path | None = None
) -> list[tuple[Path, Path]]:
    """The images that ``path`` names, each with its name relative to the result folders.

    Args:
        path: an image; a pattern such as ``photos/*.jpg``; a folder, searched with its subfolders but for hidden
            ones; or a list of images, such as one that training reads (``listing.listed_images`` has the details).
        leave_out: folders of earlier results that, if they lie in the searched folder, are no images to predict.
        separator: in a list, what stands between image and label.
        root: what a list's names are relative to where they are not beside the list; the config's ``dataset_root``.

    Raises:
        DataError: nothing is there, or no image in it.
    """
    path = Path(path)
    if path.is_dir():
        images = _inside(path, leave_out)
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


def _inside(folder: Path, leave_out: Iterable[Path]) -> list[tuple[Path, Path]]:
    root = folder.resolve()
    results = {path.resolve() for path in leave_out} - {root, *root.parents}  # whoever names a result folder means it
    images = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and results.isdisjoint(path.resolve().parents):
            images.append((path, relative))
    return images


def _inside_results(name: str) -> Path:
    """A listed name as one inside a result folder: the last part alone of a name that would lead out of it."""
    relative = Path(name)
    return Path(relative.name) if relative.is_absolute() or ".." in relative.parts else relative
