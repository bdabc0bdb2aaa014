"""``bench data``: reading and augmentation by number of reading threads, and what each transform takes of it."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Literal

from paddleisa.bench.measuring import OfConfig, announced, run_in_child
from paddleisa.bench.report import Column, Report, Row, Table, given
from paddleisa.utils.options import option

Split = Literal["train", "val"]
WHAT = "samples read, decoded and transformed in one process, nothing done with them"


@dataclass(frozen=True)
class Settings(OfConfig):
    """What is the same for every measurement."""

    frames: int = option(64, "samples in a round; a smaller data set is gone through again")
    repeats: int = option(3, "rounds; the median counts")


def bench_data(splits: list[str], num_workers: int, settings: Settings) -> Report:
    """Measure ``train`` and ``val`` with 0 to ``num_workers`` threads.

    The shares come first, in a process of their own, so that the files are in the system's cache for all that follow.
    """
    cases = [(split, workers) for split in splits for workers in (None, *range(num_workers + 1))]
    names = [f"{split}, " + ("shares" if workers is None else f"{workers} threads") for split, workers in cases]
    rates, shares, notes = [], [], []
    for (split, workers), name in zip(announced(cases, names), names, strict=True):
        if workers is None:
            outcome = run_in_child(measure_shares, split=split, settings=asdict(settings))
            shares += _shares(split, outcome.value or {})
        else:
            outcome = run_in_child(measure_rate, split=split, workers=workers, settings=asdict(settings))
            rates.append(outcome.row(split=split, workers=workers))
        if outcome.problem:
            notes.append(f"{name}: {outcome.problem}")
    for split in splits:
        own = [row for row in rates if row["split"] == split and not row["failed"]]
        for row in own:
            row["factor"] = row["frames_per_s"] / own[0]["frames_per_s"]
    tables = [
        Table("rate: 0 threads read in the process itself, as between training steps", _RATE_COLUMNS, rates),
        Table("shares: in one thread, milliseconds of a sample", _SHARE_COLUMNS, shares),
    ]
    return Report("bench data", WHAT, None, given(settings), tables, notes)


def measure_rate(split: Split, workers: int, settings: dict) -> dict[str, object]:
    """Frames per second of one split with ``workers`` reading threads, 0: in this one."""
    from paddleisa.build import build_dataset
    from paddleisa.utils.concurrency import prefetched

    chosen = Settings(**settings)
    dataset = build_dataset(chosen.load(), split)
    keys = _keys(dataset, split, chosen.frames)
    dataset[keys[0]]
    rates, busy = [], time.process_time()
    for _ in range(chosen.repeats):
        begin = time.perf_counter()
        for _ in prefetched(dataset.__getitem__, keys, workers):
            pass
        rates.append(len(keys) / (time.perf_counter() - begin))
    busy = time.process_time() - busy
    return {
        "frames_per_s": statistics.median(rates),
        "cpu_ms": 1e3 * busy / (len(keys) * chosen.repeats),
        "rates": rates,
    }


def measure_shares(split: Split, settings: dict) -> dict[str, float]:
    """Mean seconds of a sample spent in reading, in each step that really runs, and in the rest (layout, copies)."""
    from paddleisa.build import build_dataset

    chosen = Settings(**settings)
    dataset = build_dataset(chosen.load(), split)
    spent: dict[str, float] = {}
    dataset.read = _timed("read and decode", dataset.read, spent)  # type: ignore[method-assign]
    dataset.transforms.steps = [_timed(type(step).__name__, step, spent) for step in dataset.transforms.steps]
    keys = _keys(dataset, split, chosen.frames)
    dataset[keys[0]]
    spent.clear()
    begin = time.perf_counter()
    for key in keys:
        dataset[key]
    total = time.perf_counter() - begin
    spent["layout and the rest"] = total - sum(spent.values())
    return {name: seconds / len(keys) for name, seconds in spent.items()}


def _timed(name: str, function, spent: dict[str, float]):
    """``function``, its time added to ``spent[name]``."""

    def timed(argument):
        begin = time.perf_counter()
        result = function(argument)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begin
        return result

    return timed


def _keys(dataset, split: str, frames: int) -> list:
    """What a training or an evaluation would ask the data set for."""
    numbers = [position % len(dataset) for position in range(frames)]
    return list(zip(numbers, range(frames), strict=True)) if split == "train" else numbers


def _shares(split: str, spent: dict[str, float]) -> list[Row]:
    total = sum(spent.values())
    return [{"split": split, "step": k, "ms": 1e3 * v, "percent": 100 * v / total} for k, v in spent.items()]


_RATE_COLUMNS = [
    Column("split", "data"),
    Column("workers", "threads"),
    Column("frames_per_s", "frames/s", 1, "cell"),
    Column("factor", "against 0", 2),
    Column("cpu_ms", "CPU ms a frame", 1),
]
_SHARE_COLUMNS = [
    Column("split", "data"),
    Column("step", "step"),
    Column("ms", "ms", 2),
    Column("percent", "%", 1),
]
