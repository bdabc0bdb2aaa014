"""Which packages deployment needs, and what to say when one is not there. Nothing is imported here."""

from __future__ import annotations

import importlib.util

from paddleisa.errors import DeployError
from paddleisa.utils.environment import versions


def installed(package: str) -> bool:
    """Whether ``package`` could be imported."""
    return importlib.util.find_spec(package) is not None


def paddle_version() -> str:
    """Version of the Paddle that is installed, whichever of its packages it comes from; imported only if in doubt."""
    found = versions(("paddlepaddle", "paddlepaddle-gpu"))
    if len(found) == 1:
        return next(iter(found.values()))
    import paddle

    return paddle.__version__


def problem_with(packages: tuple[str, ...]) -> tuple[str, str] | None:
    """(what is missing or does not fit, the pip command that mends it), or None where all is well."""
    if not packages:
        return None
    modern = int(paddle_version().partition(".")[0]) >= 3
    wanted = {"paddle2onnx": "'paddle2onnx>=2'" if modern else "'paddle2onnx<2'"}
    if missing := [package for package in packages if not installed(package)]:
        some = f"packages {', '.join(missing)} are" if len(missing) > 1 else f"package {missing[0]} is"
        return f"the {some} not installed", f"pip install {' '.join(wanted.get(name, name) for name in missing)}"
    if "paddle2onnx" in packages:
        found = versions(("paddle2onnx",))["paddle2onnx"]
        if (int(found.partition(".")[0]) >= 2) != modern:
            problem = f"paddle2onnx {found} does not read the models of Paddle {paddle_version()}"
            return problem, f"pip install {wanted['paddle2onnx']}"
    return None


def require(packages: tuple[str, ...], what: str, where: object) -> None:
    """Raise DeployError, with the pip command, unless ``packages`` are installed and fit this Paddle."""
    if trouble := problem_with(packages):
        problem, command = trouble
        raise DeployError(f"{what} cannot be used: {problem}", where=where, fix=f"Run {command}")


def last_line(error: Exception) -> str:
    """What the error of a library says at its end, in one line that fits into ours."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
