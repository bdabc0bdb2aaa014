"""A tiny project, and ``call``: one command in this process, with its exit code and what it printed."""

from __future__ import annotations

import textwrap

import cv2
import numpy as np
import pytest

CONFIG = """
model:
  type: ISANet
  isa_channels: 8
  down_factor: [2, 2]
  backbone: {type: ResNet18_vd, output_stride: 16}
val_dataset:
  type: Dataset
  dataset_root: data
  val_path: data/val.txt
  num_classes: 3
  class_names: [ground, wall, sky]
  palette: [[1, 2, 3], [200, 0, 0], [0, 0, 200]]
  mode: val
  transforms:
    - {type: Padding, target_size: [64, 64]}
    - {type: Normalize}
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Folder with a config, three images with labels (one larger than the padding), and weights in both formats."""
    import paddle

    from paddleisa.build import build_model
    from paddleisa.config import load_config
    from paddleisa.weights import save_weights

    root = tmp_path_factory.mktemp("project")
    (root / "data").mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a", (48, 64)), ("b", (70, 40)), ("c", (16, 24))):
        cv2.imwrite(str(root / f"data/{name}.png"), rng.integers(0, 256, (*size, 3)).astype(np.uint8))
        cv2.imwrite(str(root / f"data/{name}_label.png"), rng.integers(0, 3, size).astype(np.uint8))
    (root / "data/val.txt").write_text("".join(f"{n}.png {n}_label.png\n" for n in "abc"))
    (root / "tiny.yml").write_text(textwrap.dedent(CONFIG))
    paddle.seed(1)
    state = build_model(load_config(root / "tiny.yml")).state_dict()
    for suffix in ("pdparams", "safetensors"):
        save_weights(state, root / f"w.{suffix}")
    return root


@pytest.fixture
def in_project(project, monkeypatch):
    monkeypatch.chdir(project)
    return project
