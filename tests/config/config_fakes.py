"""Small components that stand in for the real ones, and a config that uses each of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from paddleisa.errors import ConfigError
from paddleisa.registry import BACKBONES, DATASETS, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS
from paddleisa.transforms.traits import Traits


class Made:
    """Keeps the arguments that it was constructed with."""

    def __init__(self, **values):
        self.values = values


class Stem(Made):
    def __init__(
        self,
        output_stride: Literal[8, 16] = 8,
        multi_grid: tuple[int, int, int] = (1, 1, 1),
        pretrained: str | None = None,
    ):
        super().__init__(output_stride=output_stride, multi_grid=multi_grid, pretrained=pretrained)


class Net(Made):
    def __init__(
        self,
        num_classes: Annotated[int, Field(gt=0)],
        backbone: Annotated[Made, BACKBONES],
        align_corners: bool = False,
        down_factor: tuple[int, int] = (8, 8),
        enable_auxiliary_loss: bool = True,
    ):
        if down_factor[0] > down_factor[1]:
            raise ConfigError("down_factor falls", fix="Write it the other way round")
        super().__init__(
            num_classes=num_classes,
            backbone=backbone,
            align_corners=align_corners,
            down_factor=down_factor,
            enable_auxiliary_loss=enable_auxiliary_loss,
        )


class PlainNet(Made):
    def __init__(self, num_classes: int, width: float = 1.0):
        super().__init__(num_classes=num_classes, width=width)


class Flip(Made):
    traits = Traits()

    def __init__(self, prob: Annotated[float, Field(ge=0, le=1)] = 0.5):
        super().__init__(prob=prob)


class Crop(Made):
    traits = Traits()

    def __init__(self, crop_size: tuple[int, int]):
        super().__init__(crop_size=crop_size)


class Streets(Made):
    num_classes = 5

    def __init__(self, transforms: list[Annotated[object, TRANSFORMS]], mode: Literal["train", "val"] = "train"):
        super().__init__(transforms=transforms, mode=mode)


class Listed(Made):
    num_classes = None

    def __init__(self, transforms: list[Annotated[object, TRANSFORMS]], num_classes: int, path: str):
        super().__init__(transforms=transforms, num_classes=num_classes, path=path)


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    lr_mult: float = 1.0


class SGD(Made):
    def __init__(
        self,
        momentum: float = 0.9,
        weight_decay: Annotated[float, Field(ge=0)] = 0.0,
        custom_cfg: list[Group] | None = None,
    ):
        super().__init__(momentum=momentum, weight_decay=weight_decay, custom_cfg=custom_cfg)


class PolynomialDecay(Made):
    def __init__(self, learning_rate: Annotated[float, Field(gt=0)], end_lr: float = 0.0, power: float = 0.9):
        super().__init__(learning_rate=learning_rate, end_lr=end_lr, power=power)


class Entropy(Made):
    def __init__(self, weight: list[float] | None = None, ignore_index: int = 255):
        super().__init__(weight=weight, ignore_index=ignore_index)


class Mixed(Made):
    def __init__(self, losses: list[Annotated[object, LOSSES]], coef: list[float]):
        super().__init__(losses=losses, coef=coef)


TABLES = {
    BACKBONES: [Stem],
    MODELS: [Net, PlainNet],
    DATASETS: [Streets, Listed],
    TRANSFORMS: [Flip, Crop],
    OPTIMIZERS: [SGD],
    SCHEDULES: [PolynomialDecay],
    LOSSES: [Entropy, Mixed],
}

VALID = """\
batch_size: 2
iters: 100
model:
  type: Net
  down_factor: [4, 8]
  backbone:
    type: Stem
    output_stride: 8
    pretrained: null
train_dataset:
  type: Streets
  mode: train
  transforms:
    - type: Crop
      crop_size: [64, 32]
    - type: Flip
      prob: 0.5
val_dataset:
  type: Streets
  mode: val
  transforms:
    - type: Flip
      prob: 0
optimizer:
  type: SGD
  momentum: 0.9
  weight_decay: 4.0e-5
  custom_cfg:
    - name: backbone
      lr_mult: 0.1
lr_scheduler:
  type: PolynomialDecay
  learning_rate: 0.01
  power: 0.9
loss:
  types:
    - type: Entropy
    - type: Mixed
      losses: [{type: Entropy}, {type: Entropy, weight: [1, 2]}]
      coef: [1, 0.5]
  coef: [1, 0.4]
test_config:
  aug_eval: True
  scales: [0.75, 1, 1.25]
seed: 3
"""
