"""Options declared once: the fields of a dataclass, which Python callers fill, are options of a command too."""

from __future__ import annotations

import argparse
from dataclasses import Field, field, fields
from typing import Any, TypeVar

Options = TypeVar("Options")


def positive(text: str) -> int:
    """Type of an option that is a whole number from 1."""
    return _from(1, text)


def natural(text: str) -> int:
    """Type of an option that is a whole number from 0."""
    return _from(0, text)


def gibibytes(text: str) -> float:
    """Type of an option that is an amount of memory."""
    number = float(text)
    if not 0 < number < 2**20:
        raise argparse.ArgumentTypeError(f"{text} is not a number of GiB above 0")
    return number


def option(default: Any, about: str, *, flag: str | None = None, **words: Any) -> Any:
    """A field of an options dataclass.

    Args:
        default: as of a dataclass's field; the help tells it.
        about: what the option is, for the help and for readers of the dataclass.
        flag: the option's name, where it is not the field's.
        words: what argparse's ``add_argument`` needs besides. Without them a whole number is one from 1, and False a
            switch.
    """
    if default is False:
        words = {"action": "store_true", **words}
    elif isinstance(default, int):
        words = {"type": positive, "metavar": "N", **words}
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    tail = "" if default is None or default is False else f" ({shown})"
    return field(default=default, metadata={"flag": flag, "help": about + tail, **words})


def add_options(parser: argparse._ActionsContainer, declared: type) -> None:
    """Give a command the options that a dataclass declares."""
    for each in _declared(declared):
        words = {key: value for key, value in each.metadata.items() if key != "flag"}
        parser.add_argument(f"--{_flag(each)}", default=each.default, **words)


def from_options(declared: type[Options], args: argparse.Namespace, **given: object) -> Options:
    """The dataclass with what the user wrote for its options; ``given`` are its other fields."""
    chosen = {each.name: getattr(args, _flag(each)) for each in _declared(declared)}
    return declared(**{name: tuple(v) if isinstance(v, list) else v for name, v in chosen.items()} | given)


def _declared(declared: type) -> list[Field]:
    return [each for each in fields(declared) if each.metadata]


def _flag(each: Field) -> str:
    return each.metadata["flag"] or each.name


def _from(least: int, text: str) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is not a number from {least}")
    return number
