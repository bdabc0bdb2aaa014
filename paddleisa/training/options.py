"""How one training is run, as opposed to what is trained, which is the config's; with Paddle's profiler on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleisa.errors import UsageError, one_of
from paddleisa.utils.options import natural, option

_OPTIONS = ("batch_range", "timer_only", "sorted_key", "exit_on_finished")
_SWITCH = {"True": True, "False": False, "true": True, "false": False}
_ORDERS = {"total": "CPUTotal", "max": "CPUMax", "min": "CPUMin", "ave": "CPUAvg"}  # to Paddle's names
_IGNORED = ("state", "tracer_option", "profile_path")  # of Paddle before 2.3; PaddleSeg accepts them too


@dataclass(frozen=True)
class ProfilerOptions:
    """Which steps are profiled, and how."""

    batch_range: tuple[int, int] = (10, 20)  # first step, counted from 0, and the one before which it ends
    timer_only: bool = True  # measure reading and step times only; False traces operations too, for chrome://tracing
    sorted_key: str = "CPUTotal"  # order of the tables of operations: name of a member of Paddle's ``SortedKeys``
    exit_on_finished: bool = True  # end the training after the last of those steps
    ignored: tuple[str, ...] = ()  # options of PaddleSeg that were given and mean nothing to today's Paddle

    @classmethod
    def parse(cls, text: str) -> ProfilerOptions:
        """From ``"batch_range=[10,20];timer_only=False"``.

        Raises:
            UsageError: an option that is none, or a value that it cannot have.
        """
        values: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            name, _, value = (word.strip() for word in part.partition("="))
            if name in _IGNORED:
                values["ignored"] = (*values.get("ignored", ()), name)
            elif name in _OPTIONS:
                values[name] = _value(name, value)
            else:
                advice = one_of(name, _OPTIONS)
                raise UsageError(f"there is no option {name!r}", where="--profiler_options", fix=advice)
        return cls(**values)


@dataclass(frozen=True)
class TrainOptions:
    """Options of ``paddleisa train`` that do not change the result, only where and how often it is kept."""

    save_dir: Path = option(Path("output"), "checkpoints, best_model, logs", type=Path, metavar="DIR")
    save_interval: int = option(1000, "iterations between checkpoints, and evaluations with --do_eval")
    log_iters: int = option(10, "iterations between log lines, which show means")
    num_workers: int = option(0, "threads that read ahead; 0 reads between the steps", type=natural)
    do_eval: bool = option(False, "evaluate at every checkpoint and keep the best model")
    use_vdl: bool = option(False, "write a VisualDL log to SAVE_DIR/visualdl")
    vdl_server: bool = option(
        False, "also show it: start VisualDL's board, which ends with the training, print its address"
    )
    resume: str | Path | None = option(
        None,
        "a checkpoint; auto: the newest readable one in --save_dir, or from the start without one",
        flag="resume_model",
        metavar="DIR|auto",
    )
    force: bool = option(False, "resume though the config differs from the checkpoint's")
    keep_checkpoint_max: int = option(5, "checkpoints to keep, 0: all", type=natural)
    reinit_classifier: bool = option(
        False, "with model.pretrained: leave the classifier at random, for another number of classes"
    )
    progress: bool = True  # show a bar while evaluating
    profile: ProfilerOptions | None = option(
        None,
        "profile some steps with Paddle's profiler, as in PaddleSeg: 'batch_range=[10,20];timer_only=False'",
        flag="profiler_options",
        type=ProfilerOptions.parse,
        metavar="TEXT",
    )

    def __post_init__(self):
        for name, least in (("save_interval", 1), ("log_iters", 1), ("num_workers", 0), ("keep_checkpoint_max", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{getattr(self, name)} is too small", where=f"--{name}", fix=f"Give {least} or more")


class Profiler:
    """Paddle's profiler around the steps of a training; does nothing without options.

    Args:
        options: None profiles nothing.
        folder: gets the trace of operations.
    """

    def __init__(self, options: ProfilerOptions | None, folder: Path):
        self._options, self._folder, self._done = options, folder, 0
        if options:
            from paddle import profiler

            self._profiler = profiler.Profiler(
                scheduler=options.batch_range,
                on_trace_ready=None if options.timer_only else profiler.export_chrome_tracing(str(folder)),
                timer_only=options.timer_only,
            )
            self._profiler.start()

    def step(self, samples: int) -> str | None:
        """After each step: what to tell the user. Stops at the end of the range."""
        if not self._options or self._done >= self._options.batch_range[1]:
            return None
        self._profiler.step(num_samples=samples)
        self._done += 1
        if self._done < self._options.batch_range[1]:
            return None
        told = self._profiler.step_info(unit="samples")
        self._profiler.stop()
        if self._options.timer_only:
            return f"profiler:{told}"
        from paddle.profiler import SortedKeys

        order = getattr(SortedKeys, self._options.sorted_key)
        self._profiler.summary(sorted_by=order, op_detail=True, time_unit="ms")
        return f"profiler: the trace is in {self._folder}; open it in chrome://tracing"

    @property
    def ends_training(self) -> bool:
        """Whether all steps to profile are done and the training is to end with them."""
        options = self._options
        return options is not None and options.exit_on_finished and self._done >= options.batch_range[1]


def _value(name: str, text: str) -> object:
    value: Any
    numbers = re.fullmatch(r"[\[(]?\s*(\d+)\s*,\s*(\d+)\s*[\])]?", text)
    if name == "batch_range":
        wanted = "two steps, the second after the first, as in batch_range=[10,20]"
        value = tuple(map(int, numbers.groups())) if numbers else None
        value = value if value and value[0] < value[1] else None
    else:
        values = _ORDERS if name == "sorted_key" else _SWITCH
        wanted, value = f"one of {', '.join(values)}", values.get(text)
    if value is None:
        raise UsageError(f"{name} is {text!r}, not {wanted}", where="--profiler_options")
    return value
