"""Before hours of work: is everything there, for every row? What is missing is said at once, with what gets it."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from paddleisa.datasets.layouts import Source
from paddleisa.errors import PaddleISAError, UsageError, WeightsError, one_of
from paddleisa.registry import DATASETS
from paddleisa.reproduce.targets import Way, ways_of
from paddleisa.utils.files import sha256_of
from paddleisa.zoo.catalogue.catalogue import Catalogue, Entry
from paddleisa.zoo.download.locate import entry_weights, origin_of

if TYPE_CHECKING:
    from paddle import nn

    from paddleisa.config import Config
    from paddleisa.datasets.base import SegmentationData


class NotReady(PaddleISAError):
    """Data or weights that a reproduction needs are missing or wrong; nothing was started."""


@dataclass(frozen=True)
class Request:
    """What the user asked for, beside the names.

    Attributes:
        opts: changes of every row's config, ``KEY=VALUE``.
        plugins: Python files that register components.
        model_path: weights instead of the published ones; for one row.
        catalogues: further catalogue files, for the commands that are advised.
        offline: request nothing from the network.
    """

    opts: Sequence[str] = ()
    plugins: Sequence[str] = ()
    model_path: Path | None = None
    catalogues: Sequence[str] = ()
    offline: bool = False

    def command(self, words: str) -> str:
        """A paddleisa command with the options that name the same catalogues."""
        return shlex.join(
            ["paddleisa", *words.split(), *(w for file in self.catalogues for w in ("--catalogue", file))]
        )


@dataclass
class Job:
    """One row with everything that its evaluation needs.

    Attributes:
        changes: what ``--opts`` changed in the row's config, a line each.
        weights: the file; ``sha256`` of it; ``weights_origin`` says what that hash was compared with.
        data_digest: see :func:`data_digest`.
    """

    entry: Entry
    config: Config
    ways: list[Way]
    changes: list[str] = field(default_factory=list)
    dataset: SegmentationData = field(default=None)  # type: ignore[assignment]  # filled before a job is given out
    data_digest: str = ""
    weights: Path = field(default=None)  # type: ignore[assignment]  # likewise
    sha256: str = ""
    weights_origin: str = ""


def choose(names: Sequence[str], catalogue: Catalogue) -> list[Entry]:
    """The rows that ``names`` mean: models, families, or ``all``. No name means PaddleSeg's family, the four rows.

    Raises UsageError for a name that is none of these.
    """
    by_name = {entry.name: [entry] for entry in catalogue} | {"all": list(catalogue)}
    for entry in catalogue:
        by_name.setdefault(entry.family, [e for e in catalogue if e.family == entry.family])
    chosen: dict[str, Entry] = {}
    for name in names or ["paddleseg"]:
        if name not in by_name:
            raise UsageError(f"there is no model {name!r} in the catalogue", fix=one_of(name, by_name))
        chosen |= {entry.name: entry for entry in by_name[name]}
    return list(chosen.values())


def prepare(entries: Sequence[Entry], request: Request) -> list[Job]:
    """Check configs and data of all rows, then find or download all weights, then load each once.

    Raises:
        NotReady: listing everything that is missing or wrong, of all rows, with the commands that get it. No weights
            are downloaded while data is missing.
    """
    problems: dict[str, list[str]] = {entry.name: [] for entry in entries}
    commands: list[str] = []
    jobs = [_job(entry, request, problems[entry.name], commands) for entry in entries]
    data_is_there = not any(problems.values())
    for entry, job in zip(entries, jobs, strict=True):
        try:
            _find_weights(entry, job, request, download=data_is_there)
        except PaddleISAError as error:
            problems[entry.name].append(str(error))
            if request.model_path is None:
                commands.append(request.command(f"zoo download {entry.name}"))
    if any(problems.values()):
        raise _not_ready(problems, commands, request)
    return [job for job in jobs if job is not None]


def data_digest(dataset: SegmentationData) -> str:
    """SHA-256 over the names and sizes in bytes of all images and labels, in order.

    Names are relative to the folder that holds them all, so that a copy of the data has the digest of the original.
    The size of a file that is not there, as for drawn data, counts as 0.
    """
    files = [Path(file).absolute() for sample in dataset.samples for file in sample if file is not None]
    root = os.path.commonpath([file.parent for file in files]) if files else "."
    lines = []
    for file in files:
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            size = 0
        lines.append(f"{file.relative_to(root).as_posix()} {size}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def data_commands(dataset: dict) -> list[str]:
    """Commands that bring a public data set into its folder; none for other data, or where something is there already.

    Args:
        dataset: a config's ``val_dataset``.
    """
    source = getattr(DATASETS.get(dataset["type"]), "source", Source())
    root = Path(dataset.get("dataset_root") or source.root)
    return [] if root.is_dir() and any(root.iterdir()) else source.commands(root)


def load_model(job: Job) -> nn.Layer:
    """The row's network with its weights. Raises WeightsError when they do not fit."""
    from paddleisa.build import build_model
    from paddleisa.weights import load_weights

    model = build_model(job.config)
    load_weights(model, job.weights)
    return model


def _job(entry: Entry, request: Request, problems: list[str], commands: list[str]) -> Job | None:
    """Config and data of a row; what is wrong goes to ``problems``, what helps to ``commands``."""
    from paddleisa.build import build_dataset
    from paddleisa.config import check, load_config
    from paddleisa.data.check.check import quick_check

    try:
        shipped = load_config(entry.config, plugins=request.plugins)
        config = load_config(entry.config, opts=request.opts, plugins=request.plugins)
        check(config, "val")
    except PaddleISAError as error:
        problems.append(str(error))
        return None
    job = Job(entry, config, ways_of(entry), changes=shipped.differences(config))
    try:
        quick_check(config, "val")
        job.dataset = build_dataset(config, "val")
        job.data_digest = data_digest(job.dataset)
    except PaddleISAError as error:
        problems.append(f"data: {error}")
        commands += data_commands(config["val_dataset"])
    return job


def _find_weights(entry: Entry, job: Job | None, request: Request, *, download: bool) -> None:
    """Set the job's weights, and see that they fit. Raises what is wrong with them."""
    path = request.model_path or entry_weights(entry, offline=request.offline, download=download)
    if path is None:
        raise WeightsError("weights: not on this machine", fix="They will be downloaded once the data is there")
    if not Path(path).is_file():
        raise WeightsError("weights: there is no such file", where=path, fix="Check --model_path")
    if job is None:
        return
    job.weights, job.sha256 = Path(path), sha256_of(path)
    job.weights_origin = origin_of(entry, job.weights, job.sha256, given=request.model_path is not None)
    load_model(job)


def _not_ready(problems: dict[str, list[str]], commands: list[str], request: Request) -> NotReady:
    wrong = {name: found for name, found in problems.items() if found}
    lines = [f"{len(wrong)} of {len(problems)} models cannot be evaluated yet; nothing was started"]
    for name, found in wrong.items():
        lines += [f"  {name}", *("    " + text.replace("\n", "\n    ") for text in found)]
    if commands:
        lines += ["To get what is missing:", *(f"  {command}" for command in dict.fromkeys(commands))]
    if ready := [name for name in problems if name not in wrong]:
        lines += ["What is ready can be evaluated now:", "  " + request.command(f"reproduce {' '.join(ready)}")]
    return NotReady("\n".join(lines))
