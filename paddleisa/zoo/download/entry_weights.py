"""The weights of a row on this machine, in a format that loads, and whether they are the published ones."""

from __future__ import annotations

from pathlib import Path

from paddleisa.errors import WeightsError
from paddleisa.zoo.catalogue.catalogue import Entry
from paddleisa.zoo.download.hash_lock import LockFile
from paddleisa.zoo.download.locate import cached_weights, download_weights, local_weights


def row_weights(entry: Entry, *, offline: bool = False, download: bool = True) -> Path | None:
    """The file of a row's weights: from a ``pretrained`` folder, else from the cache, else downloaded.

    A ``.pth`` of mmsegmentation is converted beside its download, once.

    Args:
        offline: request nothing; DownloadError when the weights are not here.
        download: otherwise None is returned instead of anything being requested.
    """
    path = local_weights(entry.name)
    if path is None and (download or cached_weights(entry).is_file()):
        path = download_weights(entry, offline=offline)
        if entry.row.weights.format == "pth":
            from paddleisa.zoo.convert import convert

            source, path = path, path.with_suffix(".safetensors")
            if _converted_from(path) != LockFile().get(entry.row.weights.source).sha256:
                convert(source, path, force=True)
    return path


def origin_of(entry: Entry, path: Path, digest: str, *, given: bool) -> str:
    """What is known of a weights file, as a sentence.

    Args:
        path: the file.
        digest: its sha256.
        given: whether the user named it; then it may be any file.

    Raises:
        WeightsError: a file that was not named is not the published one.
    """
    weights, known = entry.row.weights, LockFile().get(entry.row.weights.source)
    expected = weights.sha256 or weights.sha256_prefix or (known.sha256 if known else None)
    source = None
    if weights.format == "pth" and path.suffix != ".pth":
        source = _converted_from(path)
        digest = source or ""
    if expected is None or (digest == "" and not given):
        return "put there by hand; not compared with the published file, whose hash is not known"
    if digest.startswith(expected):
        said = "the published file" if weights.sha256 or weights.sha256_prefix else f"downloaded from {weights.source}"
        return f"converted from {said}" if source else said
    if given:
        return "NOT known to be the published file: given with --model_path"
    raise WeightsError(
        f"weights: the sha256 is {digest}, that of the published file {expected}",
        where=path,
        fix="Move the file away to have the published one downloaded, or name it with --model_path",
    )


def _converted_from(path: Path) -> str | None:
    """The sha256 of the file that ``zoo convert`` made this ``.safetensors`` from, None where it does not say."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("source_sha256")
    except (OSError, SafetensorError):
        return None
