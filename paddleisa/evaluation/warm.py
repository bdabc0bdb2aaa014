"""`predict` without paddle: what an earlier run of the same command on the same model wrote down for the next one.

Converted files need neither the network nor paddle to run. What needs both is all around them: the cache goes by the
built network, the config is checked against its classes. So a run that has come through leaves what was found, under a
key of everything that it was found from, in ``PADDLEISA_HOME/starts``. Where anything differs, nothing is found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from paddleisa.config import Config
from paddleisa.config.signature import options_of
from paddleisa.config.values import coerce
from paddleisa.datasets.classes import Classes
from paddleisa.deploy import packages
from paddleisa.deploy.export import FORMATS, all_packages
from paddleisa.deploy.export.model_digest import code_digest
from paddleisa.deploy.runtimes.cache import cache_key, is_whole
from paddleisa.deploy.runtimes.open import ConvertedNetwork, Engine
from paddleisa.errors import PaddleISAError
from paddleisa.inference.settings import InferenceSettings, inference_settings, unused_settings
from paddleisa.predictor import Predictor
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms.compose import prepared_by
from paddleisa.utils.environment import home, world_size
from paddleisa.utils.files import sha256_of, write_json
from paddleisa.utils.interpolation import Upsampling

RUNTIMES = {form.runtime: form for form in FORMATS.values() if form.convert}  # those that need no paddle
OPTIONS = ("engine", "precision", "streams")


def start_file(config: Config, weights: Path, given: Mapping[str, Any]) -> Path | None:
    """Where a run's findings are kept; None where the next run has to find them itself.

    Args:
        config: as read, not checked yet.
        weights: of the model.
        given: the command's options by name; those of `OPTIONS` are part of the key.
    """
    chosen = {name: given[name] for name in OPTIONS}
    plain = chosen["precision"] != "int8" and not any(given.get(name) for name in ("calibration", "calibration_images"))
    on_cpu = given.get("device") in (None, "cpu") and given.get("device_id") is None
    if not (plain and on_cpu) or world_size() > 1 or config.get("plugins") or chosen["engine"].startswith("paddle"):
        return None
    parts = {
        "config": config.digest(),
        "weights": [str(weights.resolve()), sha256_of(weights)],
        "code": code_digest(Path(__file__).parents[1]),
        "versions": packages.versions(("paddlepaddle", "paddlepaddle-gpu", "numpy", *all_packages())),
        **chosen,
    }
    return home() / "starts" / f"{cache_key(parts)}.json"


def keep(file: Path, predictor: Predictor, said: Sequence[str]) -> None:
    """Leave for the next run what this one found; ``said`` is what it told of the model."""
    network, transforms = predictor.engine.network, predictor.config["val_dataset"].get("transforms", [])
    if not isinstance(network, ConvertedNetwork) or predictor.engine.name not in RUNTIMES:
        return
    if getattr(predictor.config, "warnings", ()):  # which every run shall print
        return
    engine, classes = predictor.engine, predictor.classes
    found = {
        "engine": {name: getattr(engine, name) for name in ("name", "precision", "reason", "batch_pixels", "streams")},
        "files": [str(path) for path in network.files],
        "upsampling": asdict(network.upsampling),
        "align_corners": predictor.align_corners,
        "transforms": transforms,
        "test_config": predictor.config.get("test_config"),
        "classes": {**asdict(classes), "palette": np.asarray(classes.palette).tolist()},
        "said": list(said),
    }
    write_json(file, found)


def warm_predictor(file: Path, config: Config, given: Mapping[str, Any]) -> tuple[Predictor, list[str]] | None:
    """(predictor, what is to be told of the model) of an earlier run's findings; None where there are none.

    Images at several scales are resized by paddle, so they are left to it.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        settings = inference_settings(found["test_config"], given)
        files = [Path(name) for name in found["files"]]
        unused = unused_settings(found["test_config"], given)  # the usual way tells them
        if unused or settings.scales != (1.0,) or not is_whole(files[0].parent):
            return None
        return _predictor(found, files, config, settings), found["said"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, PaddleISAError):
        return None  # the usual way says what is wrong, if anything is


def _predictor(found: dict, files: list[Path], config: Config, settings: InferenceSettings) -> Predictor:
    chosen = found["engine"]
    form, streams = RUNTIMES[chosen["name"]], chosen["streams"]
    run = form.open(files, "cpu", chosen["precision"], **({"streams": streams} if form.parallel else {}))
    network = ConvertedNetwork(tuple(files), run, Upsampling(**found["upsampling"]))
    classes = found["classes"]
    return Predictor.of_parts(
        config,
        Classes(**{**classes, "palette": np.array(classes["palette"], np.uint8)}),
        settings,
        prepared_by([_transform(**each) for each in found["transforms"]]),
        found["align_corners"],
        Engine(**chosen, network=network, arrays=True),
    )


def _transform(type: str, **options: Any) -> object:
    """One of the package's own; what a plug-in registers is never kept."""
    cls = TRANSFORMS.get(type)
    known = options_of(cls).known
    return cls(**{name: coerce(value, known[name].annotation) for name, value in options.items()})
