"""``bench train``: a training step and its parts, by precision."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from paddleisa.bench.measuring import Laps, OfConfig, announced, run_in_child
from paddleisa.bench.report import PEAK, Column, Report, Table, given
from paddleisa.errors import UsageError
from paddleisa.utils.options import natural, option, positive

if TYPE_CHECKING:
    import numpy as np

    from paddleisa.config import Config

Kind = Literal["fp32", "fp16", "bf16"]
PARTS = ("batch", "forward", "backward", "optimizer")
WHAT = "training steps of one process: batch to the device, forward and loss, backward, optimizer"


@dataclass(frozen=True)
class Settings(OfConfig):
    """What is the same for every precision; optimizer, loss and batch size are the config's."""

    input_size: tuple[int, int] = option(
        None, "size of the random images (the config's crop)", nargs=2, type=positive, metavar=("W", "H")
    )
    real_data: bool = option(False, "read the config's images instead of random ones")
    amp_level: Literal["O1", "O2"] = option("O1", "of fp16 and bf16", choices=("O1", "O2"))
    iters: int = option(5, "measured steps")
    warmup: int = option(1, "before them", type=natural)
    device: str = "cpu"


def crop_size(config: Config) -> tuple[int, int]:
    """(width, height) of the images that ``train_dataset`` gives.

    Raises:
        UsageError: none of its transforms says so.
    """
    for transform in reversed((config.get("train_dataset") or {}).get("transforms") or []):
        size = transform.get("crop_size") or transform.get("target_size")
        if size:
            return (size, size) if isinstance(size, int) else (size[0], size[1])
    raise UsageError(
        "train_dataset's transforms do not say how large its images are", where=config.name, fix="Give --input_size W H"
    )


def bench_train(precisions: list[str], settings: Settings) -> Report:
    """Measure a step in each precision, each in its own process."""
    rows, notes = [], []
    for precision in announced(precisions, precisions):
        outcome = run_in_child(measure_steps, precision=precision, settings=asdict(settings))
        rows.append(outcome.row(precision=precision))
        if note := outcome.problem or rows[-1].get("note"):
            notes.append(f"{precision}: {note}")
    if not settings.real_data:
        notes.append("images and labels are random; --real_data reads the config's")
    table = Table(f"step: median and the medians of its parts; {PEAK}", _COLUMNS, rows)
    return Report("bench train", WHAT, settings.device, given(settings, leave_out=("device",)), [table], notes)


def measure_steps(precision: Kind, settings: dict) -> dict[str, object]:
    """Training steps in one precision, in this process.

    Raises:
        UsageError: the device does not compute it. ConfigError: the config cannot train.
    """
    import paddle

    from paddleisa.build import build_loss, build_model, build_optimizer
    from paddleisa.config import check
    from paddleisa.training.precision import Precision
    from paddleisa.utils import environment
    from paddleisa.utils.memory import PeakMemory

    chosen = Settings(**settings)
    environment.set_device(chosen.device)
    config = check(chosen.load(), "resume")
    paddle.seed(0)
    model, loss = build_model(config), build_loss(config)
    model.train()
    optimizer, schedule = build_optimizer(config)
    optimizer = optimizer.create(model, schedule.scheduler(config["iters"]))
    arithmetic = Precision(precision, chosen.amp_level)
    arithmetic.prepare(model, optimizer)
    with PeakMemory() as peak:
        laps = Laps()
        for number, (images, labels) in enumerate(_batches(config, config["model"]["num_classes"], chosen)):
            if number == chosen.warmup:
                laps = Laps()
            x, label = paddle.to_tensor(images), paddle.to_tensor(labels).astype("int64")
            laps.lap("batch")
            with arithmetic.cast():
                value = sum(loss(model(x), label))
            laps.lap("forward")
            arithmetic.scaler.scale(value).backward()
            laps.lap("backward")
            arithmetic.scaler.step(optimizer)
            arithmetic.scaler.update()
            optimizer.clear_grad()
            laps.lap("optimizer")
    return _summary(laps.seconds, images.shape, peak.total, arithmetic.note)


def _summary(seconds: dict[str, list[float]], shape: tuple[int, ...], peak: int, note: str | None) -> dict[str, object]:
    steps = [sum(parts) for parts in zip(*(seconds[part] for part in PARTS), strict=True)]
    step = statistics.median(steps)
    return {
        "batch": f"{shape[0]} x {shape[3]}x{shape[2]}",
        **{f"{part}_ms": 1e3 * statistics.median(seconds[part]) for part in PARTS},
        "step_ms": 1e3 * step,
        "images_per_s": shape[0] / step,
        "peak_mib": peak / 2**20,
        "seconds": steps,
        "note": note,
    }


def _batches(config: Config, num_classes: int, settings: Settings) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(images (B, 3, H, W) float32, labels (B, H, W) uint8) for every step."""
    steps = settings.warmup + settings.iters
    if settings.real_data:
        from paddleisa.build import build_dataset
        from paddleisa.training.batches import Plan, training_batches

        dataset = build_dataset(config, "train")
        plan = Plan(steps, len(dataset), config["batch_size"], 1)
        yield from ((batch.images, batch.labels) for batch in training_batches(dataset, plan, 0, 0, 0))
        return
    import numpy as np

    rng = np.random.default_rng(0)
    width, height = settings.input_size
    images = rng.standard_normal((config["batch_size"], 3, height, width), np.float32)
    labels = rng.integers(0, num_classes, (config["batch_size"], height, width)).astype(np.uint8)
    for _ in range(steps):
        yield images, labels


_COLUMNS = [
    Column("precision", "precision"),
    Column("batch", "batch"),
    Column("step_ms", "step ms", 1, "cell"),
    *(Column(f"{part}_ms", f"{part} ms", 1) for part in PARTS),
    Column("images_per_s", "images/s", 2),
    Column("peak_mib", "peak MiB", 0),
]
