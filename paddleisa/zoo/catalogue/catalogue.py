"""The catalogue: every model that can be named, from the package's files and from the user's.

>>> catalogue = load_catalogue()
>>> catalogue.get("isanet_resnet50_os8_cityscapes_769x769_80k").row.scores.single
79.03

A model's tensors are kept beside it as text, one sorted line ``name [shape] dtype`` each, so that a digest identifies
the whole set: the sha256 of the text, which is also what ``sha256sum`` says of the manifest file.
"""

from __future__ import annotations

import hashlib
import json
import os
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ValidationError

from paddleisa.errors import ConfigError, UsageError, one_of
from paddleisa.utils.environment import home
from paddleisa.utils.nodes import KeyPath, Node, dotted
from paddleisa.utils.yaml_reader import read_file
from paddleisa.zoo.catalogue.schema import CatalogueFile, Row


class Tensor(NamedTuple):
    """What is known of a tensor before its values: ``shape`` of non-negative integers, numpy's name of the dtype."""

    shape: tuple[int, ...]
    dtype: str


def manifest_text(tensors: Mapping[str, Tensor]) -> str:
    """The canonical text of a set of tensors, one line each, sorted by name (by code point)."""
    lines = (
        f"{name} {json.dumps(list(shape), separators=(',', ':'))} {dtype}" for name, (shape, dtype) in tensors.items()
    )
    return "".join(f"{line}\n" for line in sorted(lines))


def manifest_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 (hex) of :func:`manifest_text`."""
    return hashlib.sha256(manifest_text(tensors).encode()).hexdigest()


def parse_manifest(text: str, where: object) -> dict[str, Tensor]:
    """The tensors of a manifest text. Raises ConfigError naming the line that is not ``name [shape] dtype``."""
    tensors: dict[str, Tensor] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, shape, dtype = _fields(line, f"{where}:{number}")
        if name in tensors:
            raise ConfigError(f"tensor {name!r} is listed twice", where=f"{where}:{number}")
        tensors[name] = Tensor(shape, dtype)
    return tensors


def byte_count(tensors: Iterable[Tensor]) -> int:
    """Bytes that the tensors' values take (an unknown dtype counts 8 bytes a value)."""
    width = {"float32": 4, "float16": 2, "bfloat16": 2, "int32": 4, "uint8": 1, "int8": 1, "bool": 1}
    total = 0
    for tensor in tensors:
        count = width.get(tensor.dtype, 8)
        for length in tensor.shape:
            count *= length
        total += count
    return total


def _fields(line: str, where: str) -> tuple[str, tuple[int, ...], str]:
    parts = line.rsplit(" ", 2)
    try:
        name, shape, dtype = parts[0], json.loads(parts[1]), parts[2]
    except (IndexError, ValueError) as error:
        raise ConfigError("is not a line of a manifest", where=where, fix="Write: name [shape] dtype") from error
    if not (name and dtype and isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)):
        raise ConfigError("is not a line of a manifest", where=where, fix="Write: name [shape] dtype")
    return name, tuple(shape), dtype


@dataclass(frozen=True)
class Entry:
    """A model of the catalogue: its name, family, row, and the file (and line) that it stands in."""

    name: str
    family: str
    row: Row
    path: Path
    line: int
    scores_origin: str

    @property
    def where(self) -> str:
        """``FILE:LINE``, for messages."""
        return f"{self.path}:{self.line}"

    @property
    def config(self) -> str:
        """What ``load_config`` takes: a shipped config's name, or the path of a file beside the catalogue."""
        config = self.row.config
        return str(self.path.parent / config) if config.endswith((".yml", ".yaml")) else config

    def manifest(self) -> dict[str, Tensor] | None:
        """Name, shape and dtype of every tensor, or None where they are not known.

        Raises ConfigError when the manifest file is missing or is not the one whose digest the catalogue gives.
        """
        state = self.row.state
        if state is None:
            return None
        path = self.path.parent / state.manifest
        try:
            tensors = parse_manifest(path.read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"manifest {state.manifest} cannot be read ({error})", where=self.where) from error
        digest = manifest_digest(tensors)
        if len(tensors) != state.tensors or digest != state.sha256:
            raise ConfigError(
                f"manifest {state.manifest} has {len(tensors)} tensors and digest {digest}, "
                f"the catalogue says {state.tensors} and {state.sha256}",
                where=self.where,
                fix="Restore the manifest, or correct the catalogue",
            )
        return tensors


class Catalogue:
    """Entries by name, in the order of their files. A name that two files give is an error, not an update."""

    def __init__(self, entries: Iterable[Entry] = ()):
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            other = self._entries.setdefault(entry.name, entry)
            if other is not entry:
                raise ConfigError(
                    f"model {entry.name!r} is already in {other.where}", where=entry.where, fix="Rename one of the two"
                )

    def get(self, name: str) -> Entry:
        """The entry called ``name``; UsageError with the nearest name when there is none."""
        if name not in self._entries:
            raise UsageError(f"there is no model {name!r} in the catalogue", fix=one_of(name, self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)


def load_catalogue(extra: Iterable[str | Path] = ()) -> Catalogue:
    """The package's catalogues, then the registered ones (`registered_catalogues`), then ``extra`` files.

    A file named more than once counts once. Raises ConfigError for any file that is not a catalogue, all of its
    mistakes at once.
    """
    from paddleisa.utils.environment import pretrained_dir

    paths = [*sorted(Path(pretrained_dir()).glob("*.yml")), *registered_catalogues(), *map(Path, extra)]
    unique = {path.expanduser().resolve(): path.expanduser() for path in reversed(paths)}
    return Catalogue(entry for path in reversed(unique.values()) for entry in read_catalogue(path))


def registered_catalogues() -> list[Path]:
    """Catalogue files that the user registered once for all commands.

    They are named in ``PADDLEISA_CATALOGUES`` (separated like ``PATH``) and, one a line, in ``catalogues.txt`` of
    ``PADDLEISA_HOME``; blank lines and lines that begin with ``#`` are skipped.
    """
    named = [part for part in os.environ.get("PADDLEISA_CATALOGUES", "").split(os.pathsep) if part.strip()]
    listing = home() / "catalogues.txt"
    if listing.is_file():
        lines = (line.strip() for line in listing.read_text(encoding="utf-8").splitlines())
        named += [line for line in lines if line and not line.startswith("#")]
    return [Path(name).expanduser() for name in named]


def read_catalogue(path: str | Path) -> list[Entry]:
    """The entries of one catalogue file. Raises ConfigError with file and line of every mistake in it."""
    path = Path(path)
    try:
        state = path.stat()
    except (OSError, ValueError):
        return _entries(path)  # which says what is wrong
    return list(_entries_of_state(path, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=32)
def _entries_of_state(path: Path, mtime_ns: int, size: int) -> list[Entry]:
    """A command asks many times, and parsing the package's own takes a third of a second."""
    return _entries(path)


def _entries(path: Path) -> list[Entry]:
    tree = read_file(path, "catalogue")
    try:
        checked = CatalogueFile.model_validate(_with_defaults(cast("dict", tree.plain())))
    except ValidationError as error:
        # A mistake in defaults shows in every row: said once.
        said = list(dict.fromkeys(_sentence(item, path, tree) for item in error.errors(include_url=False)))
        raise ConfigError(said[0] if len(said) == 1 else f"{len(said)} mistakes:\n  " + "\n  ".join(said)) from error
    return [
        Entry(
            name, checked.family, row, path, tree.nearest_at(("models", name)).origin.line or 0, checked.scores_origin
        )
        for name, row in checked.models.items()
    ]


def _with_defaults(data: dict) -> dict:
    data = dict(data)
    defaults, models = data.pop("defaults", {}), data.get("models")
    if isinstance(defaults, dict) and isinstance(models, dict):
        data["models"] = {name: _merge(defaults, row) for name, row in models.items()}
    return data


def _merge(base: object, over: object) -> object:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: _merge(base[key], value) if key in base else value for key, value in over.items()}}


def _sentence(item: Mapping[str, Any], path: Path, tree: Node) -> str:
    """One of pydantic's errors as ``FILE:LINE: key.path: what is wrong``."""
    keys = tuple(key for key in item["loc"] if key != "[key]")
    place = keys
    if keys[:1] == ("models",) and len(keys) > 2 and tree.at(keys) is None and tree.at(("defaults", *keys[2:])):
        place = ("defaults", *keys[2:])
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = f"there is no such key. {one_of(str(keys[-1]), _keys_at(keys[:-1]))}"
    elif item["type"] == "missing":
        message = "this key is missing"
    elif item["type"] == "string_type":
        message = f"{item['input']!r} is not text. Put it between quotation marks"
    return f"{path}:{tree.nearest_at(place).origin.line}: {dotted(place)}: {message}"


def _keys_at(keys: KeyPath) -> list[str]:
    """The keys that the schema allows in the mapping at ``keys``, for advice."""
    if not keys:
        return [*CatalogueFile.model_fields, "defaults"]
    model: type[BaseModel] = Row
    for key in keys[2:]:  # after "models" and the model's name
        model = _model_in(model, key)
    return list(model.model_fields)


def _model_in(model: type[BaseModel], key: object) -> type[BaseModel]:
    field = model.model_fields.get(str(key))
    options = [] if field is None else [field.annotation]
    if options and isinstance(options[0], types.UnionType):
        options = list(typing.get_args(options[0]))
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), model)
