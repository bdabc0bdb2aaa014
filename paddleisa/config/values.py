"""One plain value against one annotation: pydantic judges, the words are ours."""

from __future__ import annotations

import json
import typing
from functools import cache
from typing import Any

import annotated_types
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from paddleisa.config.signature import UNKNOWN, bare, is_section, is_union, options_of, table_of
from paddleisa.errors import ConfigError, nearest
from paddleisa.registry import Registry
from paddleisa.utils.yaml_reader import parse, shown

_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    dict: "a mapping",
    list: "a list",
    tuple: "a list",
}


class BadValue(Exception):
    """A value that does not fit; holds the problem and, where we know it, the fix."""

    def __init__(self, problem: str, fix: str | None):
        super().__init__(problem)
        self.problem, self.fix = problem, fix


def coerce(value: object, annotation: object) -> object:
    """``value`` as its constructor wants it: a list becomes a tuple, an int a float, nothing else changes its type.

    Strict: ``"8"`` and ``8.0`` are no int, ``True`` is no number. Raises BadValue. What the constructor does not
    annotate stays as it is.
    """
    if annotation is UNKNOWN:
        return value
    if (number := _absurd(value)) is not None:
        raise BadValue(
            f"{shown(number)} is beyond every use: whole numbers go to 2**32, others from 1e-30 to 1e12", None
        )
    adapter = _adapter(annotation)
    try:
        return adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        own = [e["msg"].removeprefix("Value error, ") for e in error.errors() if e["type"] == "value_error"]
        problem = own[0] if own else f"must be {describe(annotation)}, not {shown(value)}"
        raise BadValue(problem, _advice(value, annotation, adapter)) from error


def fits(value: object, annotation: object) -> bool:
    """Whether :func:`coerce` takes ``value``."""
    try:
        coerce(value, annotation)
    except BadValue:
        return False
    return True


def _absurd(value: object) -> int | float | None:
    """A number in ``value`` that no component is made for; what it can use otherwise is its annotation's to say."""
    if isinstance(value, list | dict):
        found = map(_absurd, value.values() if isinstance(value, dict) else value)
        return next((number for number in found if number is not None), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    size = abs(value)
    return value if (size > 2**32 if isinstance(value, int) else size > 1e12 or 0 < size < 1e-30) else None


def normalise(value: object, annotation: object) -> object:
    """``value`` checked as by :func:`coerce`, but plain: what the resolved config shows (1 for a float as 1.0)."""
    coerced = coerce(value, annotation)
    return _adapter(annotation).dump_python(coerced, mode="json", exclude_unset=True, warnings=False)


def describe(annotation: object) -> str:
    """What a config may write for ``annotation``: ``a list of 2 values, each a whole number greater than 0``."""
    limits = " and ".join(_limits(annotation))
    text = _describe_bare(bare(annotation), table_of(annotation))
    return f"{text} {limits}" if limits else text


def _describe_bare(annotation: Any, table: Registry | None) -> str:
    if table is not None:
        return f"a {table.kind} (a mapping with `type`)"
    if is_union(annotation):
        parts = [describe(a) for a in typing.get_args(annotation)]
        return " or ".join(sorted(parts, key=lambda part: part == "null"))
    kind, args = typing.get_origin(annotation), typing.get_args(annotation)
    if kind is typing.Literal:
        return "one of " + ", ".join(str(a) for a in args) if len(args) > 1 else repr(args[0])
    if kind is tuple and args and args[-1] is not Ellipsis:
        each = {describe(a) for a in args}
        return (
            f"a list of {len(args)} values, each {each.pop()}"
            if len(each) == 1
            else (f"a list of {', then '.join(describe(a) for a in args)}")
        )
    if kind in (list, tuple) and args:
        return f"a list, each item {describe(args[0])}"
    if is_section(annotation):
        return f"a mapping with {', '.join(options_of(annotation).known)}"
    return _WORDS.get(kind or annotation, getattr(annotation, "__name__", str(annotation)))


def _limits(annotation: object) -> list[str]:
    found = []
    for item in getattr(annotation, "__metadata__", ()):
        for limit in getattr(item, "metadata", [item]):
            for name, words in (
                ("gt", "greater than"),
                ("ge", "at least"),
                ("lt", "less than"),
                ("le", "at most"),
                ("multiple_of", "divisible by"),
            ):
                if isinstance(limit, annotated_types.BaseMetadata) and getattr(limit, name, None) is not None:
                    found.append(f"{words} {getattr(limit, name)}")
            for name, words in (("min_length", "at least"), ("max_length", "at most")):
                if isinstance(limit, annotated_types.BaseMetadata) and getattr(limit, name, None):
                    found.append(f"of {words} {getattr(limit, name)} characters or items")
    return found


def _advice(value: object, annotation: object, adapter: TypeAdapter) -> str | None:
    if (text := _quoted(value)) != value and _fits(text, adapter):
        return "YAML takes yes, no, on, off, true and false for booleans: quote them where they are words"
    if isinstance(value, str):
        choices = [c for c in _literals(annotation) if isinstance(c, str)]
        if choices:
            return nearest(value, choices) or None
        try:
            unquoted = parse(value, "a value", line=None)
        except ConfigError:
            return None
        return f"Write {value} without quotes" if unquoted is not None and _fits(unquoted.plain(), adapter) else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"Write {int(value)}" if _fits(int(value), adapter) else None
    return None


def _fits(value: object, adapter: TypeAdapter) -> bool:
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


def _quoted(value: object) -> object:
    """The same value with words in the place of booleans."""
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    if isinstance(value, dict):
        return {key: _quoted(item) for key, item in value.items()}
    return str(value) if isinstance(value, bool) else value


def _literals(annotation: object) -> list[object]:
    inner = bare(annotation)
    if typing.get_origin(inner) is typing.Literal:
        return list(typing.get_args(inner))
    return [c for a in typing.get_args(inner) for c in _literals(a)] if is_union(inner) else []


def _adapter(annotation: Any) -> TypeAdapter:
    """Pydantic's judge of ``annotation``. A class that pydantic does not know is one that no plain value is."""
    try:
        hash(annotation)
    except TypeError:  # a plug-in's Annotated[int, {}]
        return _made(annotation)
    return _made_once(annotation)


def _made(annotation: Any) -> TypeAdapter:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError) as error:
        problem = f"cannot be checked: its class annotates it with {annotation!r:.80}"
        raise BadValue(problem, "Annotate it with a type that YAML has, or Annotated[object, TABLE]") from error


_made_once = cache(_made)  # making one takes longer than checking a config with it
