"""Model repositories: exported files laid out as a model server reads them, with its configuration.

Every served format is a model of its own, ``<config's name>_<format>``, version 1, that takes and gives whole batches
as its file does. The tests read the configurations with the servers' own parser or engine; no server has run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleisa.deploy.export import FORMATS
from paddleisa.errors import UsageError, one_of

if TYPE_CHECKING:
    from paddleisa.deploy.export.formats import Written

Tensors = Mapping[str, Mapping[str, Any]]
SERVERS = {"triton": "NVIDIA Triton", "ovms": "OpenVINO Model Server"}
_TYPES = {"float32": "TYPE_FP32", "int32": "TYPE_INT32"}  # Triton's names
_MOUNTED = "/models"  # where OVMS is to find the repository, see docs/guide/deploy.md


def check_serving(servers: Sequence[str], formats: Sequence[str]) -> None:
    """Raise UsageError unless each of ``servers`` exists and takes one of ``formats``."""
    for server in servers:
        if server not in SERVERS:
            raise UsageError(f"there is no server {server!r}", where="--serving", fix=one_of(server, SERVERS))
        if not any(server in FORMATS[format].backends for format in formats):
            able = " or ".join(name for name, format in FORMATS.items() if server in format.backends)
            problem = f"{SERVERS[server]} does not take the format {', '.join(formats)}"
            raise UsageError(problem, where="--serving", fix=f"Give --format {able}")


def write_repositories(
    servers: Iterable[str],
    folder: Path,
    name: str,
    written: Sequence[Written],
    tensors: Tensors,
    say: Callable[[str], None],
) -> dict[str, list[Path]]:
    """Write what each of ``servers`` reads: copies of the files that it can compute, and its configuration.

    Args:
        servers: names of SERVERS.
        folder: of the export; each repository is a folder in it, called as its server.
        name: what the models' names begin with.
        written: the exported formats; those that a server does not take are left out.
        tensors: ``input`` and ``output`` of `deploy.yaml`: ``name``, ``shape`` (-1 for what is free) and ``dtype``.
        say: called with a line about what is left out.

    Returns:
        {server: the files of its repository}.
    """
    found = {}
    for server in dict.fromkeys(servers):
        taken = [w for w in written if server in FORMATS[w.format].backends]
        if left := ", ".join(w.format for w in written if w not in taken):
            say(f"{SERVERS[server]} does not take {left}, which its repository goes without")
        found[server] = _write(server, folder / server, {f"{name}_{w.format}": w for w in taken}, tensors)
    return found


def _write(server: str, folder: Path, models: Mapping[str, Written], tensors: Tensors) -> list[Path]:
    files = []
    for model, exported in models.items():
        version = folder / model / "1"
        version.mkdir(parents=True)
        files += [Path(shutil.copyfile(file, version / file.name)) for file in exported.files]
        if server == "triton":
            files.append(folder / model / "config.pbtxt")
            files[-1].write_text(_pbtxt(model, FORMATS[exported.format].backends[server], tensors), encoding="utf-8")
    if server == "ovms":
        exact = {"INFERENCE_PRECISION_HINT": "f32"}  # as checked; OpenVINO takes bf16 where the processor has it
        entries = [
            {"config": {"name": model, "base_path": f"{_MOUNTED}/{model}", "plugin_config": exact}} for model in models
        ]
        files.append(folder / "config.json")
        files[-1].write_text(json.dumps({"model_config_list": entries}, indent=2) + "\n", encoding="utf-8")
    return files


def _pbtxt(model: str, backend: str, tensors: Tensors) -> str:
    """The text form of Triton's ``ModelConfig``; without ``max_batch_size``, ``dims`` begin with the batch."""
    lines = [f"name: {json.dumps(model, ensure_ascii=False)}", f'backend: "{backend}"', "max_batch_size: 0"]
    for key, tensor in tensors.items():
        kind = _TYPES[tensor["dtype"]]
        lines.append(f'{key} [ {{ name: "{tensor["name"]}", data_type: {kind}, dims: {list(tensor["shape"])} }} ]')
    if backend == "openvino":  # which computes on the CPU also where Triton finds a GPU
        lines.append("instance_group [ { kind: KIND_CPU } ]")
    return "\n".join(lines) + "\n"
