"""What a config's lists of transforms must hold to: nothing random in evaluation, one Normalize at its place.

Judged by what each transform says of itself (:mod:`paddleisa.transforms.traits`), never by its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from paddleisa.config.problems import Problems
from paddleisa.config.relations import class_of
from paddleisa.config.signature import options_of
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.traits import Traits, traits_of
from paddleisa.utils.nodes import KeyPath, Node, Origin, dotted

TRAINING, VALIDATION, EXPORT = ("train_dataset", "transforms"), ("val_dataset", "transforms"), ("export", "transforms")
_PADDING = "im_padding_value"
_NOT_RANDOM = "validation, prediction and export take no random transforms and none that cannot be undone"


@dataclass(frozen=True)
class Step:
    """One transform of a list."""

    path: KeyPath  # its key path
    node: Node  # its options as given
    name: str  # its type
    options: dict[str, object]  # all of its options, defaults included, plain
    traits: Traits | None  # what it says of itself; None where it says nothing

    @property
    def normalizes(self) -> bool:
        """Whether it turns 0..255 into the network's range."""
        return self.traits is not None and self.traits.values == "normalized"

    def place(self, option: str) -> tuple[Origin, KeyPath]:
        """Where ``option`` is given, the step itself where it is left at its default."""
        given = self.node.child(option)
        return (self.node.origin, self.path) if given is None else (given.origin, (*self.path, option))


@dataclass(frozen=True)
class Steps:
    """One list of transforms: its key path, where it is given, the transforms."""

    path: KeyPath
    origin: Origin
    steps: list[Step]

    @property
    def normalize(self) -> Step | None:
        """The first that normalises; None where none is known to."""
        return next((step for step in self.steps if step.normalizes), None)

    @property
    def all_known(self) -> bool:
        """Whether every transform says what it is: one that does not may normalise in its own way."""
        return all(step.traits is not None for step in self.steps)


def check_transforms(tree: Node, problems: Problems) -> None:
    """Add a problem for each transform that cannot be meant where it stands, a warning where it can."""
    lists, told = {found.path: found for found in _lists(tree)}, set[str]()
    for path, found in lists.items():
        if path != TRAINING:
            _check_repeatable(found, problems)
            _tell_unknown(found, told, problems)
        _check_order(found, problems)
        if found.normalize is None and found.all_known:
            fix = "Add {type: Normalize} to it, unless the network was trained on 0..255"
            problems.warn(found.origin, path, "holds no Normalize: the network gets values of 0..255", fix)
    for path, other in ((VALIDATION, TRAINING), (EXPORT, VALIDATION)):
        if path in lists and other in lists:
            _check_same_values(lists[path], lists[other], problems)


def _lists(tree: Node) -> Iterator[Steps]:
    """The lists that are given; transforms that are wrong in themselves are left to the check that tells so."""
    for path in (TRAINING, VALIDATION, EXPORT):
        node = tree.at(path)
        if node is not None and isinstance(node.value, list):
            items = ((item, (*path, index), class_of(item, TRANSFORMS)) for index, item in enumerate(node.value))
            yield Steps(path, node.origin, [_step(item, place, cls) for item, place, cls in items if cls is not None])


def _step(node: Node, path: KeyPath, cls: type) -> Step:
    options = {name: option.default for name, option in options_of(cls).known.items()}
    given = node.value if isinstance(node.value, dict) else {}
    options |= {name: child.plain() for name, child in given.items() if name != "type"}
    return Step(path, node, cls.__name__, options, traits_of(cls, options))


def _check_repeatable(found: Steps, problems: Problems) -> None:
    for step in found.steps:
        traits = step.traits or Traits()
        reasons = ["draws random numbers"] if traits.random else []
        reasons += ["moves pixels without a way back"] if traits.geometry == "lost" else []
        if reasons:
            fix = "Remove it here; it belongs into train_dataset.transforms"
            problems.add(step.node.origin, step.path, f"{step.name} {' and '.join(reasons)}: {_NOT_RANDOM}", fix)


def _tell_unknown(found: Steps, told: set[str], problems: Problems) -> None:
    """A warning for each transform, once, that does not say whether evaluation may have it."""
    for step in found.steps:
        if step.traits is None and step.name not in told:
            told.add(step.name)
            problem = f"{step.name} does not say what it does: were it random or moved pixels, scores would be wrong"
            fix = "Give its class `traits = Traits(...)`, with what it does of random, geometry and values"
            problems.warn(step.node.origin, step.path, problem, f"{fix} (paddleisa.transforms.traits)")


def _check_order(found: Steps, problems: Problems) -> None:
    first: Step | None = None
    for step in found.steps:
        if first is None:
            first = step if step.normalizes else None
        elif step.normalizes:
            problem = f"a second {step.name} (the first: {first.node.origin}) would divide by 255 again"
            problems.add(step.node.origin, step.path, problem, "Keep one of them")
        elif step.traits is not None and step.traits.values == "bytes":
            problem = f"{step.name} works on 0..255, but {first.name} ({first.node.origin}) comes before it"
            problems.add(step.node.origin, step.path, problem, f"Move {first.name} behind it")
        _check_padding(step, first, problems)


def _check_padding(step: Step, normalize: Step | None, problems: Problems) -> None:
    """The colour of a padding against the range that values have where it stands."""
    colour = _numbers(step.options.get(_PADDING))
    if not colour:
        return
    place = step.place(_PADDING)
    words = f"{step.name} pads with {step.options[_PADDING]}"
    if normalize is None:
        if min(colour) < 0 or max(colour) > 255:
            problems.add(*place, f"{words}, but values are 0..255 there", "Write 127.5")
        elif any(0 < value < 1 for value in colour):
            problem = f"{words} before Normalize, where values are 0..255: nearly black"
            problems.warn(*place, problem, "Write values of 0..255, such as 127.5")
        return
    mean, std = (_numbers(normalize.options.get(option)) for option in ("mean", "std"))
    if mean and std and min(std) > 0:
        pairs = list(zip(_spread(mean), _spread(std), strict=False))
        low, high = min(-m / s for m, s in pairs), max((1 - m) / s for m, s in pairs)
        if min(colour) < low - 1e-6 or max(colour) > high + 1e-6:
            problem = f"{words} behind {normalize.name}, where values are {low:.4g}..{high:.4g}"
            problems.add(*place, problem, "Write im_padding_value: 0, which is the mean there, or move it to the front")


def _check_same_values(found: Steps, other: Steps, problems: Problems) -> None:
    """Evaluation must see what training sees, and a deployment what evaluation sees."""
    if not (found.all_known and other.all_known):
        return
    mine, theirs = found.normalize, other.normalize
    if mine is not None and theirs is not None:
        for option in ("mean", "std"):
            a, b = (_spread(_numbers(step.options.get(option))) for step in (mine, theirs))
            if a and b and a != b:
                problem = f"{option} is {a}, but {b} in {dotted(other.path)} ({theirs.place(option)[0]})"
                problems.add(*mine.place(option), problem, "Use the same Normalize in both")
    elif mine is not theirs:
        has, lacks = (other, found) if mine is None else (found, other)
        problem = f"{dotted(has.path)} normalises and {dotted(lacks.path)} does not"
        problems.add(lacks.origin, lacks.path, problem, "Use the same Normalize in both")


def _numbers(value: object) -> list[float]:
    """A number or a list of numbers as a list; empty for anything else, which the types' check tells."""
    values = value if isinstance(value, list | tuple) else [value]
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return numbers if len(numbers) == len(values) else []


def _spread(values: list[float]) -> list[float]:
    """One value for each of three channels."""
    return values * 3 if len(values) == 1 else values
