"""Several mistakes in one config, told in one error."""

from __future__ import annotations

from paddleisa.errors import ConfigError
from paddleisa.utils.nodes import KeyPath, dotted


class ConfigProblems(ConfigError):
    """All that is wrong with a config.

    Attributes:
        problems: one ConfigError each, in the config's order.
    """

    def __init__(self, name: str, problems: list[ConfigError]):
        one = problems[0]
        if len(problems) == 1:
            super().__init__(one.problem, where=one.where, fix=one.fix)
        else:
            lines = "".join(f"\n  {problem}" for problem in problems)
            super().__init__(f"{len(problems)} problems{lines}", where=name)
        self.problems = problems


class Problems:
    """Collects problems during a check.

    Attributes:
        warnings: what may be meant, but seldom is; one sentence each, with its place.
    """

    def __init__(self) -> None:
        self._found: list[ConfigError] = []
        self.warnings: list[str] = []

    def add(self, place: object, path: KeyPath, problem: str, fix: str | None = None) -> None:
        """A problem with the value at ``path``, which was given at ``place``."""
        self.append(ConfigError(problem, where=f"{place}: {dotted(path)}", fix=fix))

    def warn(self, place: object, path: KeyPath, problem: str, fix: str | None = None) -> None:
        """Something with the value at ``path`` that may be meant, but seldom is."""
        self.warnings.append(str(ConfigError(problem, where=f"{place}: {dotted(path)}", fix=fix)))

    def append(self, error: ConfigError) -> None:
        """A problem that is an error already."""
        self._found.append(error)

    def raise_if_any(self, name: str) -> None:
        """ConfigProblems for the config ``name`` when there is at least one."""
        if self._found:
            raise ConfigProblems(name, self._found)
