"""From a model's name to its files on this machine, downloaded where they are missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from paddleisa.errors import ConfigError, DownloadError, UsageError, WeightsError
from paddleisa.utils.environment import home
from paddleisa.utils.files import sha256_of
from paddleisa.zoo.catalogue.catalogue import Entry, byte_count
from paddleisa.zoo.download.download import MAX_SIZE, fetch
from paddleisa.zoo.download.records import LockFile
from paddleisa.zoo.train_log import read_train_log

_LOG_LIMIT = 256 << 20


def local_weights(name: str) -> Path | None:
    """The file that a user put into ``pretrained`` of the working folder or of the package, or None.

    Looked for: ``NAME/model.pdparams``, ``NAME/model.safetensors``, ``NAME.pdparams``, ``NAME.safetensors``. Such a
    file is taken as it is; ``paddleisa zoo verify NAME`` says whether it is the published one.
    """
    from paddleisa.utils.environment import pretrained_dir

    for folder in (Path("pretrained"), Path(pretrained_dir())):
        for pattern in ("{}/model.pdparams", "{}/model.safetensors", "{}.pdparams", "{}.safetensors"):
            if (path := folder / pattern.format(name)).is_file():
                return path
    return None


def cached_weights(entry: Entry) -> Path:
    """Where the entry's weights lie or will lie: beside the catalogue, or in ``PADDLEISA_HOME/weights/NAME``."""
    if entry.row.weights.file:
        return entry.path.parent / entry.row.weights.file
    name = urlsplit(entry.row.weights.source).path.rpartition("/")[2]
    if "." not in name:  # of an address that names no file, such as Google Drive's
        name = f"{entry.name}.{entry.row.weights.format}"
    return home() / "weights" / entry.name / name


def best_shipped(catalogue: Iterable[Entry]) -> Entry:
    """The model of the highest single-scale mIoU among those whose weights lie beside their catalogue.

    Raises:
        UsageError: there is none.
    """
    here = shipped(catalogue)
    if not here:
        raise UsageError("no model's weights come with this installation", fix="Give --config, and see zoo list")
    return here[0]


def shipped(catalogue: Iterable[Entry]) -> list[Entry]:
    """The scored models whose weights lie beside their catalogue, best single-scale mIoU first."""
    here = [e for e in catalogue if e.row.weights.file and e.row.scores.single and cached_weights(e).is_file()]
    return sorted(here, key=lambda entry: entry.row.scores.single, reverse=True)


def download_weights(entry: Entry, *, offline: bool = False) -> Path:
    """The entry's published weights in the cache, downloaded unless they are there.

    The file must be readable as a state dict, without running anything of it, before it takes its final name. Raises
    DownloadError.
    """
    weights, path = entry.row.weights, cached_weights(entry)
    if weights.file:
        if not path.is_file():
            raise DownloadError(
                "the weights that come with the catalogue are missing",
                where=path,
                fix="Install the package again, or restore the file",
            )
        return path
    if weights.format == "pth":
        from paddleisa.weights.safe_pickle.torch_file import read_torch as check

        if not (weights.sha256 or weights.sha256_prefix):
            raise ConfigError("a .pth needs its sha256, or the first digits of it", where=entry.where)
    else:
        from paddleisa.weights import read_weights as check
    tensors = entry.manifest()
    return fetch(
        weights.source,
        path.parent,
        name=path.name,
        sha256=weights.sha256,
        sha256_prefix=weights.sha256_prefix,
        size=weights.size,
        # The values, as much again for what a format adds, and some for the smallest of models.
        max_size=MAX_SIZE if tensors is None else 2 * byte_count(tensors.values()) + (64 << 20),
        check=check,
        offline=offline,
    )


def entry_weights(entry: Entry, *, offline: bool = False, download: bool = True) -> Path | None:
    """The file of an entry's weights: from a ``pretrained`` folder, else from the cache, else downloaded.

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
            if _converted_from(path) != sha256_of(source):
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


def download_log(entry: Entry, *, offline: bool = False) -> Path:
    """The entry's published training log in the cache. Raises UsageError where none is published, DownloadError."""
    if entry.row.log is None:
        raise UsageError(f"{entry.name} has no training log in the catalogue", where=entry.where)
    folder = home() / "logs" / entry.name
    return fetch(entry.row.log, folder, max_size=_LOG_LIMIT, check=read_train_log, offline=offline)
