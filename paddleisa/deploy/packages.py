"""Which packages deployment needs, and what to say when one is not there. Nothing is imported here."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version

from paddleisa.errors import DeployError

ALL_OF_THEM = "pip install 'paddleisa[deploy]'"


def installed(package: str) -> bool:
    """Whether ``package`` could be imported."""
    return importlib.util.find_spec(package) is not None


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of those of ``packages`` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def paddle_version() -> str:
    """Version of the Paddle that is installed, whichever of its packages it comes from."""
    import paddle

    return paddle.__version__


def problem_with(packages: tuple[str, ...]) -> tuple[str, str] | None:
    """(what is missing or does not fit, the pip command that mends it), or None where all is well."""
    missing = [package for package in packages if not installed(package)]
    converter = "paddle2onnx" in packages
    modern = int(paddle_version().partition(".")[0]) >= 3
    wanted = {"paddle2onnx": "paddle2onnx>=2" if modern else "paddle2onnx<2"}
    if missing:
        names = [repr(wanted.get(p, p)) if wanted.get(p) else p for p in missing]
        several = "packages" if len(missing) > 1 else "package"
        are = "are" if len(missing) > 1 else "is"
        return f"the {several} {', '.join(missing)} {are} not installed", f"pip install {' '.join(names)}"
    if converter and (int(versions(("paddle2onnx",))["paddle2onnx"].partition(".")[0]) >= 2) != modern:
        found = versions(("paddle2onnx",))["paddle2onnx"]
        return (
            f"paddle2onnx {found} does not read the models of Paddle {paddle_version()}",
            f"pip install {wanted['paddle2onnx']!r}",
        )
    return None


def require(packages: tuple[str, ...], what: str, where: object) -> None:
    """Raise DeployError, with the pip command, unless ``packages`` are installed and fit this Paddle."""
    if trouble := problem_with(packages):
        problem, command = trouble
        raise DeployError(f"{what} cannot be used: {problem}", where=where, fix=f"Run: {command}")
