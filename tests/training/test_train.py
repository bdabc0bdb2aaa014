"""The loop: what it keeps, where it continues, how it stops."""

import json
import os
import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddleisa.config import check, load_config
from paddleisa.errors import CheckpointError, ConfigError, DataError, TrainingError, UsageError
from paddleisa.training.checkpoint import checkpoints, read_checkpoint
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import Trainer, train
from paddleisa.utils.files import WriteError
from paddleisa.weights import read_weights

TINY = Path(__file__).parent / "tiny" / "tiny.yml"
EMA = "ema={decay: 0.9}"


def run(folder, *opts, hook=None, **options):
    defaults = {"save_interval": 4, "progress": False, "keep_checkpoint_max": 0}
    return train(load_config(TINY, opts=opts), TrainOptions(save_dir=folder, **{**defaults, **options}), hook)


def everything(folder):
    """All arrays of a checkpoint, and its facts without what names the run."""
    checkpoint = read_checkpoint(folder)
    arrays = {f"{file}:{name}": a for file, state in checkpoint.arrays.items() for name, a in state.items()}
    return arrays, {k: v for k, v in checkpoint.facts.items() if k != "versions"}


def assert_same(one, other):
    (arrays, facts), (expected, expected_facts) = everything(one), everything(other)
    assert facts == expected_facts
    assert arrays.keys() == expected.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], expected[name], err_msg=name)


def stop_at(iteration, number=signal.SIGTERM):
    """A hook that sends this process a signal in the middle of one iteration."""

    def hook(state, _):
        if state.iteration == iteration:
            os.kill(os.getpid(), number)

    return hook


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(folder, EMA, do_eval=True)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    run(folder)
    return folder


@pytest.fixture
def finished(tmp_path, trained):
    """The folder of a finished run, a test's own copy."""
    return shutil.copytree(trained, tmp_path / "finished")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_ends_in_the_bits_of_the_uninterrupted_one(tmp_path, uninterrupted, workers):
    result = run(tmp_path, EMA, do_eval=True, num_workers=workers, hook=stop_at(7))
    assert (result.iteration, result.signal) == (7, signal.SIGTERM)
    paddle.seed(999)  # what another process would have there
    np.random.seed(999)
    run(tmp_path, EMA, do_eval=True, num_workers=workers, resume="auto")
    assert_same(tmp_path / "iter_12", uninterrupted / "iter_12")


def test_another_seed_gives_another_run(tmp_path, uninterrupted):
    run(tmp_path, EMA, "seed=1", do_eval=True)
    name = "model.pdparams:head.cls.1.weight"
    assert not np.array_equal(everything(tmp_path / "iter_12")[0][name], everything(uninterrupted / "iter_12")[0][name])


def test_checkpoints_fall_on_the_interval_and_at_the_end(tmp_path):
    run(tmp_path, save_interval=5)
    assert [p.name for p in checkpoints(tmp_path)] == ["iter_5", "iter_10", "iter_12"]


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    run(tmp_path, save_interval=3, keep_checkpoint_max=2)
    assert [p.name for p in checkpoints(tmp_path)] == ["iter_9", "iter_12"]


def test_the_best_model_is_the_one_of_the_best_evaluation(uninterrupted):
    score = json.loads((uninterrupted / "best_model/score.json").read_text())
    facts = read_checkpoint(uninterrupted / "iter_12").facts
    assert score == {
        "iteration": facts["best_iteration"],
        "miou": facts["best_miou"],
        "measured_with": "scale 1, no flip, whole images, protocol paddleseg-2023, engine paddle, fp32",
    }
    ema = read_checkpoint(uninterrupted / f"iter_{score['iteration']}").arrays["ema.pdparams"]
    best = read_weights(uninterrupted / "best_model/model.pdparams")
    assert all(np.array_equal(best[name], ema[name]) for name in best)


def test_resuming_with_another_config_says_what_differs(tmp_path, uninterrupted):
    with pytest.raises(CheckpointError, match=r"another setup: batch_size: 2 -> 3 \(--opts .*--force"):
        run(tmp_path, EMA, "batch_size=3", resume=str(uninterrupted / "iter_8"))


def test_force_resumes_all_the_same(tmp_path, uninterrupted):
    result = run(tmp_path, EMA, "iters=10", resume=str(uninterrupted / "iter_8"), force=True)
    assert result.iteration == 10


def test_a_new_run_does_not_touch_the_checkpoints_of_another(uninterrupted):
    before = everything(uninterrupted / "iter_12")[0]
    with pytest.raises(UsageError, match="--resume_model auto"):
        run(uninterrupted)
    assert before.keys() == everything(uninterrupted / "iter_12")[0].keys()


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "json"])
def test_auto_passes_over_a_damaged_checkpoint(finished, damage):
    file = finished / "iter_12" / ("checkpoint.json" if damage == "json" else "model.pdopt")
    data = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    else:
        data[len(data) // 2] ^= 1 if damage == "flip" else 0
        file.write_bytes(data[: len(data) // 2] if damage in ("cut", "json") else data)
    with pytest.raises(CheckpointError, match="iter_12"):
        read_checkpoint(finished / "iter_12")
    assert run(finished, resume="auto").iteration == 12
    read_checkpoint(finished / "iter_12")  # written again by the run that continued at 8


def test_auto_without_a_checkpoint_starts_at_the_beginning(tmp_path, uninterrupted):
    run(tmp_path, EMA, do_eval=True, resume="auto")
    assert_same(tmp_path / "iter_12", uninterrupted / "iter_12")


def test_a_non_finite_loss_stops_and_names_iteration_and_files(tmp_path):
    def poison(state, _):
        if state.iteration == 6:
            state.model.head.cls[1].bias.set_value(np.full(8, np.inf, np.float32))

    with pytest.raises(TrainingError, match=r"iteration 6: the loss is nan(.|\n)*scenes/train/0000\d\.png"):
        run(tmp_path, hook=poison)
    assert [p.name for p in checkpoints(tmp_path)] == ["iter_4"]
    assert all(np.isfinite(a).all() for a in everything(tmp_path / "iter_4")[0].values())


def test_a_checkpoint_is_never_written_with_weights_that_are_no_numbers(tmp_path):
    def poison(state, batch):
        if state.iteration == 6:  # an infinite pixel: batch norm's statistics become NaN, ReLU makes 0 of it
            batch.images[0, 0, 0, 0] = np.inf

    with pytest.raises(TrainingError, match=r"iteration 8: the values of .* are not finite"):
        run(tmp_path, hook=poison)
    assert [p.name for p in checkpoints(tmp_path)] == ["iter_4"]


def test_evaluations_that_get_no_better_stop_the_run_early(tmp_path):
    result = run(tmp_path, "early_stop=2", "lr_scheduler.learning_rate=1e-30", do_eval=True, save_interval=2)
    assert result.iteration < 12


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_bf16_on_a_cpu_is_float32_and_says_so(tmp_path, level):
    run(tmp_path / "bf16", "precision=bf16", f"amp_level={level}", "iters=4")
    run(tmp_path / "fp32", "iters=4")
    arrays, expected = everything(tmp_path / "bf16/iter_4")[0], everything(tmp_path / "fp32/iter_4")[0]
    assert all(np.array_equal(arrays[name], expected[name]) for name in expected)
    assert "bf16 is computed in float32" in (tmp_path / "bf16/train.log").read_text()


def test_a_full_disk_leaves_the_last_checkpoint_and_says_so(tmp_path):
    run(tmp_path, "iters=4")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, hard))  # a larger file fails as on a full disk
    try:
        with pytest.raises(WriteError, match="iter_8.*no space left"):
            run(tmp_path, resume="auto", force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.glob("*iter_*")] == ["iter_4"]
    read_checkpoint(tmp_path / "iter_4")


def test_fp16_is_refused_on_a_cpu(tmp_path):
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        run(tmp_path, "precision=fp16")


def test_too_few_images_for_a_batch_are_an_error_instead_of_an_endless_wait(tmp_path):
    with pytest.raises(ConfigError, match="9 images, fewer than the total batch of 10"):
        run(tmp_path, "batch_size=10")


def test_repeats_lengthen_the_epoch(tmp_path):
    run(tmp_path, "batch_size=10", "repeats=2", "iters=2")
    assert read_checkpoint(tmp_path / "iter_2").facts["epoch"] == 2


def test_images_of_different_sizes_are_named(tmp_path):
    with pytest.raises(DataError, match=r"different sizes: \d+x\d+, .*RandomPaddingCrop"):
        run(tmp_path, "train_dataset.transforms=[{type: ResizeStepScaling}, {type: Normalize}]")


def test_weights_to_start_from_are_loaded_and_the_backbones_are_then_not_asked_for(tmp_path, uninterrupted):
    weights = uninterrupted / "best_model/model.pdparams"
    opts = [f"model.pretrained={weights}", "model.backbone.pretrained=nowhere.pdparams"]
    trainer = Trainer(check(load_config(TINY, opts=opts), "train"), TrainOptions(save_dir=tmp_path))
    np.testing.assert_array_equal(
        trainer.state.model.state_dict()["head.cls.1.weight"].numpy(), read_weights(weights)["head.cls.1.weight"]
    )
    assert "model.pretrained" in trainer.origin[0]


def test_an_empty_ema_section_trains_with_the_average(tmp_path):
    trainer = Trainer(load_config(TINY, opts=["ema={}"]), TrainOptions(save_dir=tmp_path))
    assert trainer.state.ema.decay == 0.9998


def test_a_seed_of_null_is_the_default_seed(tmp_path):
    trainers = [Trainer(load_config(TINY, opts=opts), TrainOptions(save_dir=tmp_path)) for opts in ([], ["seed=null"])]
    assert trainers[0].plan.seed == trainers[1].plan.seed == 42


def test_a_run_stopped_off_the_interval_ends_with_the_folders_of_the_uninterrupted_one(tmp_path):
    run(tmp_path / "straight", save_interval=2, keep_checkpoint_max=2)
    for at in (3, 7, 9):
        run(tmp_path / "stopped", save_interval=2, keep_checkpoint_max=2, resume="auto", hook=stop_at(at))
    run(tmp_path / "stopped", save_interval=2, keep_checkpoint_max=2, resume="auto")
    folders = [sorted(p.name for p in checkpoints(tmp_path / name)) for name in ("straight", "stopped")]
    assert folders[0] == folders[1] == ["iter_10", "iter_12"]


def test_a_run_killed_between_saving_and_removing_ends_with_the_same_folders(finished):
    run(finished, save_interval=4, keep_checkpoint_max=1, resume="auto")  # nothing is left to train
    assert [p.name for p in checkpoints(finished)] == ["iter_12"]


def test_a_second_run_in_the_folder_is_refused_and_the_first_goes_on(tmp_path):
    def second(state, _):
        if state.iteration == 3:
            with pytest.raises(UsageError, match=rf"process {os.getpid()} on .* is training into this folder"):
                run(tmp_path, resume="auto")

    assert run(tmp_path, hook=second).iteration == 12


def test_a_label_that_is_no_class_is_told_with_the_files_of_its_batch(tmp_path):
    def spoil(state, batch):
        batch.labels[0, 3, 4] = 77

    with pytest.raises(DataError, match=r"one of .*, .*: labels hold the value 77, but the model's classes are 0 to"):
        run(tmp_path, hook=spoil)


def test_a_frozen_part_is_as_it_was_loaded_at_the_end_and_the_log_says_so(tmp_path):
    run(tmp_path, "optimizer.freeze=[backbone, head.aux]")
    (first, _), (last, _) = everything(tmp_path / "iter_4"), everything(tmp_path / "iter_12")
    weights = [name for name in first if name.startswith("model.pdparams:")]
    frozen = {name for name in weights if "pdparams:backbone." in name or "pdparams:head.aux." in name}
    assert not [name for name in frozen if not np.array_equal(first[name], last[name])]
    assert not np.array_equal(*(arrays["model.pdparams:head.cls.1.weight"] for arrays in (first, last)))
    assert "stay as loaded, running statistics of batch norm included" in (tmp_path / "train.log").read_text()
