"""Every operation of a training on the disk fails once: the last good state stays, and the next run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faults import CODES, fails, in_fresh_process, killed, points
from test_train import EMA, everything, run

from paddleisa.training.checkpoint import checkpoints, read_checkpoint
from paddleisa.utils.files import WriteError
from paddleisa.weights import read_weights


def training(folder: Path) -> None:
    """Four iterations with everything that a training writes: two checkpoints, of which one is kept."""
    run(
        folder / "run",
        EMA,
        "iters=4",
        do_eval=True,
        use_vdl=True,
        save_interval=2,
        keep_checkpoint_max=1,
        log_iters=2,
        resume="auto",
    )


def outcome(folder: Path) -> dict[str, object]:
    """Everything that a finished training leaves, but for times, and the logs of a run that reached no checkpoint."""
    arrays, facts = everything(folder / "run/iter_4")
    lines = [json.loads(line) for line in (folder / "run/log.jsonl").read_text().splitlines()]
    return {
        "files": sorted(p.name for p in (folder / "run").iterdir() if ".1" not in p.name),
        "best": {name: a.tobytes() for name, a in read_weights(folder / "run/best_model/model.pdparams").items()},
        "score": (folder / "run/best_model/score.json").read_text(),
        "losses": [(line["iteration"], line["loss"]) for line in lines if line["kind"] == "train"],
        "arrays": {name: array.tobytes() for name, array in arrays.items()},
        "facts": facts,
    }


def whole_checkpoints(folder: Path) -> list[str]:
    """Names of the checkpoints; every one that is there must read whole."""
    for path in checkpoints(folder / "run"):
        read_checkpoint(path)
    return [path.name for path in checkpoints(folder / "run")]


def first_save(operations: list[str]) -> int:
    """Number of the operation after which the first checkpoint is there."""
    return operations.index("rename iter_2")


def error_everywhere(folder: Path, step: int) -> None:
    """Every ``step``-th operation fails once, each with every code in turn."""
    operations, expected = points(training, folder / "dry"), outcome(folder / "dry")
    for number, index in enumerate(range(0, len(operations), step)):
        for code in CODES if step == 1 else (CODES[number % len(CODES)],):
            place, what = folder / f"{index}-{code}", f"{operations[index]} fails with {code}"
            error = fails(training, place, index, code)
            assert isinstance(error, WriteError), what
            assert whole_checkpoints(place) or index <= first_save(operations), what
            training(place)
            assert outcome(place) == expected, what


def kill_everywhere(folder: str, step: int, expected: str) -> None:
    """The process is killed before every ``step``-th operation. Runs in a process that has not computed."""
    operations = json.loads(Path(expected).read_text())
    for index in range(0, len(operations), step):
        place = Path(folder) / f"{index}"
        assert killed(training, place, index), operations[index]
        assert whole_checkpoints(place) or index <= first_save(operations), operations[index]
        assert not killed(training, place, -1), "the next run did not go on"


@pytest.mark.parametrize("step", [pytest.param(23, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)])
def test_whichever_operation_fails_the_last_checkpoint_is_there_and_the_next_run_ends_the_same(tmp_path, step):
    error_everywhere(tmp_path, step)


@pytest.mark.parametrize("step", [pytest.param(45, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)])
def test_wherever_it_is_killed_the_last_checkpoint_is_there_and_the_next_run_ends_the_same(tmp_path, step):
    operations, expected = points(training, tmp_path / "dry"), outcome(tmp_path / "dry")
    (tmp_path / "operations.json").write_text(json.dumps(operations))
    in_fresh_process("test_faults", "kill_everywhere", str(tmp_path), step, str(tmp_path / "operations.json"))
    for index in range(0, len(operations), step):
        assert outcome(tmp_path / str(index)) == expected, operations[index]


def test_the_points_hold_every_kind_of_operation(tmp_path):
    assert {point.split()[0] for point in points(training, tmp_path)} == {
        "lock",
        "make",
        "write",
        "sync",
        "rename",
        "remove",
    }
