"""Unpacking archives of data sets: all of an archive or nothing of it, and nothing outside the folder."""

from __future__ import annotations

import filecmp
import io
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

from tqdm import tqdm

from paddleisa.utils import files
from paddleisa.utils.files import WriteError, write_error
from paddleisa.weights.archive import ArchiveError, Member, archive_errors, safe_name, tar_members
from paddleisa.weights.opening import HEAD, archive_kind, open_regular

RATIO, SLACK = 50, 64 << 20  # polygons in JSON compress to a tenth; a bomb to a thousandth
RESERVE = 64 << 20  # bytes of the disk that are left free
MAX_MEMBERS = 500_000
MAX_CHUNK = 1 << 20


def extract_archive(archive: str | os.PathLike, folder: str | os.PathLike, *, progress: bool = False) -> list[Path]:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip into ``folder``, which is made when it is not there.

    Everything is first unpacked into a hidden folder beside its place and then moved, so that an archive that turns
    out to be damaged or unsafe leaves nothing behind. Files that are there already with the same content stay.

    Args:
        progress: show the unpacked bytes on stderr.

    Returns:
        The files, in the archive's order.

    Raises:
        ArchiveError: damaged data; a name outside the folder; a link, device or encrypted member; two members of the
            same name; more than 50 times the archive's size; or another file of a member's name in ``folder``.
        WriteError: the disk is full or the folder cannot be written.
    """
    archive, folder = Path(archive), Path(folder)
    existed = folder.is_dir()
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".extracting-", dir=folder))
        names = _unpack(archive, temporary, progress)
        _move(archive, temporary, folder, names)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return [folder / name for name in names]


def _unpack(archive: Path, folder: Path, progress: bool) -> list[Path]:
    """Write every file below the empty ``folder``; their relative paths."""
    with archive_errors(archive):
        with open_regular(archive) as stream:
            kind, size = archive_kind(stream.read(HEAD)), os.fstat(stream.fileno()).st_size
        limit = RATIO * size + SLACK
        members = _zip_members(archive, limit) if kind == "zip" else tar_members(archive, limit)
        names: list[Path] = []
        with tqdm(unit="B", unit_scale=True, desc=archive.name, disable=not progress) as bar:
            budget = _Budget(folder, limit, bar)
            for count, member in enumerate(members):
                if count >= MAX_MEMBERS:
                    raise ArchiveError(f"holds more than {MAX_MEMBERS} files")
                _write(member, folder, budget)
                if not member.is_folder:
                    names.append(Path(member.name))
    return names


class _Budget:
    """Counts written bytes against the bomb limit and the free disk space; declared sizes are not believed."""

    def __init__(self, folder: Path, limit: int, bar: tqdm):
        self._folder, self._left, self._bar = folder, limit, bar
        self._free = shutil.disk_usage(folder).free - RESERVE

    def spend(self, count: int) -> None:
        self._left -= count
        self._free -= count
        self._bar.update(count)
        if self._left < 0:
            raise _bomb()
        if self._free < 0:
            raise WriteError("no space left to unpack the archive", where=self._folder.parent, fix="Free some space")


def _write(member: Member, folder: Path, budget: _Budget) -> None:
    target = folder / member.name
    try:
        files.before_operation("make", target)
        (target if member.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if member.is_folder:
            return
        out = target.open("xb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(f"holds '{member.name}' twice, or as file and folder", fix="Download it again") from error
    except OSError as error:
        raise write_error(target, error) from error
    with out, member.open() as source:
        while data := source.read(MAX_CHUNK):
            budget.spend(len(data))
            try:
                files.before_operation("write", target)
                out.write(data)
            except OSError as error:
                raise write_error(target, error) from error


def _zip_members(path: Path, limit: int) -> Iterator[Member]:
    """As `archive.tar_members`, of a zip with stored or deflated members (others decompress without bounds)."""
    with zipfile.ZipFile(path) as file:
        infos = file.infolist()
        if sum(info.file_size for info in infos) > limit:
            raise _bomb()
        for info in infos:
            _check_zip_member(info)
            yield Member(safe_name(info.filename), info.is_dir(), info.file_size, partial(_opened, file, info))


def _opened(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> io.BufferedIOBase:
    return cast("io.BufferedIOBase", file.open(info))


def _bomb() -> ArchiveError:
    advice = "It may be a decompression bomb; do not unpack it by hand"
    return ArchiveError(f"unpacks to more than {RATIO} times its size", fix=advice)


def _check_zip_member(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "link" if kind == stat.S_IFLNK else "device or pipe"
        raise ArchiveError(f"holds a {what}, {info.filename[:80]!r}", fix="Use an archive of plain files")
    if info.flag_bits & 1:
        raise ArchiveError("is encrypted", fix="Unpack it by hand with its password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError("is compressed by another method than deflate", fix="Unpack it by hand")


def _move(archive: Path, source: Path, folder: Path, names: list[Path]) -> None:
    """Give every file its final name; nothing is moved unless all of them can be."""
    present = [name for name in names if (folder / name).is_symlink() or (folder / name).exists()]
    for name in present:
        if not (folder / name).is_file() or not filecmp.cmp(source / name, folder / name, shallow=False):
            raise ArchiveError(
                f"would replace '{folder / name}', which is another file", where=archive, fix="Choose another folder"
            )
    for parent in {name.parent for name in names}:
        _check_inside(archive, folder, parent)
    skipped = set(present)
    for name in names:
        if name not in skipped:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            files.before_operation("rename", folder / name)
            (source / name).rename(folder / name)


def _check_inside(archive: Path, folder: Path, parent: Path) -> None:
    """A link that stands in ``folder`` already must not lead the files elsewhere."""
    if not (folder / parent).resolve().is_relative_to(folder.resolve()):
        raise ArchiveError(
            f"would be unpacked through the link '{folder / parent}'", where=archive, fix="Choose another folder"
        )
