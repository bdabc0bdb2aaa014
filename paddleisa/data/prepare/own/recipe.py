"""A config that fine-tunes a shipped model on somebody's own data, with the reason for every number beside it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import yaml

from paddleisa.config import read_config
from paddleisa.errors import ConfigError
from paddleisa.utils.environment import core_count
from paddleisa.zoo.catalogue.catalogue import Entry, load_catalogue
from paddleisa.zoo.download.locate import shipped

_TILE = 64  # crops are a multiple: whole attention windows at every output stride
_LARGEST_SCALE = 4.0  # beyond it, images cost more than they show
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
        short_side: of the images that are scored, where they are enlarged; else None.
        scale: how much images are enlarged before they are cropped, since the weights saw such images enlarged; or 1.
        reasons: {number's name: one sentence}.
    """

    start: Entry
    crop: tuple[int, int]
    batch: int
    iters: int
    rate: float
    scale: float
    short_side: int | None
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


def starting_model(name: str | None = None) -> Entry:
    """The model to start from: ``name``, else the best scored whose weights come with the package.

    Raises:
        ConfigError: there is no model of that name, or none ships.
    """
    catalogue = load_catalogue()
    if name is not None:
        return catalogue.get(name)
    if not (here := shipped(catalogue)):
        raise ConfigError("no weights come with this installation", fix="Name a model of `paddleisa zoo list`: --start")
    return here[0]


@dataclass(frozen=True)
class _Origin:
    """How the weights to start from were trained, from their config: what fine-tuning keeps or starts from."""

    model: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    normalize: Mapping[str, Any]
    short_side: int | None
    rate: float
    batch: int
    coef: Sequence[float]

    @classmethod
    def of(cls, start: Entry) -> _Origin:
        """The origin of an entry's weights."""
        config = read_config(start.config).to_dict()
        transforms = {one["type"]: one for one in config["val_dataset"]["transforms"]}
        optimizer = dict(config["optimizer"])
        if optimizer["type"] == "SGD" and "momentum" in optimizer:
            optimizer["weight_decay"] = 5.0e-4  # few images: a little more against learning them by heart
        optimizer.setdefault("custom_cfg", [{"name": "backbone", "lr_mult": 0.2}])
        return cls(
            config["model"],
            optimizer,
            transforms["Normalize"],
            transforms.get("ResizeByShort", {}).get("short_size"),
            config["lr_scheduler"]["learning_rate"],
            start.row.total_batch,
            config["loss"]["coef"],
        )

    def scale(self, width: int, height: int) -> float:
        """How much larger than ``width`` x ``height`` the weights saw such an image, at most 4; 1 unless larger."""
        return min(_LARGEST_SCALE, max(1.0, (self.short_side or 0) / min(width, height)))


def choose(sizes: np.ndarray, machine: Machine, start: Entry, given: Numbers = NOTHING) -> Recipe:
    """The numbers for a training.

    Args:
        sizes: (N, 2) width and height of the training images.
        machine: where it will run.
        start: the model to start from.
        given: numbers that the user chose.
    """
    width, height = (int(value) for value in np.median(sizes, axis=0))
    origin = _Origin.of(start)
    scale = origin.scale(width, height)
    most_sides = (512, 512) if machine.gpu else sorted(start.row.crop_size, reverse=width >= height)
    across, down = (
        min(limit, max(2 * _TILE, int(side * scale) // _TILE * _TILE))
        for side, limit in zip((width, height), most_sides, strict=True)
    )
    crop, count = given.crop or (across, down), len(sizes)
    room = machine.gpu if machine.gpu else machine.memory / 2
    batch = max(2, min(16 if machine.gpu else 4, int(room * 2**18 // (crop[0] * crop[1])), max(2, count // 2)))
    batch = given.batch or batch
    fewest, most = _ITERS[machine.kind]
    wanted = float(np.clip(_EPOCHS[machine.kind] * count / batch, fewest, most))
    iters = given.iters or 50 * math.ceil(wanted / 50)
    where = f"a GPU of {machine.gpu:.0f} GiB" if machine.gpu else f"{machine.cores} cores and {machine.memory:.0f} GiB"
    enlarged = f", enlarged {scale:.3g} times" if scale > 1 else ""
    reasons = {
        "crop": f"images are {width}x{height} (median){enlarged}: the largest multiple of {_TILE} inside them, at most "
        f"{most_sides[0]}x{most_sides[1]} " + ("on a GPU" if machine.gpu else "on a CPU, as the weights were trained"),
        "batch": f"chosen for {where} and {count} training images; at least 2, for batch norm averages over them",
        "iters": f"{iters * batch / count:.0f} times each of the {count} images; on a {machine.kind.upper()} we take "
        f"{_EPOCHS[machine.kind]} times, at least {fewest} and at most {most} steps. More is better while the mIoU "
        "still rises",
        "rate": f"half of the {origin.rate:g} that the weights were trained with, times the root of "
        f"{batch} / {origin.batch} images a step",
    }
    short_side = round(scale * min(width, height)) if scale > 1 else None
    rate = given.rate or float(f"{origin.rate / 2 * (batch / origin.batch) ** 0.5:.2g}")
    return Recipe(start, crop, batch, iters, rate, scale, short_side, reasons)


def config_text(recipe: Recipe, data: Mapping[str, object], lists: Mapping[str, str], title: str) -> str:
    """The config as YAML.

    Args:
        recipe: its numbers.
        data: options of both data sets: dataset_root, num_classes, class_names, palette, separator, ...
        lists: {train: list file, val: list file}.
        title: first line of its comment.
    """
    origin = _Origin.of(recipe.start)
    model = {key: value for key, value in origin.model.items() if key != "num_classes"}
    model["pretrained"] = recipe.start.name
    if isinstance(model.get("backbone"), dict):
        model["backbone"] = {**model["backbone"], "pretrained": None}
    least, step, most = (round(factor * recipe.scale, 3) for factor in (0.75, 0.25, 1.5))
    resize = [{"type": "ResizeByShort", "short_size": recipe.short_side}] if recipe.short_side else []
    sets = {mode: {"type": "Dataset", **data, "mode": mode, f"{mode}_path": path} for mode, path in lists.items()}
    template = files(__package__).joinpath("config.yml.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters.update(comment=_comment, yaml=_yaml)
    return environment.from_string(template).render(
        recipe=recipe, origin=origin, sets=sets, model=model, title=title, scales=(least, most, step), resize=resize
    )


def _comment(text: str, indent: int = 0) -> str:
    head = " " * indent + "# "
    return textwrap.fill(text[0].upper() + text[1:] + ".", 110, initial_indent=head, subsequent_indent=head)


def _yaml(values: Mapping[str, object] | Sequence[Mapping[str, object]], indent: int = 2) -> str:
    plain = dict(values) if isinstance(values, Mapping) else list(values)
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=None)
    return "\n".join(" " * indent + line for line in text.splitlines())
