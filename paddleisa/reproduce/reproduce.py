"""Published scores measured again: every image read once, every forward pass run once, all ways fed from them."""

from __future__ import annotations

import json
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paddleisa.deploy.runtimes.open import AUTO
from paddleisa.errors import DataError, PaddleISAError, UsageError
from paddleisa.evaluation.metrics import Scores
from paddleisa.predictor import Predictor
from paddleisa.reproduce.accumulator import Tally, key_digest
from paddleisa.reproduce.preflight import Job, Request, choose, load_model, prepare
from paddleisa.reproduce.report import Report, write_report
from paddleisa.reproduce.result import Outcome
from paddleisa.utils.concurrency import Behind, prefetched
from paddleisa.utils.process import StopRequest, exclusive
from paddleisa.utils.progress import Progress
from paddleisa.zoo.catalogue.catalogue import load_catalogue

if TYPE_CHECKING:
    from paddleisa.inference.masks import Network, ViewLogits

SAVE_EVERY = 10.0  # seconds; a killed run repeats at most that much


class Stopped(PaddleISAError):
    """Ctrl-C or SIGTERM; what was measured is saved. ``signal`` is its number."""

    def __init__(self, number: int, problem: str):
        super().__init__(problem, fix="The same command goes on from there")
        self.signal = number


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        save_dir: gets a folder for each row.
        limit: look at the first images only: a quick look, with a state of its own.
        workers: threads that read ahead.
        fresh: begin anew although an earlier run left its state.
        progress: show how far it is and how long it will take.
        engine, precision: what computes the network, see :mod:`paddleisa.deploy.runtimes.open`.
    """

    save_dir: Path = Path("output/reproduce")
    limit: int | None = None
    workers: int = 1
    fresh: bool = False
    progress: bool = True
    engine: str = "paddle"
    precision: str = "fp32"


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
        options: ``limit``, ``workers``, ``fresh``, ``progress``, ``engine``, ``precision`` of :class:`Options`.

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
        outcomes.append(measure_row(job, run))
        finished(outcomes[-1], write_report(Report(outcomes[-1:], command), run.save_dir / job.entry.name, stem))
    report = Report(outcomes, command)
    if len(outcomes) > 1:
        write_report(report, run.save_dir, stem)
    return report


def measure_row(job: Job, options: Options) -> Outcome:
    """Evaluate one row in all its ways, from where an earlier run of the same measurement ended.

    Raises:
        Stopped: after a signal. DataError: an image or label that cannot be used; what comes before it is saved.
        CheckpointError: an earlier run's state is damaged. UsageError: another process measures the same.
    """
    import paddle

    count = len(job.dataset) if options.limit is None else min(options.limit, len(job.dataset))
    if count == 0:
        raise DataError("there is no image to evaluate", where=type(job.dataset).__name__)
    device = paddle.get_device()
    if options.engine == AUTO:  # decided now: the numbers of another one would be another measurement
        opened = Predictor(load_model(job), job.config, engine=AUTO, precision=options.precision)
        options = replace(options, engine=opened.engine.name)
    engine = f"{options.engine} {options.precision}"
    key = measurement_key(job, options.limit, device, engine)
    path = options.save_dir / job.entry.name / f"state-{key_digest(key)}.npz"
    with exclusive(path, "measuring this row", "Wait for it, or give another --save_dir"):
        tally = _begin(job, path, key, options)
        if tally.images < count:
            tally.save(path, key)  # a folder that cannot be written is known now, not after the first hours
            _measure(job, tally, count, options, lambda: tally.save(path, key))
    return Outcome(job, tally, device, engine, limited=options.limit is not None)


def measurement_key(job: Job, limit: int | None, device: str, engine: str) -> dict[str, object]:
    """All that the numbers depend on. A state is continued only under an equal key."""
    import paddle

    return {
        "config": job.config.digest(),
        "weights": job.sha256,
        "data": job.data_digest,
        "ways": [asdict(way.settings) for way in job.ways],
        "limit": limit,
        "paddle": paddle.__version__,
        "device": device.partition(":")[0],
        "engine": engine,
    }


def _begin(job: Job, path: Path, key: dict, options: Options) -> Tally:
    """The state to continue from, or an empty one; says which."""
    if path.is_file() and not options.fresh:
        tally = Tally.load(path, key)
        print(f"{job.entry.name}: {tally.images} images are measured already ({path}); --fresh begins anew")
        return tally
    for other in [] if options.fresh else sorted(path.parent.glob("state-*.npz")):
        differing = _differing(other, key)
        if differing and "limit" not in differing:
            print(f"{job.entry.name}: not continued, measured with other {', '.join(differing)}: {other}")
    return Tally(len(job.ways), job.dataset.num_classes, job.dataset.ignore_index)


def _differing(path: Path, key: dict) -> list[str]:
    """The parts of the key in which another state differs; none for a file that cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            other = json.loads(file["header"].tobytes())["key"]
        return [part for part, value in json.loads(json.dumps(key)).items() if other[part] != value]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return []


def _measure(job: Job, tally: Tally, count: int, options: Options, save) -> None:
    """Add the images from ``tally.images`` to ``count``; ``save()`` is called now and then, and at the end."""
    predictor = Predictor(load_model(job), job.config, engine=options.engine, precision=options.precision)
    ways = [way.settings for way in job.ways]
    before, start, saved = tally.seconds, time.perf_counter(), time.perf_counter()
    samples: Any = prefetched(job.dataset.__getitem__, range(tally.images, count), options.workers)
    with StopRequest() as stop, Progress(job.entry.name, count, tally.images, options.progress) as progress:

        def score(sample: dict, logits: ViewLogits) -> None:
            nonlocal saved
            masks = [predictor.mask(logits, way) for way in ways]
            tally.add(masks, sample["label"], where=sample["label_path"])
            tally.seconds = before + time.perf_counter() - start
            miou = 100 * Scores.from_matrix(tally.matrices[0], ways[0].protocol).miou
            progress.step(f"{job.ways[0].name} {miou:.2f}")
            if time.perf_counter() - saved > SAVE_EVERY:
                save()
                saved = time.perf_counter()

        predictor = predictor.with_network(_stoppable(predictor.engine.network, stop))
        try:
            with Behind(score) as behind:  # which alone changes the tally, and is done before the last save
                for sample in samples:
                    if "label" not in sample:
                        raise DataError("there is no label to score against", where=sample["image_path"])
                    behind(sample, predictor.logits(sample, ways))
        except _Signal as signal:
            raise Stopped(
                signal.args[0], f"stopped; {tally.images} of {count} images of {job.entry.name} are measured and saved"
            ) from None
        finally:
            # A signal only sets a flag, so the tally is whole here. Only a second Ctrl-C can come in the middle of it.
            if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
                save()
            samples.close()


class _Signal(Exception):
    """A signal of this number came; leaves the image that is being computed."""


def _stoppable(network: Network, stop: StopRequest) -> Network:
    """The network, which raises _Signal instead of another forward pass: one may take a minute, an image ten."""

    def run(x):
        if stop.signal is not None:
            raise _Signal(stop.signal)
        return network(x)

    return run
