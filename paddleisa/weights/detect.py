"""What a file is, by its content: an error page named `model.pdparams` is told apart from a damaged state dict."""

from __future__ import annotations

import struct

from paddleisa.errors import WeightsError

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
