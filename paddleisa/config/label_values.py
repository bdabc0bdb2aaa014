"""One number says which pixels do not count: the data set's. Losses and the padding of labels follow it.

PaddleSeg has that number in three places, each with the default 255, and nothing that compares them. Here it stands in
the data set; where a config repeats it, it must say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from paddleisa.config.problems import Problems
from paddleisa.config.relations import PARTS, class_of, number_of_classes
from paddleisa.config.signature import options_of
from paddleisa.registry import DATASETS, LOSSES, TRANSFORMS, Registry
from paddleisa.utils.nodes import KeyPath, Node, Origin, dotted

IGNORED, PADDING = "ignore_index", "label_padding_value"


@dataclass(frozen=True)
class Source:
    """A data set's ignored value."""

    path: KeyPath  # of the data set
    value: int  # the label value that does not count
    origin: Origin  # where it is given, or where the class is named that has it
    given: bool  # whether the config gives it

    def __str__(self) -> str:
        return f"{self.path[0]}{'' if self.given else ' by default'}, {self.origin}"


def settle(tree: Node, problems: Problems) -> Node:
    """``tree`` with the ignored value wherever it is not given; a problem for each place that contradicts it."""
    sources = [source for source in map(_source, PARTS, map(tree.child, PARTS)) if source is not None]
    if not sources:
        return tree
    if len({source.value for source in sources}) > 1:
        one, other = sorted(sources, key=lambda source: source.given, reverse=True)
        problem = f"{one.value} is ignored in {one.path[0]}, {other.value} in {other}: scores would count other pixels"
        problems.add(one.origin, (*one.path, IGNORED), problem, "Give both data sets the same ignore_index")
        return tree
    source, classes = sources[0], number_of_classes(tree.child(sources[0].path[0]))
    if isinstance(classes, int) and 0 <= source.value < classes:
        sentence = f"class {source.value} of the {classes} is neither trained nor scored, because it is ignored"
        problems.warn(source.origin, (*source.path, IGNORED), sentence)
    followers = []
    for path, node, options in _holders(tree):
        for name in options:
            given = node.child(name)
            if given is not None:
                _compare(given, (*path, name), source, classes, problems)
            elif options[name] != source.value:
                tree = tree.with_at((*path, name), Node(source.value, Origin(f"from {source.path[0]}")))
                followers.append(dotted((*path, name)))
    if followers:
        problems.warn(source.origin, (*source.path, IGNORED), f"{source.value} holds for {', '.join(followers)} too")
    return tree


def _compare(given: Node, path: KeyPath, source: Source, classes: object, problems: Problems) -> None:
    if given.value == source.value or not isinstance(given.value, int):
        return
    fix = f"Remove {path[-1]} here, and it follows the data set"
    if path[-1] == IGNORED:
        problems.add(given.origin, path, f"{given.value} is ignored here, {source.value} in {source}", fix)
    elif isinstance(classes, int) and 0 <= given.value < classes:
        sentence = f"padding counts as pixels of class {given.value}; ignored is {source.value} ({source})"
        problems.warn(given.origin, path, sentence, fix)
    elif isinstance(classes, int):
        problem = f"{given.value} is none of {classes} classes and not what is ignored: {source.value} ({source})"
        problems.add(given.origin, path, problem, fix)


def _source(part: str, node: Node | None) -> Source | None:
    """The ignored value that a config gives to a data set, or that its class has."""
    cls = class_of(node, DATASETS)
    if node is None or cls is None:
        return None
    option, given = options_of(cls).known.get(IGNORED), node.child(IGNORED)
    if option is not None and given is not None:
        value, origin = given.value, given.origin
    else:
        value = option.default if option is not None else getattr(cls, IGNORED, None)
        origin = node.nearest_at(("type",)).origin
    whole = isinstance(value, int) and not isinstance(value, bool)
    return Source((part,), value, origin, given is not None) if whole else None


def _holders(tree: Node) -> Iterator[tuple[KeyPath, Node, dict[str, object]]]:
    """Every loss and training transform with an option for the value: its path, node, and {option: default}."""
    for path, table in ((("loss", "types"), LOSSES), (("train_dataset", "transforms"), TRANSFORMS)):
        node = tree.at(path)
        if node is not None:
            yield from _components(node, path, table)


def _components(node: Node, path: KeyPath, table: Registry) -> Iterator[tuple[KeyPath, Node, dict[str, object]]]:
    cls = class_of(node, table)
    if cls is not None:
        known = options_of(cls).known
        yield path, node, {name: known[name].default for name in (IGNORED, PADDING) if name in known}
    children = node.value.items() if node.is_mapping else enumerate(node.value) if node.is_list else ()
    for key, child in children:
        yield from _components(child, (*path, key), table)
