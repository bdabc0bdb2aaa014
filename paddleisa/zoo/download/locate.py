"""From a model's name to its files on this machine, downloaded where they are missing."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from paddleisa.errors import ConfigError, DownloadError, UsageError
from paddleisa.utils.environment import home
from paddleisa.zoo.catalogue.catalogue import Catalogue, Entry, load_catalogue
from paddleisa.zoo.catalogue.manifest import byte_count
from paddleisa.zoo.download.download import MAX_SIZE, fetch
from paddleisa.zoo.download.transfer import Policy
from paddleisa.zoo.train_log import read_train_log

_LOG_LIMIT = 256 << 20


def find_weights(
    name: str,
    *,
    catalogue: Catalogue | None = None,
    offline: bool = False,
    quiet: bool = False,
    policy: Policy | None = None,
) -> Path:
    """The weights of a catalogued model: from a ``pretrained`` folder, else from the cache, else downloaded.

    Raises UsageError for an unknown name, DownloadError when the weights are not here and cannot be fetched.
    """
    local = local_weights(name)
    if local is not None:
        return local
    entry = (catalogue or load_catalogue()).get(name)
    return download_weights(entry, offline=offline, quiet=quiet, policy=policy)


def local_weights(name: str) -> Path | None:
    """The file that a user put into ``pretrained`` of the working folder or of the package, or None.

    Looked for: ``NAME/model.pdparams``, ``NAME/model.safetensors``, ``NAME.pdparams``, ``NAME.safetensors``. Such a
    file is taken as it is; ``paddleisa zoo verify NAME`` says whether it is the published one.
    """
    from paddleisa.utils.resources import pretrained_dir

    for folder in (Path("pretrained"), Path(pretrained_dir())):
        for pattern in ("{}/model.pdparams", "{}/model.safetensors", "{}.pdparams", "{}.safetensors"):
            if (path := folder / pattern.format(name)).is_file():
                return path
    return None


def cached_weights(entry: Entry) -> Path:
    """Where the entry's weights lie or will lie: beside the catalogue, or in ``PADDLEISA_HOME/weights/NAME``."""
    if entry.row.weights.file:
        return entry.path.parent / entry.row.weights.file
    return home() / "weights" / entry.name / urlsplit(entry.row.weights.url).path.rpartition("/")[2]


def download_weights(entry: Entry, *, offline: bool = False, quiet: bool = False, policy: Policy | None = None) -> Path:
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
        weights.url,
        path.parent,
        sha256=weights.sha256,
        sha256_prefix=weights.sha256_prefix,
        size=weights.size,
        # The values, as much again for what a format adds, and some for the smallest of models.
        max_size=MAX_SIZE if tensors is None else 2 * byte_count(tensors.values()) + (64 << 20),
        check=check,
        offline=offline,
        quiet=quiet,
        policy=policy,
    )


def download_log(entry: Entry, *, offline: bool = False, quiet: bool = False, policy: Policy | None = None) -> Path:
    """The entry's published training log in the cache. Raises UsageError where none is published, DownloadError."""
    if entry.row.log is None:
        raise UsageError(f"{entry.name} has no training log in the catalogue", where=entry.where)
    return fetch(
        entry.row.log,
        home() / "logs" / entry.name,
        max_size=_LOG_LIMIT,
        check=read_train_log,
        offline=offline,
        quiet=quiet,
        policy=policy,
    )
