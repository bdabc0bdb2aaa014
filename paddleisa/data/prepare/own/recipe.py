"""A config that fine-tunes a shipped model on somebody's own data, with the reason for every number beside it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import yaml

from paddleisa.config import read_config
from paddleisa.errors import ConfigError
from paddleisa.utils.environment import core_count
from paddleisa.zoo.catalogue.catalogue import Entry, load_catalogue
from paddleisa.zoo.download.locate import local_weights

_TILE = 64  # crops are a multiple: whole attention windows at every output stride
_EPOCHS = {"cpu": 40, "gpu": 120}
_ITERS = {"cpu": (200, 3000), "gpu": (1000, 40000)}  # fewest and most


@dataclass(frozen=True)
class Machine:
    """What a training may use: cores, memory in GiB, and a GPU's memory in GiB, 0 without one."""

    cores: int
    memory: float
    gpu: float

    @property
    def kind(self) -> str:
        """cpu or gpu."""
        return "gpu" if self.gpu else "cpu"


@dataclass(frozen=True)
class Numbers:
    """What a user may choose of a training; None is chosen here. The attributes are those of ``Recipe``."""

    crop: tuple[int, int] | None = None
    batch: int | None = None
    iters: int | None = None
    rate: float | None = None


NOTHING = Numbers()


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training, each with its reason.

    Attributes:
        start: the catalogue's entry whose weights it starts from.
        crop: width and height of a training crop.
        batch: images of one step.
        iters: steps.
        rate: learning rate at the start.
        reasons: {number's name: one sentence}.
    """

    start: Entry
    crop: tuple[int, int]
    batch: int
    iters: int
    rate: float
    reasons: Mapping[str, str]


def this_machine() -> Machine:
    """The machine that this process runs on. A GPU is asked for with ``nvidia-smi``."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 8.0
    gpu = 0.0
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
            gpu = float(done.stdout.split()[0]) / 1024
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            gpu = 0.0  # a driver that does not answer trains nothing
    return Machine(core_count(), memory, gpu)


def best_shipped(name: str | None = None) -> Entry:
    """The model to start from: ``name``, else the best scored whose weights come with the package.

    Raises:
        ConfigError: there is no model of that name, or none ships.
    """
    catalogue = load_catalogue()
    if name is not None:
        return catalogue.get(name)
    shipped = [entry for entry in catalogue if entry.row.weights.file and local_weights(entry.name)]
    if not shipped:
        raise ConfigError("no weights come with this installation", fix="Name a model of `paddleisa zoo list`: --start")
    return max(shipped, key=lambda entry: entry.row.scores.single)


def choose(sizes: np.ndarray, machine: Machine, start: Entry, given: Numbers = NOTHING) -> Recipe:
    """The numbers for a training.

    Args:
        sizes: (N, 2) width and height of the training images.
        machine: where it will run.
        start: the model to start from.
        given: numbers that the user chose.
    """
    width, height = (int(value) for value in np.median(sizes, axis=0))
    limit = 512 if machine.gpu else max(start.row.crop_size)
    across, down = (min(limit, max(2 * _TILE, side // _TILE * _TILE)) for side in (width, height))
    crop, count = given.crop or (across, down), len(sizes)
    room = machine.gpu if machine.gpu else machine.memory / 2
    batch = max(2, min(16 if machine.gpu else 4, int(room * 2**18 // (crop[0] * crop[1])), max(2, count // 2)))
    batch = given.batch or batch
    fewest, most = _ITERS[machine.kind]
    wanted = float(np.clip(_EPOCHS[machine.kind] * count / batch, fewest, most))
    iters = given.iters or 50 * math.ceil(wanted / 50)
    where = f"a GPU of {machine.gpu:.0f} GiB" if machine.gpu else f"{machine.cores} cores and {machine.memory:.0f} GiB"
    reasons = {
        "crop": f"images are {width}x{height} (median): the largest multiple of {_TILE} inside them, at most {limit} "
        + ("on a GPU" if machine.gpu else "on a CPU, as the weights were trained"),
        "batch": f"chosen for {where} and {count} training images; at least 2, for batch norm averages over them",
        "iters": f"{iters * batch / count:.0f} times each of the {count} images; on a {machine.kind.upper()} we take "
        f"{_EPOCHS[machine.kind]} times, at least {fewest} and at most {most} steps. More is better while the mIoU "
        "still rises",
        "rate": "half of a training from random weights with 4 images a step, times the root of batch / 4",
    }
    return Recipe(start, crop, batch, iters, given.rate or float(f"{0.01 * (batch / 4) ** 0.5:.2g}"), reasons)


def config_text(recipe: Recipe, data: Mapping[str, object], lists: Mapping[str, str], title: str) -> str:
    """The config as YAML.

    Args:
        recipe: its numbers.
        data: options of both data sets: dataset_root, num_classes, class_names, palette, separator, ...
        lists: {train: list file, val: list file}.
        title: first line of its comment.
    """
    original = read_config(recipe.start.config)
    model = {key: value for key, value in original["model"].items() if key != "num_classes"}
    model["pretrained"] = recipe.start.name
    if isinstance(model.get("backbone"), dict):
        model["backbone"] = {**model["backbone"], "pretrained": None}
    why, (width, height) = recipe.reasons, recipe.crop
    warmup = min(100, recipe.iters // 10)
    return f"""# {title}
#
# Written by `paddleisa prepare own`. Every number may be changed; `paddleisa train --config THIS --dry_run` shows what
# the config means with all defaults. --reinit_classifier: the weights answer other classes, their last layer is new.

{_comment(why["batch"])}
batch_size: {recipe.batch}
{_comment(why["iters"])}
iters: {recipe.iters}

train_dataset:
{_dataset(data, "train", lists["train"])}
  transforms:
    - type: ResizeStepScaling  # things come in other sizes: each image at a random one of these
      min_scale_factor: 0.75
      max_scale_factor: 1.5
      scale_step_size: 0.25
    - type: RandomPaddingCrop
{_comment(why["crop"], 6)}
      crop_size: [{width}, {height}]  # width, height
    - type: RandomHorizontalFlip  # take it out where left and right differ, as for text
    - type: RandomDistort  # light and colour change between cameras and days
      brightness_range: 0.4
      contrast_range: 0.4
      saturation_range: 0.4
    - type: Normalize

val_dataset:
{_dataset(data, "val", lists["val"])}
  transforms:
    - type: Normalize  # whole images, as they are

model:  # {recipe.start.name}, mIoU {recipe.start.row.scores.single} on {recipe.start.row.dataset}: the best that ships
{_yaml(model, 2)}

optimizer:
  type: SGD
  momentum: 0.9
  weight_decay: 5.0e-4  # few images: a little more than the usual 1.0e-4 against learning them by heart
  custom_cfg:
    - name: backbone
      lr_mult: 0.2  # what it knows of edges and textures holds for your images too

lr_scheduler:
  type: PolynomialDecay
{_comment(why["rate"], 2)}
  learning_rate: {recipe.rate}
  end_lr: 0
  power: 0.9
  warmup_iters: {warmup}  # the new layer is random: its first gradients would shake the rest
  warmup_start_lr: {recipe.rate / 10:.2g}

loss:
  types:
    - type: CrossEntropyLoss
  coef: [1, 0.4]  # main output, auxiliary output
"""


def _dataset(data: Mapping[str, object], mode: str, path: str) -> str:
    return _yaml({"type": "Dataset", **data, "mode": mode, f"{mode}_path": path}, 2)


def _comment(text: str, indent: int = 0) -> str:
    head = " " * indent + "# "
    return textwrap.fill(text[0].upper() + text[1:] + ".", 110, initial_indent=head, subsequent_indent=head)


def _yaml(values: Mapping[str, object], indent: int) -> str:
    text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=None)
    return "\n".join(" " * indent + line for line in text.splitlines())
