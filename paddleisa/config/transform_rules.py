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
from paddleisa.utils.nodes import KeyPath, Node

TRAINING, VALIDATION, EXPORT = ("train_dataset", "transforms"), ("val_dataset", "transforms"), ("export", "transforms")
_PADDING = "im_padding_value"
_NOT_RANDOM = "validation, prediction and export take no random transforms and none that cannot be undone"


@dataclass(frozen=True)
class Step:
    """One transform of a list.

    Attributes:
        path: its key path.
        node: its options as given.
        name: its type.
        options: all of its options, defaults included, plain.
        traits: what it says of itself; None where it says nothing.
    """

    path: KeyPath
    node: Node
    name: str
    options: dict[str, object]
    traits: Traits | None

    @property
    def normalizes(self) -> bool:
        return self.traits is not None and self.traits.values == "normalized"

    def place(self, option: str) -> tuple[object, KeyPath]:
        """Where ``option`` is given, the step itself where it is left at its default."""
        given = self.node.child(option)
        return (self.node.origin, self.path) if given is None else (given.origin, (*self.path, option))


def check_transforms(tree: Node, problems: Problems) -> None:
    """Add a problem for each transform that cannot be meant where it stands, a warning where it can."""
    lists = {path: list(_steps(tree, path)) for path in (TRAINING, VALIDATION, EXPORT) if _given(tree, path)}
    for path, steps in lists.items():
        if path != TRAINING:
            _check_repeatable(steps, problems)
        _check_order(steps, problems)
        if not any(step.normalizes or step.traits is None for step in steps):
            origin = tree.at(path).origin
            fix = "Add {type: Normalize} to it, unless the network was trained on 0..255"
            problems.warn(origin, path, "holds no Normalize: the network gets values of 0..255", fix)
    for path, other in ((VALIDATION, TRAINING), (EXPORT, VALIDATION)):
        if path in lists and other in lists:
            _check_same_values(lists[path], lists[other], tree.at(path), path, other, problems)


def _given(tree: Node, path: KeyPath) -> bool:
    node = tree.at(path)
    return node is not None and node.is_list


def _steps(tree: Node, path: KeyPath) -> Iterator[Step]:
    """The transforms of one list; those that are wrong in themselves are left to the check that tells so."""
    for index, node in enumerate(tree.at(path).value):
        cls = class_of(node, TRANSFORMS)
        if cls is not None:
            known = options_of(cls).known
            options = {name: option.default for name, option in known.items()}
            options |= {name: child.plain() for name, child in node.value.items() if name != "type"}
            yield Step((*path, index), node, node.child("type").value, options, traits_of(cls, options))


def _check_repeatable(steps: list[Step], problems: Problems) -> None:
    for step in steps:
        if step.traits is None or not (step.traits.random or step.traits.geometry == "lost"):
            continue
        draws, lost = step.traits.random, step.traits.geometry == "lost"
        what = " and ".join(["draws random numbers"] * draws + ["moves pixels without a way back"] * lost)
        fix = "Remove it here; it belongs into train_dataset.transforms"
        problems.add(step.node.origin, step.path, f"{step.name} {what}: {_NOT_RANDOM}", fix)


def _check_order(steps: list[Step], problems: Problems) -> None:
    first: Step | None = None
    for step in steps:
        if step.normalizes and first is not None:
            problem = f"a second {step.name} (the first: {first.node.origin}) would divide by 255 again"
            problems.add(step.node.origin, step.path, problem, "Keep one of them")
        elif step.normalizes:
            first = step
        elif first is not None and step.traits is not None and step.traits.values == "bytes":
            problem = f"{step.name} works on 0..255, but {first.name} ({first.node.origin}) comes before it"
            problems.add(step.node.origin, step.path, problem, f"Move {first.name} behind it")
        _check_padding(step, first, problems)


def _check_padding(step: Step, normalize: Step | None, problems: Problems) -> None:
    """The colour of a padding against the range that values have where it stands."""
    colour = _numbers(step.options.get(_PADDING))
    if not colour:
        return
    place = step.place(_PADDING)
    written = step.options[_PADDING]
    if normalize is None:
        if min(colour) < 0 or max(colour) > 255:
            problems.add(*place, f"{step.name} pads with {written}, but values are 0..255 there", "Write 127.5")
        elif any(0 < value < 1 for value in colour):
            problem = f"{step.name} pads with {written} before Normalize, where values are 0..255: nearly black"
            problems.warn(*place, problem, "Write values of 0..255, such as 127.5")
        return
    mean, std = (_numbers(normalize.options.get(option)) for option in ("mean", "std"))
    if mean and std and min(std) > 0:
        pairs = list(zip(_spread(mean), _spread(std), strict=False))
        low, high = min(-m / s for m, s in pairs), max((1 - m) / s for m, s in pairs)
        if min(colour) < low - 1e-6 or max(colour) > high + 1e-6:
            problem = f"{step.name} pads with {written} behind {normalize.name}, where values are {low:.4g}..{high:.4g}"
            problems.add(*place, problem, "Write im_padding_value: 0, which is the mean there, or move it to the front")


def _check_same_values(
    steps: list[Step], others: list[Step], node: Node, path: KeyPath, other: KeyPath, problems: Problems
) -> None:
    """Evaluation must see what training sees. A transform without traits may normalise too: nothing is said then."""
    if any(step.traits is None for step in (*steps, *others)):
        return
    mine, theirs = (next((step for step in group if step.normalizes), None) for group in (steps, others))
    where = ".".join(other)
    if mine is None or theirs is None:
        if mine is not theirs:
            has, lacks = (where, ".".join(path)) if mine is None else (".".join(path), where)
            place = (node.origin, path) if mine is None else (mine.node.origin, mine.path)
            problems.add(*place, f"{has} normalises and {lacks} does not", "Use the same Normalize in both")
        return
    for option in ("mean", "std"):
        a, b = _numbers(mine.options.get(option)), _numbers(theirs.options.get(option))
        if a and b and _spread(a) != _spread(b):
            problem = f"{option} is {_spread(a)}, but {_spread(b)} in {where} ({theirs.place(option)[0]})"
            problems.add(*mine.place(option), problem, "Use the same Normalize in both")


def _numbers(value: object) -> list[float]:
    """A number or a list of numbers as a list; empty for anything else, which the types' check tells."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return [float(v) for v in values] if numeric else []


def _spread(values: list[float]) -> list[float]:
    """One value for each of three channels."""
    return values * 3 if len(values) == 1 else values
