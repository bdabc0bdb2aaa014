"""Submissions in the benchmarks' formats, and scores equal to the official evaluator's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from paddleisa.errors import DataError, UsageError
from paddleisa.evaluation.official import Submission

NAME = "frankfurt_000000_000294_leftImg8bit.png"


def masks(count, classes, seed=0):
    return np.random.default_rng(seed).integers(0, classes, (count, 20, 30)).astype(np.uint8)


def test_cityscapes_masks_are_label_ids_under_official_names(tmp_path):
    labels = pytest.importorskip("cityscapesscripts.helpers.labels")
    submission = Submission("cityscapes", 19, tmp_path)
    (target,) = submission.targets([Path("leftImg8bit/val/frankfurt") / NAME])
    mask = masks(1, 19)[0]
    submission.write(target, mask)
    wanted = np.vectorize(lambda train_id: labels.trainId2label[train_id].id)(mask)
    assert target.name.startswith("frankfurt_000000_000294") and target.suffix == ".png"
    assert Image.open(target).mode == "L" and np.array_equal(np.array(Image.open(target)), wanted)


def test_the_official_search_finds_the_mask_of_its_ground_truth(tmp_path):
    module = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    submission = Submission("cityscapes", 19, tmp_path)
    (target,) = submission.targets([Path(NAME)])
    submission.write(target, masks(1, 19)[0])
    args = SimpleNamespace(predictionPath=str(tmp_path), predictionWalk=None)
    truth = "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png"
    assert module.getPrediction(args, truth) == str(target)


def test_voc_masks_are_palette_pngs_in_the_servers_folders(tmp_path):
    submission = Submission("voc", 21, tmp_path)
    (target,) = submission.targets([Path("JPEGImages/2008_000006.jpg")])
    mask = masks(1, 21)[0]
    submission.write(target, mask)
    png = Image.open(tmp_path / "results/VOC2012/Segmentation/comp6_test_cls/2008_000006.png")
    assert png.mode == "P" and np.array_equal(np.array(png), mask)
    assert png.getpalette()[45:48] == [192, 128, 128]  # VOC's person


@pytest.mark.parametrize(
    "kind, classes, images, message",
    [
        ("cityscapes", 8, [], "19 classes, the model has 8"),
        ("voc", 19, [], "21 classes, the model has 19"),
        ("cityscapes", 19, ["photo.jpg"], "no name of Cityscapes"),
        ("cityscapes", 19, [f"a/{NAME}", f"b/{NAME}"], "one result"),
        ("voc", 21, ["a/1.jpg", "b/1.jpg"], "one result"),
        ("voc", 21, ["results/VOC2012/Segmentation/comp6_test_cls/1.png"], "overwrite"),
    ],
)
def test_what_is_no_submission_is_refused(monkeypatch, tmp_path, kind, classes, images, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        Submission(kind, classes, "").targets([Path(image) for image in images])


class Guesser:
    """A predictor without a network: the label with errors of every kind."""

    settings = SimpleNamespace(protocol="corrected", note=lambda size: None)

    def __init__(self, classes):
        self.rng, self.classes = np.random.default_rng(3), classes

    engine = SimpleNamespace(streams=1)

    def describe(self):
        return "a stub"

    def logits(self, sample):
        return sample

    def mask(self, sample):
        label = sample["label"]
        guess = self.rng.choice(self.classes, label.shape).astype(np.uint8)
        right = (self.rng.random(label.shape) < 0.6) & (label != 255)
        return np.where(right, label, guess)


@pytest.fixture
def cityscapes(tmp_path):
    pytest.importorskip("cityscapesscripts", reason="the official evaluator is the oracle")
    from prepare_fakes import write_cityscapes

    from paddleisa.data.prepare.cityscapes import prepare_cityscapes

    root = write_cityscapes(tmp_path / "cityscapes", train=1, val=4)
    prepare_cityscapes(root, workers=0, progress=False)
    return root


def evaluated(root, folder, classes=range(19), limit=None):
    from paddleisa.datasets import Cityscapes
    from paddleisa.evaluation.evaluate import evaluate
    from paddleisa.evaluation.official import OfficialRun

    data = Cityscapes([], str(root), "val")
    run = OfficialRun(data, folder)
    ours = evaluate(Guesser(list(classes)), data, limit=limit, workers=0, progress=False, each=run.write)
    return data, ours, run.scores(ours.images)


def test_our_scores_equal_the_official_evaluators(cityscapes, tmp_path):
    data, ours, official = evaluated(cityscapes, tmp_path / "out")
    assert list(official.class_iou) == data.class_names
    assert 0.3 < official.miou < 0.9
    np.testing.assert_allclose(ours.scores.class_iou, list(official.class_iou.values()), rtol=0, atol=1e-6)
    assert ours.scores.miou == pytest.approx(official.miou, abs=1e-6)


def test_a_part_of_the_set_is_scored_by_both(cityscapes, tmp_path):
    _, ours, official = evaluated(cityscapes, tmp_path / "out", limit=2)
    seen = [iou for iou in official.class_iou.values() if iou is not None]
    assert ours.images == 2 and official.miou == pytest.approx(np.mean(seen), abs=1e-6)


def test_a_class_without_pixels_is_left_out_of_the_official_mean_and_said(cityscapes, tmp_path):
    for path in cityscapes.glob("gtFine/val/*/*_label*Ids.png"):
        ids = np.array(Image.open(path))
        raw = "labelIds" in path.name
        ids[ids == (33 if raw else 18)] = 0 if raw else 255  # bicycles become unlabelled
        Image.fromarray(ids).save(path)
    _, ours, official = evaluated(cityscapes, tmp_path / "out", classes=range(18))
    assert official.class_iou["bicycle"] is None and "1 classes without pixels left out" in official.text()
    assert ours.scores.class_iou[18] == 1  # the corrected protocol's rule
    assert ours.scores.class_iou[:18].mean() == pytest.approx(official.miou, abs=1e-6)


@pytest.mark.skipif(
    not hasattr(np, "in1d"), reason="the official instance scores use a function that numpy 2.4 removed"
)
def test_instance_scores_are_given_where_they_can_be_computed(cityscapes, tmp_path):
    for path in cityscapes.glob("gtFine/val/*/*_labelIds.png"):
        ids = np.array(Image.open(path)).astype(np.uint16)
        Image.fromarray(np.where(ids >= 24, ids * 1000, ids)).save(str(path).replace("labelIds", "instanceIds"))
    _, _, official = evaluated(cityscapes, tmp_path / "out")
    assert 0 < official.miiou < 1 and "car" in official.class_iiou


def test_what_the_evaluator_refuses_is_an_error_with_its_words(cityscapes, tmp_path):
    from paddleisa.evaluation.official import official_scores

    truth = next(cityscapes.glob("gtFine/val/*/*_labelIds.png"))
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(DataError, match="the official evaluator stopped: .*not equal"):
        official_scores([tmp_path / "small.png"], [truth])


def test_other_data_is_refused_before_anything_is_computed(cityscapes, tmp_path):
    from paddleisa.datasets import Cityscapes, Scenes
    from paddleisa.evaluation.official import OfficialRun

    with pytest.raises(UsageError, match="not for Scenes"):
        OfficialRun(Scenes([]), tmp_path)
    next(cityscapes.glob("gtFine/val/*/*_labelIds.png")).unlink()
    with pytest.raises(DataError, match="needs the labelIds"):
        OfficialRun(Cityscapes([], str(cityscapes), "val"), tmp_path)
