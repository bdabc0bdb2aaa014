"""Which engine computes a model fastest on this machine: measured once, then known.

Processors differ (bf16, VNNI, AVX2 only), and so do networks, so no order of engines is assumed. A few forward passes
of a small image are timed in each; the result is kept in ``PADDLEISA_HOME/speed`` under everything that it depends on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.deploy.runtimes.cache import cache_key, kind_of
from paddleisa.errors import DeployError
from paddleisa.utils import environment
from paddleisa.utils.files import WriteError, write_json

if TYPE_CHECKING:
    from paddle import nn

SIDE = 256  # pixels of the image that is timed; ratios between engines hardly depend on it
PASSES = 3  # timed after one that warms up; the best counts


@dataclass(frozen=True)
class Speed:
    """What was measured."""

    seconds: dict[str, float] = field(default_factory=dict)  # {engine: of one forward pass of 256x256 pixels}
    failed: dict[str, str] = field(default_factory=dict)  # {engine: why it cannot compute the model}

    @property
    def order(self) -> list[str]:
        """Engines, fastest first."""
        return sorted(self.seconds, key=lambda name: self.seconds[name])

    def __str__(self) -> str:
        return ", ".join(f"{name} {1000 * self.seconds[name]:.0f} ms" for name in self.order)


def known(model: nn.Layer, precision: str) -> Speed | None:
    """What an earlier run measured of such a model on this machine, None without one."""
    try:
        return Speed(**json.loads(_file(model, precision).read_text(encoding="utf-8"))["speed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measured(model: nn.Layer, precision: str, engines: Sequence[str], open_network: Callable[[str], Callable]) -> Speed:
    """The speed of ``engines`` on such a model: known, or measured now and kept.

    Args:
        model: in evaluation mode.
        precision: of the arithmetic.
        engines: those that can be used.
        open_network: from an engine's name to its network; raises DeployError where it cannot compute the model.
    """
    found = known(model, precision)
    if found is not None and {*found.seconds, *found.failed} >= set(engines):
        return found
    seconds, failed = {}, {}
    for name in engines:
        try:
            seconds[name] = seconds_of(open_network(name))
        except DeployError as error:
            failed[name] = str(error)
    found, path = Speed(seconds, failed), _file(model, precision)
    try:
        write_json(path, {"speed": asdict(found), "of": _parts(model, precision)})
    except WriteError as error:
        raise DeployError(f"what was measured cannot be kept: {error.problem}", where=path, fix=error.fix) from error
    return found


def seconds_of(network: Callable) -> float:
    """Of one forward pass, the best of a few."""
    import paddle

    image = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32))
    times = []
    with paddle.no_grad():
        for _ in range(1 + PASSES):
            start = time.perf_counter()
            network(image)
            times.append(time.perf_counter() - start)
    return min(times[1:])


def _parts(model: nn.Layer, precision: str) -> Mapping[str, object]:
    machine = environment.describe()
    processor = {key: machine.get(key) for key in ("processor", "system")}
    return {**kind_of(model), "precision": precision, "threads": environment.threads(), "processor": processor}


def _file(model: nn.Layer, precision: str) -> Path:
    return environment.home() / "speed" / f"{cache_key(_parts(model, precision))}.json"
