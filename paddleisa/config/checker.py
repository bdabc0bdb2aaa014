"""Everything in a config is checked before anything is built, and all problems are told at once."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from paddleisa.config import label_values, relations
from paddleisa.config.config import Config, read_config
from paddleisa.config.plugins import import_plugin
from paddleisa.config.problems import Problems
from paddleisa.config.schema import ELSEWHERE, NEEDS, Settings
from paddleisa.config.signature import UNKNOWN, Option, Options, Walk, effect_of, options_of
from paddleisa.config.transform_rules import check_transforms
from paddleisa.config.values import BadValue, describe, normalise
from paddleisa.errors import ConfigError, ConfigWarning, nearest, one_of
from paddleisa.registry import Registry
from paddleisa.utils.nodes import KeyPath, Node, Origin, dotted, graft, shorten
from paddleisa.utils.yaml_reader import shown

Purpose = Literal["train", "resume", "val", "model"]
_SETTINGS = TypeAdapter(Settings)


class CheckedConfig(Config):
    """A config whose values fit what will get them; :func:`check` makes it.

    Attributes:
        settings: the values as typed settings, with the real defaults of what is not given.
        warnings: what is accepted, but seldom meant; one sentence each, with its place.
    """

    def __init__(self, tree: Node, name: str, path: Path | None, settings: Settings, warnings: Iterable[str] = ()):
        super().__init__(tree, name, path)
        self.settings, self.warnings = settings, tuple(warnings)


def load_config(
    path_or_name: str | Path,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    flags: Mapping[str, object] | None = None,
    purpose: Purpose | None = None,
) -> CheckedConfig:
    """Read a config with all that it inherits from, then ``flags``, then ``opts`` on top, and check all of it.

    Args:
        path_or_name: a YAML file (PaddleSeg's own load unchanged), or the name of a shipped config.
        opts: ``"a.b=1"`` strings; indices reach into lists: ``"train_dataset.transforms.0.min_scale_factor=0.5"``.
        plugins: Python files of users, added to those that the config names.
        flags: top-level values by name, ``{"batch_size": 4}``; ``learning_rate`` sets the schedule's.
        purpose: what the config must be enough for: ``"train"``, ``"resume"`` (of a training, whose initial weights
            need not be here any more), ``"val"``, ``"model"``; None asks for no part.

    Warns:
        ConfigWarning: each of the checked config's ``warnings``.

    Raises:
        ConfigError: all problems at once, each with file and line, or option.
    """
    config = check(read_config(path_or_name, opts, plugins, flags), purpose)
    for warning in config.warnings:
        warnings.warn(warning, ConfigWarning, stacklevel=2)
    return config


def check(config: Config, purpose: Purpose | None = None, defaults: bool = False) -> CheckedConfig:
    """The config with every value checked against the constructor that will get it.

    Filled in from elsewhere: the model's ``num_classes`` from a data set, a single loss type for several ``coef``.
    Whole numbers given for a float become floats, top-level keys that are null are dropped.

    Args:
        config: as read. It is not changed. What has been checked already is only looked at for ``purpose``.
        purpose: what the config must be enough for; None asks for no part.
        defaults: also write out the options that are not given, with the origin ``default of CLASS``.

    Raises:
        ConfigError: one for all problems; its ``problems`` lists them one by one.
    """
    problems = Problems()
    _require(config, NEEDS.get(purpose or "", ()), purpose or "", problems)
    if isinstance(config, CheckedConfig) and not defaults:
        if purpose == "train":
            relations.check_pretrained(config.tree, problems)
        problems.raise_if_any(config.name)
        return config
    tree = replace(config.tree, value={k: node for k, node in config.tree.value.items() if node.value is not None})
    _import_plugins(tree, problems)
    tree = relations.fill(label_values.settle(tree, problems))
    tree = _Checker(problems, defaults).options(tree, options_of(Settings), (), None)
    relations.check(tree, problems)
    check_transforms(tree, problems)
    if purpose == "train":
        relations.check_pretrained(tree, problems)
    problems.raise_if_any(config.name)
    settings = _SETTINGS.validate_python(tree.plain())  # components in it stay plain mappings
    return CheckedConfig(tree, config.name, config.path, settings, problems.warnings)


def _require(config: Config, keys: tuple[str, ...], purpose: str, problems: Problems) -> None:
    for key in keys:
        node = config.tree.child(key)
        if node is None or node.value is None:
            place = node.origin if node is not None else shorten(config.path or config.name)
            fix = f"Add {key}:, or inherit it from a file with _base_"
            problems.append(ConfigError(f"{key!r} is needed for {purpose} and not given", where=place, fix=fix))


def _import_plugins(tree: Node, problems: Problems) -> None:
    plugins = tree.child("plugins")
    for node in plugins.value if plugins is not None and plugins.is_list else ():
        if isinstance(node.value, str):
            try:
                import_plugin(node.value, node.origin)
            except ConfigError as error:
                problems.append(error)


class _Checker(Walk):
    """Collects problems, and gives back the tree with normalised values."""

    def __init__(self, problems: Problems, defaults: bool):
        self._problems, self._defaults = problems, defaults

    def options(self, node: Node, options: Options, path: KeyPath, kind: Node | None) -> Node:
        """A mapping against the arguments of a class; ``kind`` is the node of a component's ``type``."""
        owner = kind.value if kind is not None else _owner(path)
        given = {}
        for key, child in node.value.items():
            option = options.known.get(key)
            if kind is not None and key == "type":
                given[key] = child
            elif option is None and options.open:
                given[key] = self.leaf(child, UNKNOWN, (*path, key))
            elif option is None:
                self._unknown(child, (*path, key), options, owner, kind)
            else:
                given[key] = self.value(child, option.annotation, (*path, key))
        for option in options.known.values():
            if option.name not in node.value:
                self._absent(option, node, path, owner, given)
        return replace(node, value=given)

    def component(self, node: Node, table: Registry, path: KeyPath) -> Node:
        kind = node.child("type")
        if not node.is_mapping:
            known = isinstance(node.value, str) and node.value in table
            fix = f"Write {{type: {node.value}}}" if known else f"For example: {{type: {next(iter(table), 'NAME')}}}"
            self._add(node, path, f"must be a {table.kind} (a mapping with `type`), not {shown(node.plain())}", fix)
        elif kind is None:
            self._add(node, path, f"a {table.kind} needs its `type`", one_of("", table))
        elif not isinstance(kind.value, str):
            self._add(
                kind,
                (*path, "type"),
                f"must be the name of a {table.kind}, not {shown(kind.plain())}",
                one_of("", table),
            )
        elif kind.value not in table:
            self._add(kind, (*path, "type"), f"there is no {table.kind} {kind.value!r}", table.advice(kind.value))
        else:
            return self.options(node, options_of(table.get(kind.value)).without(table.supplied), path, kind)
        return node

    def section(self, node: Node, cls: type, path: KeyPath) -> Node:
        return self.options(node, options_of(cls), path, None)

    def items(self, node: Node, items: list | tuple | dict) -> Node:
        return replace(node, value=list(items) if isinstance(items, tuple) else items)

    def misfit(self, node: Node, annotation: object, path: KeyPath) -> Node:
        self._add(node, path, f"must be {describe(annotation)}, not {shown(node.plain())}")
        return node

    def leaf(self, node: Node, annotation: object, path: KeyPath) -> Node:
        if annotation is UNKNOWN and node.child("type") is not None:
            self._add(
                node,
                path,
                "is a component, but the class does not say of which table",
                f"Annotate it: {path[-1]}: Annotated[object, BACKBONES]",
            )
        elif annotation is UNKNOWN:
            self._problems.warn(node.origin, path, "is passed on unchecked: the class gives the option no type")
        else:
            if effect := effect_of(annotation):
                self._problems.warn(node.origin, path, f"changes nothing here: {effect.text}")
            try:
                return _regraft(node, normalise(node.plain(), annotation))
            except BadValue as error:
                self._add(node, path, error.problem, error.fix)
        return node

    def _unknown(self, node: Node, path: KeyPath, options: Options, owner: str, kind: Node | None) -> None:
        fix = (
            ELSEWHERE.get(dotted(path))
            or f"{nearest(path[-1], options.known)} It accepts: {', '.join(sorted(options.known)) or 'none'}".strip()
        )
        if kind is not None and _other_file(kind, node):
            fix += f". type: {kind.value} is from {kind.origin}: `_inherited_: False` there drops inherited options"
        self._add(node, path, f"{owner} has no {'option' if kind else 'key'} {path[-1]!r}", fix)

    def _absent(self, option: Option, node: Node, path: KeyPath, owner: str, given: dict[str, Node]) -> None:
        if option.required:
            words = "" if option.annotation is UNKNOWN else f": {describe(option.annotation)}"
            self._add(node, path, f"{owner} needs the option {option.name!r}{words}")
        elif self._defaults and effect_of(option.annotation) is None and (path or option.name not in NEEDS["train"]):
            default = option.default
            if dataclasses.is_dataclass(default) and not isinstance(default, type):
                default = dataclasses.asdict(default)
            if _is_plain(default) and (path or default is not None):
                given[option.name] = graft(default, Origin(f"default of {owner}"))

    def _add(self, node: Node, path: KeyPath, problem: str, fix: str | None = None) -> None:
        self._problems.add(node.origin, path, problem, fix)


def _regraft(node: Node, value: object) -> Node:
    """``value`` with the origins of ``node``, child by child where the two have the same shape."""
    if isinstance(value, dict) and node.is_mapping and value.keys() == node.value.keys():
        return replace(node, value={key: _regraft(child, value[key]) for key, child in node.value.items()})
    if isinstance(value, list) and node.is_list and len(value) == len(node.value):
        return replace(node, value=[_regraft(child, v) for child, v in zip(node.value, value, strict=True)])
    return replace(graft(value, node.origin), written=node.written)


def _owner(path: KeyPath) -> str:
    """What a mapping without ``type`` is called: ``test_config``, ``an item of custom_cfg``."""
    if not path:
        return "the config"
    return str(path[-1]) if isinstance(path[-1], str) else f"an item of {path[-2]}"


def _other_file(kind: Node, option: Node) -> bool:
    """Whether an option may have been inherited from another file's component than the one that ``type`` names."""
    return option.origin.line is not None and kind.origin.source != option.origin.source


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
