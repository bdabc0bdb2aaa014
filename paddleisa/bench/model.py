"""``bench model``: latency, frames per second and memory of a network in every engine and precision."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from paddleisa.bench.measuring import OfConfig, Outcome, announced, measure, run_in_child
from paddleisa.bench.report import PEAK, Column, Report, Row, Table, given
from paddleisa.errors import UsageError, one_of
from paddleisa.utils.options import natural, option, positive

if TYPE_CHECKING:
    from paddleisa.config import Config
    from paddleisa.deploy.export.calibration import Calibration
    from paddleisa.predictor import Predictor

DEFAULT_SIZE = (1024, 512)
WHAT = "one image after the other through the network; reading, preprocessing and masks are left out"


@dataclass(frozen=True)
class Settings(OfConfig):
    """What is the same for every engine."""

    model_path: str | None = option(None, "weights; without it, random ones", metavar="FILE")
    input_size: tuple[int, int] = option(
        None,
        "the network's input (the size that the config pads to, else 1024 512)",
        nargs=2,
        type=positive,
        metavar=("W", "H"),
    )
    iters: int = option(20, "measured runs")
    warmup: int = option(2, "before them", type=natural)
    device: str = "cpu"


def combinations(engines: list[str] | None, precisions: list[str] | None) -> list[tuple[str, str]]:
    """(engine, precision) pairs: all that exist, or the product of what was asked for.

    Raises:
        UsageError: there is no such engine, or no engine has such a precision.
    """
    from paddleisa.deploy.runtimes.open import AUTO, runtimes
    from paddleisa.deploy.runtimes.open import precisions as all_precisions

    known, having = all_precisions(), {name: runtime.precisions for name, runtime in runtimes().items()}
    for asked, names, flag in ((engines, [*having, AUTO], "--engine"), (precisions, known, "--precision")):
        for name in asked or ():
            if name not in names:
                raise UsageError(f"there is no {flag[2:]} {name!r}", where=flag, fix=one_of(name, names))
    pairs = []
    for engine in dict.fromkeys(engines or having):
        pairs += [(engine, precision) for precision in dict.fromkeys(precisions or having.get(engine) or known)]
    return pairs


def default_size(config: Config) -> tuple[int, int]:
    """(width, height) that the config pads or resizes validation images to; 1024x512 where it does neither."""
    for transform in reversed((config.get("val_dataset") or {}).get("transforms") or []):
        if transform["type"] in ("Padding", "Resize") and transform.get("target_size"):
            target = transform["target_size"]
            return (target, target) if isinstance(target, int) else (target[0], target[1])
    return DEFAULT_SIZE


def bench_model(pairs: list[tuple[str, str]], settings: Settings) -> Report:
    """Measure every (engine, precision), each in its own process."""
    width, height = settings.input_size
    counted = run_in_child(count_network, settings=asdict(settings))
    cost = counted.value or {}
    rows = [_row(*pair, cost, settings) for pair in announced(pairs, [" ".join(pair) for pair in pairs])]
    notes = [] if settings.model_path else ["weights are random: the time does not depend on them, the masks would"]
    notes += [f"{row['engine']} {row['precision']}: {row['problem']}" for row in rows if row["problem"]]
    if counted.problem:
        notes.append(f"parameters and FLOPs are not counted: {counted.problem}")
    network: Row = {"input": f"{width}x{height}", "parameters": cost.get("parameters")}
    tables = [
        Table(
            "network: trained parameters; FLOP of one image, a multiplication and an addition are 2",
            [Column("input", "input (WxH)"), Column("parameters", "parameters"), Column("gflop", "GFLOP", 2)],
            [{**network, "gflop": cost["flops"] / 1e9 if cost else None}],
        ),
        Table(f"engines: {PEAK}; opening finds the model converted", _COLUMNS, rows),
    ]
    shown = given(settings, leave_out=("input_size", "device"))
    from paddleisa.deploy.export import all_packages

    packages = all_packages()
    return Report("bench model", WHAT, settings.device, shown, tables, notes, packages)


def _row(engine: str, precision: str, cost: dict, settings: Settings) -> Row:
    params: dict[str, Any] = {"engine": engine, "precision": precision, "settings": asdict(settings)}
    # Converting takes memory that the system gets back only when its process ends.
    outcome = Outcome() if engine == "paddle" else run_in_child(convert, **params)
    if not outcome.problem:
        outcome = run_in_child(measure_engine, **params)
    row = {"engine": engine, "precision": precision, **outcome.row()}
    if cost and outcome.value:
        row["gflops"] = cost["flops"] / row["p50_ms"] / 1e6
    return row


def count_network(settings: dict) -> dict[str, object]:
    """``parameters`` and ``flops`` of one image, in evaluation."""
    from paddleisa.bench.cost import network_cost

    chosen = Settings(**settings)
    width, height = chosen.input_size
    return network_cost(chosen.load(), (height, width))


def convert(engine: str, precision: str, settings: dict) -> dict[str, object]:
    """Leave the converted model in the cache, so that the next process finds it."""
    _predictor(engine, precision, Settings(**settings))
    return {}


def measure_engine(engine: str, precision: str, settings: dict) -> dict[str, object]:
    """One engine in one precision, in this process.

    Raises:
        UsageError, DeployError: it cannot be had. ConfigError, WeightsError: the model cannot.
    """
    import numpy as np
    import paddle

    from paddleisa.utils.memory import PeakMemory

    chosen = Settings(**settings)
    predictor, opened = _predictor(engine, precision, chosen)
    width, height = chosen.input_size
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, height, width), np.float32))
    with paddle.no_grad(), PeakMemory() as peak:
        seconds = measure(lambda: predictor.engine.network(x), chosen.iters, chosen.warmup)
    return {
        "engine": engine if predictor.engine.name == engine else f"{engine} ({predictor.engine.name})",
        "frames_per_s": len(seconds) / sum(seconds),
        **{f"p{p}_ms": 1e3 * float(np.percentile(seconds, p)) for p in (50, 90, 99)},
        "peak_mib": peak.total / 2**20,
        "open_s": opened,
        "seconds": seconds,
    }


def _predictor(engine: str, precision: str, settings: Settings) -> tuple[Predictor, float]:
    """The model in its engine, and the seconds that opening it there took."""
    import paddle

    from paddleisa.build import build_model
    from paddleisa.predictor import Predictor
    from paddleisa.utils import environment
    from paddleisa.weights import load_weights

    environment.set_device(settings.device)
    config = settings.load()
    paddle.seed(0)  # the same random weights every time, so that converted models are found in the cache
    model = build_model(config)
    if settings.model_path:
        load_weights(model, settings.model_path)
    begin = time.perf_counter()
    calibration = _noise(settings.input_size) if precision == "int8" else None
    predictor = Predictor(model, config, engine=engine, precision=precision, calibration=calibration)
    return predictor, time.perf_counter() - begin


def _noise(size: tuple[int, int]) -> Calibration:
    """An image of noise: the time that int8 takes does not depend on the ranges, nor on what comes out."""
    import numpy as np

    from paddleisa.deploy.export.calibration import Calibration

    width, height = size
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Calibration([image], lambda sample: {"img": sample["img"].transpose(2, 0, 1) / 127.5 - 1}, tried=False)


_COLUMNS = [
    Column("engine", "engine"),
    Column("precision", "precision"),
    Column("frames_per_s", "frames/s", 2, "cell"),
    Column("p50_ms", "p50 ms", 1),
    Column("p90_ms", "p90 ms", 1),
    Column("p99_ms", "p99 ms", 1),
    Column("gflops", "GFLOP/s", 1),
    Column("peak_mib", "peak MiB", 0),
    Column("open_s", "open s", 1),
]
