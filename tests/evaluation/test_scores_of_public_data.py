"""The score of each data set of the paper against a plain count of its downloaded labels by its source's rule.

The oracle reads the labels as they are downloaded with Pillow or scipy, knows each source's rule from its description,
counts pixels one class at a time, and predicts by numpy; the package prepares, reads, predicts and scores.
"""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from PIL import Image

from paddleisa.build import build_dataset
from paddleisa.config import Config, check
from paddleisa.data.prepare.by_table import prepare_by_table
from paddleisa.data.prepare.scenes import prepare_scenes
from paddleisa.evaluation.evaluate import evaluate
from paddleisa.predictor import Predictor
from paddleisa.registry import DATASETS

CONTEXT = """0 2 9 18 19 22 23 25 31 33 34 44 45 46 59 65 68 72 80 85 98 104 105 113 115 144 158 159 162 187 189 207 220
232 258 259 260 284 295 296 308 324 326 347 349 354 355 360 366 368 397 415 416 420 424 427 440 445 454 458"""
CONTEXT = [int(word) for word in CONTEXT.split()]
COCO_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}  # of the ids 1 to 182
COCO = [number for number in range(1, 183) if number not in COCO_UNUSED]


def png(path):
    return np.array(Image.open(path))


def matlab(key):
    def read(path):
        loadmat = pytest.importorskip("scipy.io").loadmat
        return loadmat(str(path))[key]

    return read


# Classes, the downloaded labels of validation, how to read them, and a downloaded value's class; None: not counted.
RULES = {
    "ADE20K": (150, "annotations/validation/*.png", png, lambda v: v - 1 if 1 <= v <= 150 else None),
    "CocoStuff": (171, "stuffthingmaps/val2017/*.png", png, lambda v: COCO.index(v + 1) if v + 1 in COCO else None),
    "CocoStuff10k": (171, "annotations/val*.mat", matlab("S"), lambda v: COCO.index(v) if v in COCO else None),
    "PascalContext": (60, "*/val*.mat", matlab("LabelMap"), lambda v: CONTEXT.index(v) if v in CONTEXT else 0),
    "PascalContext59": (
        59, "*/val*.mat", matlab("LabelMap"), lambda v: CONTEXT.index(v) - 1 if v in CONTEXT[1:] else None),
    "LIP": (20, "val_segmentations/*.png", png, lambda v: v),
}  # fmt: skip


class Pixelwise(paddle.nn.Layer):
    """A network whose scores of a pixel depend on its colour alone."""

    def __init__(self, weight):
        super().__init__()
        self.weight = paddle.to_tensor(weight)

    def forward(self, x):
        return [paddle.nn.functional.conv2d(x, self.weight[:, :, None, None])]


def predicted(image, weight):
    """Class of each pixel: argmax over the classes of weight @ (pixel / 127.5 - 1)."""
    return ((np.asarray(image, np.float64) / 127.5 - 1) @ weight.T.astype(np.float64)).argmax(-1)


def counted(pairs, classes):
    """IoU of each class, NaN where it neither occurs nor is predicted, and the share of right pixels."""
    ious, right, total = [], 0, 0
    for k in range(classes):
        both = sum(int(((t == k) & (p == k)).sum()) for t, p in pairs)
        either = sum(int(((t == k) | ((p == k) & (t >= 0))).sum()) for t, p in pairs)
        ious.append(both / either if either else float("nan"))
        right += both
    total = sum(int((t >= 0).sum()) for t, _ in pairs)
    return np.array(ious), right / total


@pytest.mark.parametrize("kind", RULES)
def test_the_score_is_that_of_a_plain_count_of_the_downloaded_labels(kind, tmp_path):
    classes, pattern, read, rule = RULES[kind]
    if read is not png:
        pytest.importorskip("scipy")
    root = tmp_path / "data"
    prepare_scenes(root, kind, (1, 3), (96, 48), workers=0, progress=False)
    files = sorted(root.glob(pattern))
    assert len(files) == 3
    if kind in ("ADE20K", "CocoStuff"):  # what is not labelled, in the middle of the first image
        unlabelled = png(files[0])
        unlabelled[10:20, 30:60] = {"ADE20K": 0, "CocoStuff": 255}[kind]
        Image.fromarray(unlabelled).save(files[0])
    if DATASETS.get(kind).raw_table is not None:
        prepare_by_table(root, kind, workers=0, progress=False)

    table = np.array([-1 if (k := rule(v)) is None else k for v in range(512)])
    data = DATASETS.get(kind)([], str(root), "val")
    by_name = {np.str_(image).rsplit("/")[-1].split(".")[0]: image for image, *_ in data.samples}
    truth = [table[read(file)] for file in files]
    weight = np.random.default_rng(7).standard_normal((classes, 3)).astype(np.float32)
    weight[np.unique(np.concatenate(truth, None)).clip(0)] *= 4  # classes that occur are predicted oftener
    guesses = [predicted(Image.open(by_name[file.stem]).convert("RGB"), weight) for file in files]
    ious, accuracy = counted(list(zip(truth, guesses, strict=True)), classes)
    assert np.isnan(ious).any() and np.nanmax(ious) > 0
    if kind not in ("LIP", "PascalContext"):
        assert any((t < 0).any() for t in truth)

    config = {
        "model": {"type": "ISANet", "num_classes": classes, "backbone": {"type": "ResNet18_vd"}},
        "val_dataset": {"type": kind, "dataset_root": str(root), "mode": "val", "transforms": [{"type": "Normalize"}]},
        "test_config": {"protocol": "openseg"},
    }
    predictor = Predictor(Pixelwise(weight), Config.from_dict(config))
    scores = evaluate(predictor, build_dataset(check(Config.from_dict(config), "val"), "val"), progress=False).scores
    np.testing.assert_allclose(scores.class_iou, ious, atol=2e-3)  # float32 decides a tie now and then
    assert scores.miou == pytest.approx(np.nanmean(ious), abs=2e-3)
    assert scores.accuracy == pytest.approx(accuracy, abs=2e-3)
    assert scores.pixels == sum(int((t >= 0).sum()) for t in truth)


def test_what_the_authors_evaluation_of_coco_stuff_does_is_not_done():
    """It scores raw ids as classes and sets every person (0 after the shift) to 255."""
    table = DATASETS.get("CocoStuff10k").raw_table
    assert table[1] == 0  # a person is a class
    assert table[182] == 170  # and the last id one of the 171
