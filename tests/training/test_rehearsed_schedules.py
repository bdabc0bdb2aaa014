"""The schedule of every recipe on generated data in its data set's layout, without the network's arithmetic."""

from __future__ import annotations

import pytest
from rehearse_schedule import IGNORED, PUBLISHED, RECIPES, rehearsal_data, rehearse

import paddleisa
from paddleisa.registry import DATASETS

# Images, images of a step, iterations; from these by hand: iterations of an epoch, epochs that are begun.
SCHEDULES = {
    "isanet_resnet50_os8_cityscapes_769x769_80k": (2975, 8, 80000, 371, 216),
    "isanet_resnet50_os8_voc12aug_512x512_40k": (10582, 16, 40000, 661, 61),
    "isanet_deepbase_resnet101_dilated8_cityscapes": (2975, 8, 40000, 371, 108),
    "base_ocnet_deepbase_resnet101_dilated8_cityscapes": (2975, 8, 40000, 371, 108),
    "isanet_hrnet_w48_cityscapes_1024x512_80k": (2975, 8, 80000, 371, 216),
    "isanet_hrnet_w48_ade20k_520x520_150k": (20210, 16, 150000, 1263, 119),
    "isanet_hrnet_w48_coco_stuff10k_520x520_60k": (9000, 16, 60000, 562, 107),
    "isanet_hrnet_w48_lip_473x473_100k": (30462, 32, 100000, 951, 106),
    "isanet_hrnet_w48_pascal_context_520x520_60k": (4996, 16, 60000, 312, 193),
    "isanet_deepbase_resnet101_dilated8_pascal_context_520x520_30k": (4996, 16, 30000, 312, 97),
    "isanet_hrnet_w48_voc12aug_513x513_60k": (10582, 16, 60000, 661, 91),
    "isanet_deepbase_resnet101_dilated8_voc12aug_513x513_60k": (10582, 16, 60000, 661, 91),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = {}

    def of(kind):
        if kind not in made:
            made[kind] = rehearsal_data(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return of


def test_every_recipe_has_a_rehearsal():
    assert set(SCHEDULES) == {*PUBLISHED, *RECIPES}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_first_iterations_of_a_schedule(name, root):
    images, batch, iters, steps, epochs = SCHEDULES[name]
    config = paddleisa.load_config(name)
    kind = config["train_dataset"]["type"]
    if DATASETS.get(kind).source.matrix or kind == "PascalVOC":
        pytest.importorskip("scipy")
    done = rehearse(name, root(kind), iters=4, progress=False)
    assert (len(done.seen), done.plan.total_batch, done.plan.steps_per_epoch) == (images, batch, steps)
    assert (done.plan.iters, done.plan.epoch(iters)) == (iters, epochs)
    assert done.seen.sum() == 4 * batch and done.seen.max() == 1
    assert done.shapes == {(3, 16, 16)}
    classes = DATASETS.get(kind).num_classes
    assert len(done.labels) > 2 and all(label < classes or label == IGNORED for label in done.labels)
    assert done.rates == {1: config["lr_scheduler"]["learning_rate"]}
