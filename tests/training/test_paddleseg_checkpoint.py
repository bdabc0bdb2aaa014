"""PaddleSeg's checkpoint folders, as its tools write them: a training resumes from one, or starts from one."""

import numpy as np
import paddle
import pytest
from test_train import TINY, run

from paddleisa.build import build_model, build_optimizer
from paddleisa.config import load_config
from paddleisa.errors import CheckpointError
from paddleisa.training.checkpoint import Checkpoint, read_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """``iter_5`` after five steps on random images, saved by paddle.save; the arrays that it must hold."""
    config = load_config(TINY)
    paddle.nn.Linear(1, 1)  # so that Paddle numbers the parameters otherwise than in a process of its own
    model = build_model(config)
    optimizer, schedule = build_optimizer(config)
    rate = schedule.scheduler(12)
    optimizer = optimizer.create(model, rate)
    model.train()
    for _ in range(5):
        sum(output.mean() for output in model(paddle.rand([2, 3, 32, 32]))).backward()
        optimizer.step()
        optimizer.clear_grad()
        rate.step()
    folder = tmp_path_factory.mktemp("paddleseg") / "iter_5"
    paddle.save(model.state_dict(), str(folder / "model.pdparams"))
    paddle.save(optimizer.state_dict(), str(folder / "model.pdopt"))
    state = optimizer.state_dict()
    velocity = {
        name: state[f"{p.name}_velocity_0"].numpy() for name, p in model.named_parameters() if not p.stop_gradient
    }
    return folder, {name: tensor.numpy() for name, tensor in model.state_dict().items()}, velocity


def test_a_training_goes_on_from_it_with_its_weights_and_momentum(tmp_path, theirs):
    folder, weights, velocity = theirs
    arrays = {"model.pdparams": weights, "model.pdopt": {f"{name}/velocity_0": v for name, v in velocity.items()}}
    ours = save_checkpoint(tmp_path / "ours", Checkpoint({"iteration": 5}, arrays))
    for name, start in (("from_theirs", folder), ("from_ours", ours)):
        run(tmp_path / name, "iters=6", resume=str(start))
    found, expected = (read_checkpoint(tmp_path / name / "iter_6") for name in ("from_theirs", "from_ours"))
    for file, state in expected.arrays.items():
        assert found.arrays[file].keys() == state.keys()
        assert all(np.array_equal(found.arrays[file][key], value) for key, value in state.items())


def test_a_training_goes_on_at_its_iteration_with_that_ones_rate(tmp_path, theirs):
    seen = []
    run(tmp_path, resume=str(theirs[0]), hook=lambda state, _: seen.append((state.iteration, state.optimizer.get_lr())))
    assert seen[0] == (6, pytest.approx(0.05 * (1 - 5 / 12) ** 0.9))
    assert len(seen) == 7
    assert "it is PaddleSeg's" in (tmp_path / "train.log").read_text()


def test_the_iteration_comes_from_the_schedule_where_the_folder_does_not_name_it(tmp_path, theirs):
    (tmp_path / "last").mkdir()
    for file in theirs[0].iterdir():
        (tmp_path / "last" / file.name).write_bytes(file.read_bytes())
    assert read_checkpoint(tmp_path / "last").facts == {"iteration": 5}


def test_a_training_starts_from_the_folder(tmp_path, theirs):
    seen = []
    run(tmp_path, f"model.pretrained={theirs[0]}", "iters=1", hook=lambda state, _: seen.append(weight(state)))
    np.testing.assert_array_equal(seen[0], theirs[1]["head.cls.1.weight"])


def weight(state):
    return state.model.state_dict()["head.cls.1.weight"].numpy()


def test_a_best_model_without_an_optimizer_is_refused_with_what_to_do(tmp_path, theirs):
    (tmp_path / "best_model").mkdir()
    (tmp_path / "best_model/model.pdparams").write_bytes((theirs[0] / "model.pdparams").read_bytes())
    with pytest.raises(CheckpointError, match="no state of an optimizer.*model.pretrained="):
        read_checkpoint(tmp_path / "best_model")


@pytest.mark.parametrize("file", ["model.pdparams", "model.pdopt"])
def test_a_damaged_file_is_named(tmp_path, theirs, file):
    (tmp_path / "iter_5").mkdir()
    for source in theirs[0].iterdir():
        data = source.read_bytes()
        (tmp_path / "iter_5" / source.name).write_bytes(data[: len(data) // 2] if source.name == file else data)
    with pytest.raises(CheckpointError, match=file):
        read_checkpoint(tmp_path / "iter_5")


def test_a_checkpoint_of_another_network_is_refused(tmp_path, theirs):
    with pytest.raises(CheckpointError, match="of another network"):
        run(tmp_path, "model.isa_channels=16", resume=str(theirs[0]))
