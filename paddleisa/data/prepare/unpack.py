"""Archives of data sets brought into the folder that the data set's class reads, once and safely."""

from __future__ import annotations

import filecmp
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from paddleisa.errors import DataError
from paddleisa.utils import files
from paddleisa.utils.files import write_error
from paddleisa.weights.extract import extract_archive

STAGE = ".unpacking"  # in the target folder; there only while an archive is being unpacked


def unpack_official(root: Path, archives: Mapping[str, str], progress: bool = True) -> None:
    """Unpack those of {official name: folder below ``root``} that lie in ``root`` and are not unpacked, or in part."""
    for name, folder in archives.items():
        archive = root / name
        if archive.is_file() and not _is_unpacked(archive, root / folder):
            unpack(archive, root / folder, progress=progress)


def unpack(archive: str | Path, folder: str | Path, inner: str = "", progress: bool = True) -> None:
    """Unpack ``archive``'s folder ``inner`` into ``folder``; whole, or continued by the next call.

    The archive goes into a hidden folder first (``extract_archive`` refuses whatever would leave it), then its files
    are renamed into place one by one. A file that is already there stays as it is; if its content is another one,
    nothing is replaced and the error names it.

    Args:
        archive: tar or zip.
        folder: gets the contents; made if missing.
        inner: folder inside the archive whose contents are wanted ("VOCdevkit"); "" takes all its folders, and leaves
            out loose files (both Cityscapes archives have their own README).
        progress: show the unpacked bytes.

    Raises:
        DataError, WeightsError: missing, damaged or unsafe archive, or one without ``inner``.
        WriteError: the disk is full.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise DataError("there is no such archive", where=archive)
    stage = folder / STAGE / archive.name
    try:
        if stage.exists():  # of a run that was killed; what it had moved already is found in place
            shutil.rmtree(stage)
        extract_archive(archive, stage, progress=progress)
        source = stage / inner
        if not source.is_dir():
            raise DataError(f"the archive holds no folder {inner!r}", where=archive, fix="Give the official archive")
        for path in sorted(source.rglob("*")):
            relative = path.relative_to(source)
            if path.is_file() and (inner or len(relative.parts) > 1):
                _move(path, folder / relative, archive)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    if not any((folder / STAGE).iterdir()):
        (folder / STAGE).rmdir()


def unfinished(archive: str | Path, folder: str | Path) -> bool:
    """Whether an earlier ``unpack`` of this archive was killed on its way."""
    return (Path(folder) / STAGE / Path(archive).name).exists()


def _move(source: Path, target: Path, archive: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() and not target.is_symlink():
        files.before_operation("rename", target)
        source.rename(target)
    elif not target.is_file() or not filecmp.cmp(source, target, shallow=False):
        raise DataError(
            f"{archive.name} holds another file of this name",
            where=target,
            fix="Nothing was replaced. If the archive is right, move your file away and run the command again",
        )


def _is_unpacked(archive: Path, folder: Path) -> bool:
    """Whether the folder that an archive begins with is there, and no unpacking was interrupted."""
    if unfinished(archive, folder):
        return False
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as content:
            first = next((name for name in content.namelist() if not name.endswith("/") and "/" in name), None)
    else:
        with tarfile.open(archive) as content:
            first = next((member.name for member in content if member.isfile() and "/" in member.name), None)
    return first is not None and (folder / Path(first).parts[0]).is_dir()
