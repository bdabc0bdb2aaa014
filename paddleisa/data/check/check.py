"""``prepare check``: is this data what the config says, and what a network should learn from?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from paddleisa.config import Config
from paddleisa.data.check.duplicates import find_duplicates, find_exchanged
from paddleisa.data.check.findings import KINDS, Finding, ordered
from paddleisa.data.check.inventory import Split, Which, take_inventory
from paddleisa.data.check.rules import FactsByRow, class_counts, judge, judge_set
from paddleisa.data.check.sample_stats import Facts, examine, examine_arrays
from paddleisa.data.check.stats_cache import FactsCache
from paddleisa.errors import ConfigError, DataError
from paddleisa.utils.concurrency import prefetched

QUICK_SAMPLES = 6  # samples decoded by the quick form: 0.4 s of Cityscapes frames
DRAWN_SAMPLES = 200  # of a generated set, which is right by construction
_SHOWN = 5  # files of a group in texts


@dataclass
class Checked:
    """A split with the facts about those of its rows that were looked at."""

    split: Split
    facts: FactsByRow

    @property
    def counts(self) -> list[int]:
        """Pixels of each class."""
        return class_counts(self.split, self.facts)


@dataclass
class Report:
    """What a check found.

    Attributes:
        parts: the splits that were checked.
        findings: errors first.
        seconds: time that the check took.
    """

    name: str
    parts: list[Checked]
    findings: list[Finding]
    seconds: float = 0.0

    @property
    def errors(self) -> list[Finding]:
        """The findings that must be repaired."""
        return [finding for finding in self.findings if finding.level == "error"]

    def text(self) -> str:
        """For the terminal: each kind once, with its first files."""
        groups: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault((finding.kind, finding.level), []).append(finding)
        lines = [_summary(part) for part in self.parts]
        for (kind, level), found in groups.items():
            lines.append(f"{level}: {KINDS[kind]} ({len(found)})")
            for finding in found[:_SHOWN]:
                lines.append(f"  {finding.split}: {finding.file}: {finding.problem}. {finding.fix}")
            if len(found) > _SHOWN:
                lines.append(f"  ... and {len(found) - _SHOWN} more")
        warnings = len(self.findings) - len(self.errors)
        total = f"{counted(len(self.errors), 'error')}, {counted(warnings, 'warning')}"
        lines.append(total if self.findings else "nothing is wrong")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "errors": len(self.errors),
            "warnings": len(self.findings) - len(self.errors),
            "seconds": self.seconds,
            "splits": [
                {
                    "split": part.split.which,
                    "data_set": part.split.kind,
                    "mode": part.split.mode,
                    "root": str(part.split.root),
                    "images": len(part.split.rows),
                    "expected": part.split.expected,
                    "looked_at": len(part.facts),
                    "class_names": part.split.class_names,
                    "class_pixels": part.counts,
                }
                for part in self.parts
            ],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check_config(
    config: Config, *, workers: int = 2, cache: str | Path | None = None, quick: bool = False, progress: bool = True
) -> Report:
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
    import time

    start = time.perf_counter()
    which = [name for name in ("train", "val") if config.get(f"{name}_dataset") is not None]
    if not which:
        raise ConfigError("there is no data set in the config", where=config.path or config.name)
    parts = []
    for name in which:
        split = take_inventory(config, name)
        facts = _look(split, _few(split)) if quick else _look_at_all(split, cache, workers, progress)
        judge(split, facts)
        parts.append(Checked(split, facts))
        if not quick:
            judge_set(split, facts)
            find_exchanged(split, facts)
    if not quick:
        find_duplicates([(part.split, part.facts) for part in parts])
    _check_classes(config, parts)
    findings = ordered([finding for part in parts for finding in part.split.findings])
    return Report(config.name, parts, findings, time.perf_counter() - start)


def quick_check(config: Config, which: Which) -> None:
    """The check that ``train`` and ``val`` begin with: all names, a few files; under a second.

    Warnings go to stderr.

    Raises:
        DataError: what is wrong, with the first files and the command that tells more.
    """
    if config.get(f"{which}_dataset") is None:
        return
    split = take_inventory(config, which)
    if split.reader is not None:
        return
    facts = _look(split, _few(split))
    judge(split, facts)
    if split.expected is not None and len(split.rows) != split.expected and split.rows:
        print(f"data: {which}: {len(split.rows)} images instead of the {split.by} {split.expected}", file=sys.stderr)
    errors = ordered([finding for finding in split.findings if finding.level == "error"])
    if not errors:
        return
    first = errors[0]
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    known = config.path or config.name
    raise DataError(
        f"{first.problem}{others}",
        where=first.file,
        fix=f"{first.fix}. For everything at once: paddleisa prepare check --config {known}",
    )


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _few(split: Split) -> list[int]:
    """Some rows from the whole range, whose files are there."""
    present = [number for number in range(len(split.rows)) if number not in split.absent]
    step = max(1, len(present) // QUICK_SAMPLES)
    return present[::step][:QUICK_SAMPLES]


def _look(split: Split, numbers: list[int]) -> FactsByRow:
    return {number: _facts_of(split, number) for number in numbers}


def _look_at_all(split: Split, folder: str | Path | None, workers: int, progress: bool) -> FactsByRow:
    """The facts of all rows whose files are there: from the cache, or looked at now."""
    numbers = [number for number in range(len(split.rows)) if number not in split.absent]
    if split.reader is not None:
        return _look(split, numbers[:DRAWN_SAMPLES])
    cache = FactsCache(split.root, folder)
    facts = {number: known for number in numbers if (known := cache.get(split.rows[number])) is not None}
    todo = [number for number in numbers if number not in facts]
    quiet = None if progress else True  # None: no bar where stderr is no terminal
    bar = tqdm(total=len(numbers), initial=len(facts), desc=f"check {split.which}", unit="image", disable=quiet)
    try:
        for number, fact in zip(todo, prefetched(lambda n: _facts_of(split, n), todo, workers), strict=True):
            cache.put(split.rows[number], fact)
            facts[number] = fact
            bar.update()
    finally:
        bar.close()
        cache.close()
    return {number: facts[number] for number in numbers}


def _facts_of(split: Split, number: int) -> Facts:
    if split.reader is not None:
        sample = split.reader(number)
        return examine_arrays(sample["img"], sample.get("label"))
    return examine(split.rows[number])


def _check_classes(config: Config, parts: list[Checked]) -> None:
    """The model's own num_classes against the data's."""
    model = config.get("model")
    own = model.get("num_classes") if isinstance(model, dict) else None
    for part in parts:
        if isinstance(own, int) and part.split.num_classes and part.split.num_classes != own:
            fix = "Remove num_classes from the model, and it follows the data set"
            problem = f"the model has {own} classes, the data {part.split.num_classes}"
            part.split.add("num_classes", config.path or config.name, problem, fix)


def _summary(part: Checked) -> str:
    split = part.split
    expected = "" if split.expected is None else f" ({split.by}: {split.expected})"
    sizes = {fact.image.size for fact in part.facts.values() if fact.image.trouble is None}
    size = ", ".join(f"{w}x{h}" for w, h in sorted(sizes)[:3]) + (", ..." if len(sizes) > 3 else "")
    seen = sum(part.counts)
    absent = sum(count == 0 for count in part.counts) if seen else 0
    looked = "" if len(part.facts) == len(split.rows) else f", {len(part.facts)} looked at"
    return (
        f"{split.which}: {split.kind} {split.mode}, {len(split.rows)} images{expected}{looked}; {size or 'no size'}; "
        f"{split.num_classes - absent} of {split.num_classes} classes"
    )
