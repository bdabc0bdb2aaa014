"""The top level of a config, with the real defaults. To add a key, add a field: its annotation is its check.

``check`` turns a config into a :class:`Settings`. Nobody downstream fills in a default of their own. A component (a
mapping with ``type``) stays plain there: :func:`paddleisa.config.build_part` builds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from paddleisa.inference.protocols import DEFAULT, protocol_names
from paddleisa.inference.settings import LARGEST_SCALE
from paddleisa.registry import DATASETS, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS, Count, NoEffect
from paddleisa.transforms.options import LabelValue, Size

# Upper bounds are beyond every real use, and low enough that what is made of the numbers fits into a machine.
Batch = Annotated[int, Field(gt=0, le=65536)]
Scale = Annotated[float, Field(gt=0, le=LARGEST_SCALE)]


def _known_protocol(name: str) -> str:
    if name not in protocol_names():
        raise ValueError(f"must be one of {', '.join(protocol_names())}, not {name!r}")
    return name


def _never(given: bool) -> bool:
    if given:
        raise ValueError("must be false: classes exclude each other here. For masks that overlap, train one model each")
    return given


@dataclass(frozen=True)
class Loss:
    """One loss and factor for each training output of the model; a single type serves all of ``coef``."""

    types: list[Annotated[object, LOSSES]]
    coef: list[float]


@dataclass(frozen=True)
class TestConfig:
    """How models are evaluated, by ``val`` and while training (PaddleSeg's ``test_config``, and ``protocol``)."""

    __test__ = False  # no test class, whatever pytest makes of the name

    aug_eval: bool = False
    scales: Scale | Annotated[list[Scale], Field(max_length=64)] = 1.0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    is_slide: bool = False
    crop_size: Size | None = None
    stride: Size | None = None
    swapped_labels: list[tuple[LabelValue, LabelValue]] | None = None  # ours: classes that a horizontal flip exchanges
    auc_roc: bool = False  # val also measures the area under the ROC curve
    protocol: Annotated[str, AfterValidator(_known_protocol)] = DEFAULT  # ours; see inference/protocols.py
    use_multilabel: Annotated[bool, AfterValidator(_never)] = False


@dataclass(frozen=True)
class Export:
    """PaddleSeg's ``export``: what the exported network ends in, and its preprocessing where it is not val's."""

    transforms: list[Annotated[object, TRANSFORMS]] | None = None
    input_shape: list[int] | None = None
    output_op: Literal["argmax", "softmax", "none"] = "argmax"


@dataclass(frozen=True)
class EMA:
    """Exponential moving average of the weights, which is then what is evaluated and kept as best."""

    decay: Annotated[float, Field(gt=0, lt=1)] = 0.9998


@dataclass(frozen=True)
class Settings:
    """All keys of a config (``_base_`` and ``_inherited_`` are gone when files have been merged).

    A key that is ``null`` counts as not given. ``NEEDS`` says which keys must be given for what, so that a consumer
    that has checked for its purpose meets no None in those.

    Attributes:
        batch_size: images of one process in one iteration (per card, as in PaddleSeg).
        iters: iterations of the whole schedule; 0 where the config is for no training.
        ema: None trains without a moving average, ``{}`` with its defaults.
        early_stop: evaluations in a row without a better mIoU; None goes on to the end.
        repeats: times that the training images count as one epoch.

    The last ones are PaddleSeg's, accepted without an effect.
    """

    batch_size: Batch = 1
    iters: Count = 0
    model: Annotated[object, MODELS] | None = None
    train_dataset: Annotated[object, DATASETS] | None = None
    val_dataset: Annotated[object, DATASETS] | None = None
    optimizer: Annotated[object, OPTIMIZERS] | None = None
    lr_scheduler: Annotated[object, SCHEDULES] | None = None
    loss: Loss | None = None
    test_config: TestConfig = field(default_factory=TestConfig)
    export: Export = field(default_factory=Export)
    plugins: list[str] = field(default_factory=list)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    amp_level: Literal["O1", "O2"] = "O1"
    ema: EMA | None = None
    early_stop: Count | None = None
    repeats: Count = 1
    to_static_training: Annotated[bool, NoEffect("training stays dynamic, with the same results")] = False
    uniform_output_enabled: Annotated[bool, NoEffect("every run has one layout of files")] = False
    print_mem_info: Annotated[bool, NoEffect("the log has the peak memory anyway")] = False
    log_ranks: Annotated[int | str | list[int], NoEffect("the first process logs")] = 0
    pdx_model_name: Annotated[str | None, NoEffect("only PaddleX reads it")] = None
    hpi_config_path: Annotated[str | None, NoEffect("only PaddleX reads it")] = None


_TRAINING = ("batch_size", "iters", "model", "train_dataset", "optimizer", "lr_scheduler", "loss")
NEEDS: dict[str, tuple[str, ...]] = {
    "model": ("model",),
    "val": ("model", "val_dataset"),
    "train": _TRAINING,
    "resume": _TRAINING,
}

# Keys that PaddleSeg's users may write and that have no place here, by their key path: what to do instead.
_OPTIONS = ("save_dir", "save_interval", "num_workers", "do_eval", "use_vdl", "log_iters", "keep_checkpoint_max")
ELSEWHERE = {
    "distill_loss": "Remove it: no teacher stands beside the model",
    "use_multilabel": "Remove it: classes exclude each other here",
    "profiler_options": "It is an option of the command: paddleisa train --profiler_options",
    "resume_model": "It is an option of the command: paddleisa train --resume_model",
    "early_stop_intervals": "The key is early_stop, in evaluations",
    "use_ema": "The key is ema: {decay: 0.9998}",
    "data_format": "Remove it: networks are NCHW",
    "model.backbone.data_format": "Remove it: networks are NCHW",
    "model.backbone.in_channels": "Remove it: images have 3 channels",
    "model.backbone.layers": "Remove it: the type's name says how many, as ResNet50_vd",
    "model.backbone.lr_mult_list": "Remove it, and write optimizer.custom_cfg [{name: backbone, lr_mult: 0.1}], or "
    "parts of the backbone by their parameters' names",
    "device": "It is an option of the command: --device",
    **{name: f"It is an option of the command: paddleisa train --{name}" for name in _OPTIONS},
}
