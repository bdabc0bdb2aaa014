"""Tables of the classes that a config may name, one table for each kind of component.

A class joins a table with the decorator ``@BACKBONES.register``; a config names it with ``type: ClassName`` and gives
its constructor's arguments beside it. The constructor's annotations say what a config may hold: a component that is
itself given by a config dict is annotated with its table, ``backbone: Annotated[nn.Layer, BACKBONES]``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from paddleisa.errors import ConfigError, one_of

# Numbers that several kinds of components take. Their upper bounds are beyond every use, and low enough to compute.
LayerSize = Annotated[int, Field(gt=0, le=8192)]  # channels, classes, windows and dilations of a layer
Count = Annotated[int, Field(gt=0, le=10**9)]  # iterations, epochs, images


@dataclass(frozen=True)
class NoEffect:
    """In an annotation: an option of PaddleSeg that is accepted here and changes nothing, and why."""

    text: str


class Registry:
    """Classes of one kind, keyed by class name.

    Args:
        kind: what the classes are, for messages ("backbone").
        home: module whose import registers the package's own classes; imported at the first look-up, so that
            listing commands or parsing a config's syntax does not import paddle.
        supplied: arguments that the class which takes such a component supplies, as a model, which knows its classes
            and its backbone's channels, does for its head. A config may not give them, and what is built from it is a
            function that still wants them.
    """

    def __init__(self, kind: str, home: str, supplied: tuple[str, ...] = ()):
        self.kind, self.supplied, self._home = kind, supplied, home
        self._classes: dict[str, type] = {}
        self._explained: dict[str, str] = {}

    def register(self, cls: type) -> type:
        """Class decorator. A second class of the same name is an error, not an update."""
        other = self._classes.setdefault(cls.__name__, cls)
        if other is not cls:
            raise ConfigError(
                f"{self.kind} {cls.__name__!r} is taken by {other.__module__}",
                where=cls.__module__,
                fix="Give your class another name",
            )
        return cls

    def explain(self, name: str, sentence: str) -> None:
        """Say what to write instead of ``name``, a component of PaddleSeg that has no place here.

        Args:
            name: as PaddleSeg's configs spell it. A class registered under it (a plugin's) takes precedence.
            sentence: what to write instead and, in half a sentence, why; without the final stop.
        """
        self._explained[name] = sentence

    @property
    def explained(self) -> dict[str, str]:
        """Names of PaddleSeg's that have no place here, and what to write instead of each."""
        importlib.import_module(self._home)
        return dict(self._explained)

    def advice(self, name: str) -> str:
        """What to write instead of a ``name`` that is not registered: its explanation, or the names that are."""
        importlib.import_module(self._home)
        return self._explained.get(name) or one_of(name, self._classes)

    def get(self, name: str) -> type:
        """The class registered as ``name``; ConfigError with what to write instead when there is none."""
        importlib.import_module(self._home)
        if name not in self._classes:
            raise ConfigError(f"there is no {self.kind} {name!r}", fix=self.advice(name))
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        importlib.import_module(self._home)
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        importlib.import_module(self._home)
        return iter(sorted(self._classes))

    def __repr__(self) -> str:
        return f"Registry({self.kind!r})"


BACKBONES = Registry("backbone", "paddleisa.models")
HEADS = Registry("head", "paddleisa.models", supplied=("num_classes", "in_channels"))
MODELS = Registry("model", "paddleisa.models")
LOSSES = Registry("loss", "paddleisa.losses")
DATASETS = Registry("dataset", "paddleisa.datasets")
TRANSFORMS = Registry("transform", "paddleisa.transforms")
OPTIMIZERS = Registry("optimizer", "paddleisa.optim")
SCHEDULES = Registry("learning-rate schedule", "paddleisa.optim")
TABLES = (MODELS, BACKBONES, HEADS, LOSSES, OPTIMIZERS, SCHEDULES, DATASETS, TRANSFORMS)
