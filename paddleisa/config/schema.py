"""The top level of a config. To add a key, add a line: the annotation is its check, ``None`` means not given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from paddleisa.inference.protocols import protocol_names
from paddleisa.registry import DATASETS, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS

PositiveInt = Annotated[int, Field(gt=0)]
Size = tuple[PositiveInt, PositiveInt]  # width, height


def _known_protocol(name: str) -> str:
    if name not in protocol_names():
        raise ValueError(f"must be one of {', '.join(protocol_names())}, not {name!r}")
    return name


@dataclass
class Loss:
    """One loss and factor for each training output of the model; a single type serves all of ``coef``."""

    types: list[Annotated[object, LOSSES]]
    coef: list[float]


@dataclass
class TestConfig:
    """How ``val`` evaluates where its command line says nothing (PaddleSeg's ``test_config``)."""

    aug_eval: bool = False
    scales: Annotated[float, Field(gt=0)] | list[Annotated[float, Field(gt=0)]] = 1.0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    is_slide: bool = False
    crop_size: Size | None = None
    stride: Size | None = None
    protocol: Annotated[str, AfterValidator(_known_protocol)] | None = None  # ours; see inference/protocols.py


@dataclass
class Export:
    """PaddleSeg's ``export``: what the exported network ends in, and its preprocessing where it is not val's."""

    transforms: list[Annotated[object, TRANSFORMS]] | None = None
    input_shape: list[int] | None = None
    output_op: Literal["argmax", "softmax", "none"] = "argmax"


@dataclass
class EMA:
    """Exponential moving average of the weights, which is then what is evaluated and kept as best."""

    decay: Annotated[float, Field(gt=0, lt=1)] = 0.9998


@dataclass
class Schema:
    """All keys of a config (``_base_`` and ``_inherited_`` are gone when files have been merged)."""

    batch_size: PositiveInt | None = None  # per card, as in PaddleSeg
    iters: PositiveInt | None = None
    model: Annotated[object, MODELS] | None = None
    train_dataset: Annotated[object, DATASETS] | None = None
    val_dataset: Annotated[object, DATASETS] | None = None
    optimizer: Annotated[object, OPTIMIZERS] | None = None
    lr_scheduler: Annotated[object, SCHEDULES] | None = None
    loss: Loss | None = None
    test_config: TestConfig | None = None
    export: Export | None = None
    plugins: list[str] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    precision: Literal["fp32", "fp16", "bf16"] | None = None
    amp_level: Literal["O1", "O2"] | None = None
    ema: EMA | None = None
    early_stop: PositiveInt | None = None  # evaluations in a row without a better mIoU
    repeats: PositiveInt | None = None  # times the training images count as one epoch
    to_static_training: bool | None = None  # a key of PaddleSeg 2.x


NEEDS: dict[str, tuple[str, ...]] = {
    "model": ("model",),
    "val": ("model", "val_dataset"),
    "train": ("batch_size", "iters", "model", "train_dataset", "optimizer", "lr_scheduler", "loss"),
}
