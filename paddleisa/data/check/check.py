"""``prepare check``: is this data what the config says, and what a network should learn from?"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from paddleisa.config import Config
from paddleisa.data.check.duplicates import find_duplicates, find_exchanged
from paddleisa.data.check.rules import check_files, check_names, check_set
from paddleisa.data.check.split import Split, Which, take_split
from paddleisa.data.check.stats import SampleStats, StatsCache, examine, examine_arrays
from paddleisa.datasets.inventory import KINDS, Finding
from paddleisa.errors import ConfigError, DataError
from paddleisa.utils.concurrency import prefetched

QUICK_SAMPLES = 6  # samples decoded by the quick form: 0.4 s of Cityscapes frames
DRAWN_SAMPLES = 200  # of a generated set, which is right by construction
_SHOWN = 5  # files of a group in texts


@dataclass
class DataCheck:
    """What a check found.

    Attributes:
        name: the config's.
        parts: the splits that were checked.
        findings: errors first.
        seconds: time that the check took.
    """

    name: str
    parts: list[Split]
    findings: list[Finding]
    seconds: float = 0.0

    @property
    def errors(self) -> list[Finding]:
        """The findings that must be repaired."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that may be meant."""
        return [finding for finding in self.findings if finding.level != "error"]

    def text(self) -> str:
        """For the terminal: each kind once, with its first files."""
        lines = [part.summary() for part in self.parts]
        for (kind, level), found in grouped(self.findings).items():
            lines.append(f"{level}: {KINDS[kind].title} ({len(found)})")
            lines += [f"  {f.split}: {f.file}: {f.problem}. {f.fix}" for f in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"  ... and {len(found) - _SHOWN} more")
        total = f"{counted(len(self.errors), 'error')}, {counted(len(self.warnings), 'warning')}"
        return "\n".join([*lines, total + ("" if self.findings else ": nothing is wrong")])

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        splits = [
            {
                "split": part.which,
                "data_set": part.kind,
                "mode": part.mode,
                "root": str(part.root),
                "images": len(part.rows),
                "expected": part.expected,
                "looked_at": len(part.stats),
                "class_names": part.classes.names,
                "class_pixels": part.counts,
            }
            for part in self.parts
        ]
        return {
            "name": self.name,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "seconds": self.seconds,
            "splits": splits,
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_config(
    config: Config, *, workers: int = 2, cache: str | Path | None = None, quick: bool = False, progress: bool = True
) -> DataCheck:
    """Check both data sets of a config.

    Args:
        config: with ``train_dataset``, ``val_dataset`` or both.
        workers: threads that read and decode.
        cache: folder of the cache; None takes the one in ``PADDLEISA_HOME``.
        quick: lists, folders and a few files only (``quick_check``).
        progress: show a bar with the time left.

    Raises:
        ConfigError: the config has neither data set, or is wrong.
    """
    start = time.perf_counter()
    which: list[Which] = [name for name in ("train", "val") if config.get(f"{name}_dataset") is not None]
    if not which:
        raise ConfigError("there is no data set in the config", where=config.path or config.name)
    parts = []
    for name in which:
        split = take_split(config, name)
        stats = _look_at_few(split) if quick else _look_at_all(split, cache, workers, progress)
        parts.append(_judged(split, stats, quick))
    if not quick:
        find_duplicates(parts)
    _check_classes(config, parts)
    return DataCheck(config.name, parts, _findings(parts), time.perf_counter() - start)


def quick_check(config: Config, which: Which) -> None:
    """The check that ``train`` and ``val`` begin with: all names, a few files; under a second.

    Warnings go to stderr.

    Raises:
        DataError: what is wrong, with the first files and the command that tells more.
    """
    if config.get(f"{which}_dataset") is None:
        return
    split = take_split(config, which)
    if split.reader is not None:
        return
    report = DataCheck(config.name, [], _findings([_judged(split, _look_at_few(split), quick=True)]))
    for found in grouped(report.warnings).values():
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        print(f"data: {which}: {found[0].file}: {found[0].problem}{more}. {found[0].fix}", file=sys.stderr)
    if report.errors:
        first, others = report.errors[0], len(report.errors) - 1
        everything = f"For everything at once: paddleisa prepare check --config {config.path or config.name}"
        problem = f"{first.problem} (and {others} more)" if others else first.problem
        raise DataError(problem, where=first.file, fix=f"{first.fix}. {everything}")


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by kind in the order of ``KINDS``, then by file."""
    rank = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda f: (f.level != "error", rank[f.kind], f.split, f.file))


def grouped(findings: Iterable[Finding]) -> dict[tuple[str, str], list[Finding]]:
    """{(kind, level): its findings}, in the order in which they are given."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.level), []).append(finding)
    return groups


def _judged(split: Split, stats: dict[int, SampleStats], quick: bool) -> Split:
    """The split with what is known of its files, and what is wrong with them."""
    split.stats = stats
    check_names(split)
    check_files(split)
    check_set(split, quick)
    if not quick:
        find_exchanged(split)
    return split


def _findings(parts: list[Split]) -> list[Finding]:
    return ordered(replace(finding, split=part.which) for part in parts for finding in part.findings)


def _look_at_few(split: Split) -> dict[int, SampleStats]:
    """Some rows from the whole range, whose files are there."""
    present = split.present()
    step = max(1, len(present) // QUICK_SAMPLES)
    return {number: _stats_of(split, number) for number in present[::step][:QUICK_SAMPLES]}


def _look_at_all(split: Split, folder: str | Path | None, workers: int, progress: bool) -> dict[int, SampleStats]:
    """All rows whose files are there: from the cache, or looked at now."""
    numbers = split.present()
    if split.reader is not None:
        return {number: _stats_of(split, number) for number in numbers[:DRAWN_SAMPLES]}
    cache = StatsCache(split.root, folder)
    files = {number: (*split.rows[number], split.raw.get(split.rows[number][1] or "")) for number in numbers}
    stats = {number: known for number in numbers if (known := cache.get(*files[number])) is not None}
    todo = [number for number in numbers if number not in stats]
    quiet = None if progress else True  # None: no bar where stderr is no terminal
    bar = tqdm(total=len(numbers), initial=len(stats), desc=f"check {split.which}", unit="image", disable=quiet)
    try:
        for number, sample in zip(todo, prefetched(lambda n: _stats_of(split, n), todo, workers), strict=True):
            cache.put(sample, *files[number])
            stats[number] = sample
            bar.update()
    finally:
        bar.close()
        cache.close()
    return {number: stats[number] for number in numbers}


def _stats_of(split: Split, number: int) -> SampleStats:
    if split.reader is not None:
        sample = split.reader(number)
        return examine_arrays(sample["img"], sample.get("label"))
    return examine(split.rows[number], split.raw.get(split.rows[number][1] or ""), split.table)


def _check_classes(config: Config, parts: list[Split]) -> None:
    """The model's own num_classes against the data's."""
    model = config.get("model")
    own = model.get("num_classes") if isinstance(model, dict) else None
    for part in parts:
        if isinstance(own, int) and part.classes and len(part.classes) != own:
            fix = "Remove num_classes from the model, and it follows the data set"
            problem = f"the model has {own} classes, the data {len(part.classes)}"
            part.add("num_classes", config.path or config.name, problem, fix)
