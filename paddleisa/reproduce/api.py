"""`paddleisa reproduce` and `paddleisa zoo verify` as functions: the commands only parse options and print."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paddleisa.errors import UsageError
from paddleisa.reproduce.preflight import Job, Request, choose, prepare
from paddleisa.reproduce.report import Report
from paddleisa.reproduce.reproduce import Options
from paddleisa.reproduce.reproduce import reproduce as measure
from paddleisa.reproduce.result import Outcome
from paddleisa.reproduce.verify import Report as Verification
from paddleisa.reproduce.verify import best_match, verify_weights
from paddleisa.reproduce.write_report import write_report
from paddleisa.zoo.catalogue.catalogue import load_catalogue
from paddleisa.zoo.download.locate import download_weights, local_weights


def reproduce(
    names: str | Sequence[str] = (),
    save_dir: str | Path = "output/reproduce",
    *,
    opts: Sequence[str] = (),
    plugins: Sequence[str] = (),
    model_path: str | Path | None = None,
    catalogues: Sequence[str] = (),
    offline: bool = False,
    command: str | None = None,
    started: Callable[[Sequence[Job]], None] = lambda jobs: None,
    finished: Callable[[Outcome, Sequence[Path]], None] = lambda outcome, files: None,
    **options: Any,
) -> Report:
    """Measure published scores again, and write a report of each model and, of several, one of all.

    Args:
        names: models or families of the catalogue, or ``all``; without one the four rows of PaddleSeg.
        save_dir: gets reports, and the state from which a stopped run goes on.
        opts, plugins: changes of every model's config, and files that register components.
        model_path: weights instead of the published ones; for one model.
        catalogues: further catalogue files.
        offline: request nothing.
        command: what the report says was called; this call without it.
        started: called when everything is there, with what will be measured.
        finished: called after each model, with its result and the files of its report.
        options: ``limit``, ``workers``, ``fresh``, ``progress``, ``engine``, ``precision`` of
            :class:`paddleisa.reproduce.reproduce.Options`.

    Raises:
        NotReady: data or weights are missing; nothing was started. UsageError: options that cannot be used.
        Stopped: Ctrl-C or SIGTERM; the same call goes on from there.
    """
    names = [names] if isinstance(names, str) else list(names)
    entries = choose(names, load_catalogue(catalogues))
    if model_path is not None and len(entries) != 1:
        problem = f"one file cannot be the weights of {len(entries)} models"
        raise UsageError(problem, where="--model_path", fix="Name one model")
    path = None if model_path is None else Path(model_path)
    jobs = prepare(entries, Request(opts, plugins, path, catalogues, offline))
    started(jobs)
    run = Options(save_dir=Path(save_dir), **options)
    stem = "report" if run.limit is None else "quick_look"
    command = command or f"paddleisa.reproduce({', '.join(map(repr, names))})"
    outcomes: list[Outcome] = []
    for job in jobs:
        outcomes.append(measure(job, run))
        finished(outcomes[-1], write_report(Report(outcomes[-1:], command), run.save_dir / job.entry.name, stem))
    report = Report(outcomes, command)
    if len(outcomes) > 1:
        write_report(report, run.save_dir, stem)
    return report


def verify(
    named: str | Path, model: str | None = None, *, catalogues: Sequence[str] = (), offline: bool = False
) -> Verification:
    """Whether weights are the published ones of a model: hash, safe read, tensors, one forward pass.

    Args:
        named: a weights file, or a model of the catalogue, whose weights are downloaded unless they are here.
        model: the model that the weights should be of; found by their tensors where a file is named without it.
        catalogues: further catalogue files.
        offline: request nothing.

    Raises:
        UsageError: no model is like the file. WeightsError, DownloadError: there are no weights to look at.
    """
    catalogue = load_catalogue(catalogues)
    if str(named) in catalogue:
        path = local_weights(str(named)) or download_weights(catalogue.get(str(named)), offline=offline)
        return verify_weights(path, catalogue.get(model or str(named)))
    path = Path(named)
    if not path.is_file():
        raise UsageError(
            "there is no such file", where=shlex.quote(str(named)), fix="Give a file, or a catalogue's name"
        )
    return verify_weights(path, catalogue.get(model) if model else best_match(path, catalogue))
