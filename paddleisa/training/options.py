"""How one training is run, as opposed to what is trained, which is the config's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddleisa.errors import UsageError
from paddleisa.training.profiling import ProfilerOptions


@dataclass(frozen=True)
class TrainOptions:
    """Options of ``paddleisa train`` that do not change the result, only where and how often it is kept.

    Args:
        save_dir: gets checkpoints, best_model, logs.
        save_interval: iterations between checkpoints, and evaluations with ``do_eval``.
        log_iters: iterations between log lines, which show means.
        num_workers: threads that read ahead; 0 reads between the steps.
        do_eval: evaluate at every checkpoint and keep the best model.
        use_vdl: write a VisualDL log.
        vdl_server: also show it, on a board that ends with the training.
        resume: a checkpoint folder; ``auto``: the newest readable one in ``save_dir``, or from the start without one.
        force: resume though the config differs from the checkpoint's.
        keep_checkpoint_max: checkpoints to keep; 0 keeps all.
        reinit_classifier: with ``model.pretrained``, leave the classifier at its initial values.
        progress: show a bar while evaluating.
        profile: steps to run under Paddle's profiler.
    """

    save_dir: Path = Path("output")
    save_interval: int = 1000
    log_iters: int = 10
    num_workers: int = 0
    do_eval: bool = False
    use_vdl: bool = False
    vdl_server: bool = False
    resume: str | Path | None = None
    force: bool = False
    keep_checkpoint_max: int = 5
    reinit_classifier: bool = False
    progress: bool = True
    profile: ProfilerOptions | None = None

    def __post_init__(self):
        for name, least in (("save_interval", 1), ("log_iters", 1), ("num_workers", 0), ("keep_checkpoint_max", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{getattr(self, name)} is too small", where=f"--{name}", fix=f"Give {least} or more")
