"""Every error that a user may meet. Each names the place, the cause and the fix.

The command line prints such an error as one message without a traceback and exits with code 2. Any other exception is
a fault of ours, or of a plug-in: exit code 1, and ``--traceback`` shows where it comes from.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class PaddleISAError(Exception):
    """Base of the package's errors.

    Args:
        problem: what is wrong, one sentence without the final stop.
        where: the file, key path, URL or option that it was found in.
        fix: what to do or to write instead.
    """

    def __init__(self, problem: str, *, where: object = None, fix: str | None = None):
        self.problem, self.where, self.fix = problem, None if where is None else str(where), fix
        place = "" if where is None else f"{where}: "
        advice = "" if not fix else f". {fix}"
        super().__init__(f"{place}{problem}{advice}")


class UsageError(PaddleISAError):
    """An option or argument of a command, or of the Python interface, that cannot be used as given."""


class ConfigError(PaddleISAError):
    """A config that cannot be read or does not describe something that can be built."""


class ConfigWarning(UserWarning):
    """What ``paddleisa.load_config`` warns of: a value of a config that may be meant, but seldom is."""


class DataError(PaddleISAError):
    """An image, a label, a list file or a data set folder that is missing, damaged or inconsistent."""


class WeightsError(PaddleISAError):
    """A weights file that is unsafe, damaged, or does not fit the model."""


class CheckpointError(PaddleISAError):
    """A training checkpoint that cannot be written, read or continued from."""


class TrainingError(PaddleISAError):
    """A training that cannot go on; its last checkpoint is good."""


class DownloadError(PaddleISAError):
    """A file that could not be fetched, or that is not what was asked for."""


class DeployError(PaddleISAError):
    """A model that cannot be exported, or an inference engine that is missing or computes something else."""


def text_of(error: BaseException) -> str:
    """``str(error)``, also of an error whose own ``__str__`` fails."""
    try:
        return str(error)
    except Exception:
        return "its message cannot be made"


def essence(error: BaseException) -> str:
    """The line of an error's message that says something: Paddle's own stands below its C++ calls."""
    lines = [line.strip() for line in text_of(error).splitlines() if line.strip(" -")]
    telling = [line for line in lines if re.match(r"\(?\w*Error\b|\(\w+\)|Error:", line)]
    return (telling or lines or [""])[-1 if telling else 0]


def nearest(name: object, names: Iterable[str]) -> str:
    """``"Did you mean 'X'?"`` for the closest of ``names``, or an empty string when none is close."""
    close = difflib.get_close_matches(str(name).lower(), {n.lower(): n for n in names}, n=1, cutoff=0.6)
    by_lower = {n.lower(): n for n in names}
    return f"Did you mean {by_lower[close[0]]!r}?" if close else ""


def one_of(name: str, names: Iterable[str]) -> str:
    """Advice for a name that is not among ``names``: the nearest one, then all of them."""
    names = sorted(names)
    hint = nearest(name, names)
    return f"{hint} Choose one of: {', '.join(names)}".strip()
