"""A row small enough to be reproduced in a second: a catalogue with a tiny ISANet on five drawn scenes."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

CONFIG = Path(__file__).parent / "small_row/small_row.yml"
IMAGES = 5
WAYS = {
    "single": {},
    "flip": {"flip_horizontal": True},
    "ms_flip": {"flip_horizontal": True, "scales": (0.75, 1.0, 1.25)},
}


def reproduce(*words: object) -> int:
    """``paddleisa reproduce WORDS`` in this process; errors are raised."""
    from paddleisa.cli import reproduce as command

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args([str(word) for word in words])
    args.words = ["reproduce", *map(str, words)]
    return command.run(args)


def save_random_weights(path: Path, seed: int = 0) -> None:
    """Weights of the row's network, drawn with ``seed``."""
    import paddle

    import paddleisa
    from paddleisa.weights import save_weights

    paddle.seed(seed)
    state = paddleisa.build_model(paddleisa.load_config(CONFIG)).state_dict()
    save_weights({name: value.numpy() for name, value in state.items()}, path)


def write_catalogue(folder: Path, url: str, scores: dict[str, float], names: tuple[str, ...] = ("small",)) -> Path:
    """``folder/lab.yml`` with equal rows called ``names``."""
    row = {
        "config": os.path.relpath(CONFIG, folder),
        "backbone": "four convolutions",
        "dataset": "Scenes",
        "crop_size": [128, 128],
        "iterations": 300,
        "total_batch": 4,
        "num_classes": 8,
        "scores": scores,
        "weights": {"url": url},
    }
    catalogue = {
        "version": 1,
        "family": "lab",
        "about": "ours",
        "scores_origin": "measured by us",
        "models": dict.fromkeys(names, row),
    }
    path = folder / "lab.yml"
    path.write_text(json.dumps(catalogue))  # JSON is YAML
    return path


def separate_matrices(
    weights: Path,
    config: str | Path = CONFIG,
    opts: Sequence[str] = (),
    ways: dict[str, dict] = WAYS,
    protocols: Sequence[str] = ("paddleseg-2021", "paddleseg-2023"),
) -> dict[str, np.ndarray]:
    """{"protocol/way": confusion matrix} by what ``val`` does, a whole evaluation for each."""
    import paddleisa
    from paddleisa.build import build_dataset
    from paddleisa.evaluation.evaluate import evaluate
    from paddleisa.predictor import Predictor

    config = paddleisa.load_config(config, opts=opts)
    model = paddleisa.build_model(config)
    paddleisa.load_weights(model, weights)
    dataset = build_dataset(config, "val")
    found = {}
    for protocol in protocols:
        for name, options in ways.items():
            predictor = Predictor(model, config, protocol=protocol, **options)
            found[f"{protocol}/{name}"] = evaluate(predictor, dataset, progress=False).matrix.matrix
    return found


def miou(matrix: np.ndarray, absent: float) -> float:
    """mIoU in per cent, a class without pixels counting ``absent``."""
    total = 0.0
    for k in range(len(matrix)):
        union = matrix[k].sum() + matrix[:, k].sum() - matrix[k, k]
        total += matrix[k, k] / union if union else absent
    return 100 * total / len(matrix)


def published_scores(matrices: dict[str, np.ndarray], **off: float) -> dict[str, float]:
    """Scores for a row as PaddleSeg's have them, moved by ``off`` points."""
    found = {
        "single": miou(matrices["paddleseg-2021/single"], 0),
        "flip": miou(matrices["paddleseg-2021/flip"], 0),
        "ms_flip_published": miou(matrices["paddleseg-2021/ms_flip"], 0),
        "ms_flip_corrected": miou(matrices["paddleseg-2023/ms_flip"], 1),
    }
    return {key: round(value + off.get(key, 0.0), 6) for key, value in found.items()}


def sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
