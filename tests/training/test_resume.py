"""Resuming under another setup with --force: what each change means."""

import numpy as np
import paddle
import pytest
from test_train import EMA, everything, run

from paddleisa.errors import CheckpointError
from paddleisa.training.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from paddleisa.training.optimizer_state import restore_optimizer

COSINE = "lr_scheduler={type: CosineAnnealingDecay, learning_rate: 0.05}"
WARM = "lr_scheduler={type: CosineAnnealingDecay, learning_rate: 0.05, warmup_iters: 6}"
STEPS = "lr_scheduler={type: StepDecay, learning_rate: 0.05, step_size: 3}"
ADAM = "optimizer={type: AdamW}"


class Rates:
    """A hook that notes the learning rate of every step."""

    def __init__(self):
        self.by_iteration = {}

    def __call__(self, state, _):
        self.by_iteration[state.iteration] = state.optimizer.get_lr()


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """A run of twelve iterations with a checkpoint at the eighth."""
    folder = tmp_path_factory.mktemp("eight")
    run(folder, do_eval=True)
    return folder / "iter_8"


def resumed(folder, eight, *opts, **options):
    """The state before the first step of a run that goes on from ``eight``, by name."""
    seen = {}

    def note(state, _):
        if not seen:
            seen.update(
                weights={name: tensor.numpy() for name, tensor in state.model.state_dict().items()},
                average=state.ema and state.ema.state(),
                best=state.best_miou,
            )

    run(folder, *opts, resume=str(eight), force=True, hook=note, **options)
    return seen, (folder / "train.log").read_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """``trained(*opts)``: folder and rates of a run from the beginning; each is made once."""
    made = {}

    def train(*opts):
        if opts not in made:
            folder, rates = tmp_path_factory.mktemp("trained"), Rates()
            run(folder, *opts, hook=rates)
            made[opts] = folder, rates.by_iteration
        return made[opts]

    return train


LONGER, SHORTER, SLOWER = "iters=20", "iters=10", "lr_scheduler.learning_rate=0.005"


@pytest.mark.parametrize(
    "opts",
    [(LONGER,), (SHORTER,), (SLOWER,), (COSINE, SHORTER), (WARM, LONGER), (STEPS, SLOWER)],
)
def test_another_plan_goes_on_at_the_rates_of_a_straight_run_of_that_plan(tmp_path, trained, opts):
    second = Rates()
    run(tmp_path, *opts, resume=str(trained(*opts[:-1])[0] / "iter_8"), force=True, hook=second)
    assert min(second.by_iteration) == 9
    assert second.by_iteration == {i: rate for i, rate in trained(*opts)[1].items() if i > 8}


@pytest.mark.parametrize("schedule", [COSINE, WARM, STEPS])
def test_another_schedule_takes_effect_at_the_first_step(tmp_path, trained, eight, schedule):
    second = Rates()
    run(tmp_path, schedule, resume=str(eight), force=True, hook=second)
    assert second.by_iteration == {i: rate for i, rate in trained(schedule)[1].items() if i > 8}


@pytest.mark.parametrize("schedule", [COSINE, WARM])
def test_the_same_plan_ends_in_the_bits_of_the_uninterrupted_run(tmp_path, trained, schedule):
    straight, _ = trained(schedule)
    run(tmp_path, schedule, resume=str(straight / "iter_8"))
    arrays, expected = (everything(folder / "iter_12")[0] for folder in (tmp_path, straight))
    assert all(np.array_equal(arrays[name], expected[name]) for name in expected)


@pytest.mark.parametrize("opts", [(), (COSINE,), (WARM,)])
def test_a_good_resume_warns_of_nothing(tmp_path, trained, opts, recwarn):
    straight, _ = trained(*opts)
    recwarn.clear()
    run(tmp_path, *opts, resume=str(straight / "iter_8"))
    assert [str(warning.message) for warning in recwarn if "state_dict" in str(warning.message)] == []


def test_an_average_that_is_switched_on_begins_at_the_resumed_weights(tmp_path, eight):
    seen, log = resumed(tmp_path, eight, EMA)
    assert all(np.array_equal(seen["average"][name], value) for name, value in seen["weights"].items())
    assert "begins at the resumed ones" in log


def test_an_average_that_is_switched_off_leaves_the_weights(tmp_path):
    run(tmp_path, EMA)
    seen, _ = resumed(tmp_path / "off", tmp_path / "iter_8")
    weights = read_checkpoint(tmp_path / "iter_8").arrays["model.pdparams"]
    assert seen["average"] is None
    assert all(np.array_equal(seen["weights"][name], value) for name, value in weights.items())


@pytest.mark.parametrize("opts", ["optimizer.custom_cfg=[{name: backbone, lr_mult: 0.1}]", "batch_size=3"])
def test_groups_and_batch_keep_the_optimizers_momentum(tmp_path, eight, opts):
    """The next step's velocity is 0.9 times the resumed one, more than that of a run which begins without."""
    checkpoint = read_checkpoint(eight)
    weights = {"model.pdparams": checkpoint.arrays["model.pdparams"]}
    without = save_checkpoint(tmp_path / "saved", Checkpoint(checkpoint.facts, weights))
    velocity = []
    for name, folder in (("with", eight), ("without", without)):
        run(tmp_path / name, opts, "iters=9", resume=str(folder), force=True)
        velocity.append(read_checkpoint(tmp_path / name / "iter_9").arrays["model.pdopt"])
    for key, before in checkpoint.arrays["model.pdopt"].items():
        np.testing.assert_allclose(velocity[0][key] - velocity[1][key], 0.9 * before, rtol=1e-4, atol=1e-5)


def test_a_group_gets_its_factor_from_the_first_step(tmp_path, eight):
    run(tmp_path, "optimizer.custom_cfg=[{name: backbone, lr_mult: 0.0}]", resume=str(eight), force=True)
    name = "model.pdparams:backbone.stages.0._conv.weight"
    np.testing.assert_array_equal(everything(tmp_path / "iter_12")[0][name], everything(eight)[0][name])


def test_a_clip_acts_from_the_first_step(tmp_path, eight):
    clip = "optimizer.grad_clip_cfg={name: ClipGradByGlobalNorm, clip_norm: 1.0e-30}"
    run(tmp_path, clip, "optimizer.weight_decay=0.0", "optimizer.momentum=0.0", resume=str(eight), force=True)
    name = "model.pdparams:head.cls.1.weight"
    np.testing.assert_allclose(
        everything(tmp_path / "iter_12")[0][name], everything(eight)[0][name], rtol=0, atol=1e-12
    )


def test_another_optimizer_begins_without_state_and_says_so(tmp_path, eight):
    _, log = resumed(tmp_path, eight, ADAM)
    moments = read_checkpoint(tmp_path / "iter_12").arrays["model.pdopt"]
    np.testing.assert_allclose(moments["head.cls.1.weight/beta1_pow_acc_0"], 0.9**5, rtol=1e-6)  # four steps since
    assert "the optimizer's state is of another one: AdamW begins without" in log


def test_bf16_on_a_cpu_goes_on_from_the_weights_of_fp32(tmp_path, eight):
    seen, log = resumed(tmp_path, eight, "precision=bf16", "amp_level=O2")
    weights = read_checkpoint(eight).arrays["model.pdparams"]
    assert all(np.array_equal(seen["weights"][name], value) for name, value in weights.items())
    assert 'precision: absent -> "bf16"' in log


def test_other_data_keeps_the_iteration_and_says_what_changed(tmp_path, eight):
    _, log = resumed(tmp_path, eight, "train_dataset.num_images=12")
    assert "dataset_size: 9 -> 12" in log
    assert read_checkpoint(tmp_path / "iter_12").facts["epoch"] == 2  # of 6 iterations now


@pytest.mark.parametrize("opts", ["val_dataset.num_images=4", "test_config={aug_eval: true, flip_horizontal: true}"])
def test_a_best_score_measured_in_another_way_is_forgotten(tmp_path, eight, opts):
    assert resumed(tmp_path / "same", eight, "batch_size=3", do_eval=True)[0]["best"] is not None
    seen, log = resumed(tmp_path / "other", eight, opts, do_eval=True)
    assert seen["best"] is None
    assert "measured in another way: it is forgotten" in log


def test_another_network_is_refused_with_what_to_do(tmp_path, eight):
    with pytest.raises(CheckpointError, match="of another network: .*model.pretrained"):
        run(tmp_path, "model.isa_channels=16", resume=str(eight), force=True)


@pytest.fixture
def layer():
    return paddle.nn.Linear(2, 2)


def test_a_parameter_that_was_frozen_before_begins_without_velocity(layer):
    schedule = paddle.optimizer.lr.StepDecay(0.1, 3)
    optimizer = paddle.optimizer.Momentum(schedule, parameters=layer.parameters())
    lines = restore_optimizer(optimizer, layer, {"weight/velocity_0": np.ones((2, 2), np.float32)}, {})
    layer(paddle.ones([1, 2])).sum().backward()
    optimizer.step()
    velocity = {v.shape[0] if v.ndim == 1 else 4: v.numpy() for k, v in optimizer.state_dict().items() if "velo" in k}
    np.testing.assert_allclose(velocity[2], 1.0)  # 0.9 * 0 + gradient
    np.testing.assert_allclose(velocity[4], 1.9)
    assert lines == ["1 of 2 trained parameters have no velocity in the checkpoint: zero"]


def test_float32_masters_become_the_weights_of_a_float32_run(tmp_path, eight):
    checkpoint = read_checkpoint(eight)
    weights = checkpoint.arrays["model.pdparams"]
    name = "head.cls.1.weight"
    optimizer = {**checkpoint.arrays["model.pdopt"], f"{name}/master_weight": weights[name]}
    half = {**weights, name: weights[name].astype(np.float16)}
    folder = save_checkpoint(
        tmp_path / "o2", Checkpoint(checkpoint.facts, {"model.pdparams": half, "model.pdopt": optimizer})
    )
    seen, _ = resumed(tmp_path / "run", folder)
    np.testing.assert_array_equal(seen["weights"][name], weights[name])
