"""Every recipe of ISA's authors takes a real step, on tiny crops: its network, data set, augmentation, loss, rates."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest
from rehearse_schedule import RECIPES, reduced, rehearsal_data

import paddleisa
from paddleisa.build import build_dataset, build_loss, build_model, build_optimizer
from paddleisa.inference.masks import predict_masks
from paddleisa.inference.settings import inference_settings
from paddleisa.training.batches import Plan, training_batches

SIDE = 64
pytestmark = pytest.mark.slow  # 43 to 66 million weights each


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = {}

    def of(kind):
        if kind not in made:
            made[kind] = rehearsal_data(kind, tmp_path_factory.mktemp(kind), (3, 1), (128, 80))
        return made[kind]

    return of


@pytest.mark.parametrize("name", RECIPES)
def test_one_step_moves_every_weight_by_the_recipes_rule(name, root):
    if "coco" in name or "context" in name:
        pytest.importorskip("scipy")
    kind = paddleisa.load_config(name)["train_dataset"]["type"]
    config = reduced(name, root(kind), SIDE, batch_size=2)
    data, model, loss = build_dataset(config, "train"), build_model(config), build_loss(config)
    data.seed = 1
    rule, schedule = build_optimizer(config)
    plan = Plan(config["iters"], len(data), 2, 1, 1, 1, config["iters"])
    optimizer = rule.create(model, schedule.scheduler(plan.iters))
    batch = next(iter(training_batches(data, plan, 0, 0, 0)))
    assert batch.images.shape == (2, 3, SIDE, SIDE) and batch.labels.shape == (2, SIDE, SIDE)
    rule.train_mode(model)
    paddle.seed(0)
    terms = loss(model(paddle.to_tensor(batch.images)), paddle.to_tensor(batch.labels).astype("int64"))
    classes = config["model"]["num_classes"]
    assert len(terms) == len(config["loss"]["coef"])
    for term, factor in zip(terms, config["loss"]["coef"], strict=True):
        assert 0.3 * math.log(classes) < float(term) / factor < 3 * math.log(classes)
    sum(terms).backward()
    watched = {n: p for n, p in model.named_parameters() if n.startswith(("head.in_conv", "head.cls")) or "conv1_1" in n
               or "layer1_1" in n}  # fmt: skip
    watched = {n: p for n, p in watched.items() if not p.stop_gradient}
    before = {n: (p.numpy().astype(np.float64), p.grad.numpy().astype(np.float64)) for n, p in watched.items()}
    optimizer.step()
    rate, decay = config["lr_scheduler"]["learning_rate"], config["optimizer"]["weight_decay"]
    faster = 10 if rate == 0.001 else 1
    assert {n.split(".")[0] for n in watched} == {"backbone", "head"}
    for n, (value, gradient) in before.items():
        step = rate * (faster if n.startswith("head") else 1) * (gradient + decay * value)
        np.testing.assert_allclose(watched[n].numpy(), value - step, rtol=1e-4, atol=1e-6 + 1e-3 * np.abs(step).max())
        assert np.abs(step).max() > 0

    model.eval()
    sample = build_dataset(config, "val")[0]
    settings = inference_settings(config["test_config"])
    (mask,) = predict_masks(
        lambda x: model(x)[0], paddle.to_tensor(sample["img"][None]), sample["trans_info"], [settings], True
    )
    assert mask.shape == sample["label"].shape and mask.max() < classes
