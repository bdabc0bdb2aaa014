"""What the run log writes, read back by its three kinds of readers."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from paddleisa.evaluation.evaluate import Evaluation
from paddleisa.evaluation.metrics import ConfusionMatrix
from paddleisa.training.logging import RunLog, open_run_log
from paddleisa.zoo.train_log import read_train_log

RUN = "visualdl/vdlrecords.paddleisa.log"
PADDLESEG_LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[INFO\]\t\[TRAIN\] epoch: \d+, iter: \d+/\d+, loss: \d+\.\d{4}, "
    r"lr: \d+\.\d{6}, batch_cost: \d+\.\d{4}, reader_cost: \d+\.\d{5}, ips: \d+\.\d{4} samples/sec "
    r"\| ETA \d\d:\d\d:\d\d$"
)


def open_log(folder, **options):
    return open_run_log(folder, **{"iters": 100, "batch_size": 8, "use_vdl": True, "log_iters": 10, **options})


def step(log, iteration, main=1.5, aux=0.25, **other):
    values = {"lr": 0.01, "batch_cost": 2.0, "reader_cost": 0.5, "memory_mb": 300.0, **other}
    log.step(iteration, 1 + iteration // 50, {"main": main, "aux": aux}, **values)


def scored():
    matrix = ConfusionMatrix(3, 255)
    matrix.add(np.array([[0, 0, 1, 2]]), np.array([[0, 1, 1, 2]], np.uint8))
    return Evaluation(matrix, matrix.scores(), images=1, of=1, seconds=0.5)


def curve(folder, tag):
    """[(step, value)] as VisualDL reads it."""
    from visualdl import LogReader

    return [(p.id, p.value) for p in LogReader(file_path=str(folder / RUN)).get_data("scalar", tag)]


def objects(folder, kind):
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == kind]


def test_a_logged_step_is_the_average_since_the_last_logged_one(tmp_path):
    with open_log(tmp_path, log_iters=4) as log:
        for i in range(1, 9):
            step(log, i, main=float(i), aux=0.5, batch_cost=i / 4)
    assert curve(tmp_path, "Train/loss_main") == [(4, 2.5), (8, 6.5)]
    assert curve(tmp_path, "Train/loss_aux") == [(4, 0.5), (8, 0.5)]
    assert curve(tmp_path, "Train/loss") == [(4, 3.0), (8, 7.0)]
    assert curve(tmp_path, "Train/batch_cost") == [(4, 0.625), (8, 1.625)]
    assert curve(tmp_path, "Train/ips") == [(4, pytest.approx(8 / 0.625)), (8, pytest.approx(8 / 1.625))]


@pytest.mark.parametrize("last", [23, 100])
def test_the_last_step_and_a_stop_between_two_logged_steps_are_written(tmp_path, last):
    with open_log(tmp_path, log_iters=40) as log:
        for i in range(1, last + 1):
            step(log, i)
    assert [i for i, _ in curve(tmp_path, "Train/loss")] == [i for i in (40, 80) if i < last] + [last]


def test_the_scalars_of_a_step_carry_paddlesegs_tags(tmp_path):
    with open_log(tmp_path) as log:
        step(log, 100)
    expected = {"loss": 1.75, "loss_main": 1.5, "loss_aux": 0.25, "lr": np.float32(0.01), "ips": 4.0}
    expected |= {"batch_cost": 2.0, "reader_cost": 0.5, "memory_mb": 300.0}
    for name, value in expected.items():
        assert curve(tmp_path, f"Train/{name}") == [(100, value)], name


def test_unknown_memory_leaves_no_curve(tmp_path):
    with open_log(tmp_path) as log:
        step(log, 10, memory_mb=None)
    from visualdl import LogReader

    assert "Train/memory_mb" not in LogReader(file_path=str(tmp_path / RUN)).get_tags()["scalar"]


def test_console_and_train_log_have_paddlesegs_line(tmp_path, capsys):
    with open_log(tmp_path) as log:
        for i in range(1, 11):
            step(log, i)
    line = (tmp_path / "train.log").read_text().splitlines()[0]
    assert PADDLESEG_LINE.match(line)
    assert "iter: 10/100, loss: 1.7500, lr: 0.010000, batch_cost: 2.0000, reader_cost: 0.50000" in line
    assert line.endswith("ips: 4.0000 samples/sec | ETA 00:03:00")  # 90 steps of 2 s
    assert capsys.readouterr().out.splitlines()[-1] == line


def shown(capsys):
    """Lines of the console that are not in train.log."""
    return [line for line in capsys.readouterr().out.splitlines() if "[INFO]" not in line]


def test_slow_steps_give_a_sign_of_life_after_the_first_and_after_every_quiet_minute(tmp_path, capsys):
    with open_log(tmp_path, log_iters=50, use_vdl=False) as log:
        for i in range(1, 11):
            step(log, i, batch_cost=25.0)
    assert shown(capsys) == [
        "iter: 1/100, 25.0 s an iteration | ETA 00:41:15",
        *(f"iter: {i}/100, 25.0 s an iteration | ETA 00:{minutes}" for i, minutes in [(4, "40:00"), (7, "38:45")]),
        "iter: 10/100, 25.0 s an iteration | ETA 00:37:30",
    ]
    assert "an iteration" not in (tmp_path / "train.log").read_text()


def test_quick_steps_show_the_logged_lines_only(tmp_path, capsys):
    with open_log(tmp_path, use_vdl=False) as log:
        for i in range(1, 31):
            step(log, i, batch_cost=0.1)
    assert shown(capsys) == []


def test_a_log_without_sinks_takes_what_a_log_takes_and_refuses_the_rest(tmp_path):
    with RunLog() as log:
        step(log, 1)
        log.message("one")
        log.hparams({})
        log.evaluation(1, scored(), ["a", "b", "c"])
        log.images(1, {})
        log.sync()
        with pytest.raises(AttributeError):
            log.mesage("two")


def test_hours_of_the_time_left_go_beyond_a_day(tmp_path):
    with open_log(tmp_path, iters=80000) as log:
        step(log, 10, batch_cost=2.0)
    assert (tmp_path / "train.log").read_text().rstrip().endswith("ETA 44:26:20")


def test_the_zoo_reads_our_train_log(tmp_path):
    with open_log(tmp_path) as log:
        log.message("total batch: 8")
        for i in range(1, 21):
            step(log, i)
        log.evaluation(20, scored(), ["road", "car", "sky"])
    points = {(p.tag, p.step): p.value for p in read_train_log(tmp_path / "train.log")}
    miou = (1 / 2 + 1 / 2 + 1) / 3
    assert points[("Train/loss", 10)] == points[("Train/loss", 20)] == 1.75
    assert points[("Train/lr", 20)] == 0.01
    assert points[("Train/reader_cost", 20)] == 0.5
    assert points[("Evaluate/mIoU", 20)] == pytest.approx(miou, abs=1e-4)
    assert points[("Evaluate/Acc", 20)] == 0.75


def test_an_evaluation_reaches_visualdl_and_json(tmp_path):
    with open_log(tmp_path) as log:
        log.evaluation(40, scored(), ["road", "car", "sky"])
    assert curve(tmp_path, "Evaluate/mIoU") == [(40, pytest.approx(2 / 3))]
    assert curve(tmp_path, "Evaluate/Acc") == [(40, 0.75)]
    assert curve(tmp_path, "Evaluate/Dice") == [(40, pytest.approx((2 / 3 + 2 / 3 + 1) / 3))]
    assert curve(tmp_path, "Evaluate/Kappa") == [(40, pytest.approx((0.75 - 5 / 16) / (11 / 16)))]
    assert [curve(tmp_path, f"Evaluate/IoU/{name}") for name in ("road", "car", "sky")] == [
        [(40, 0.5)],
        [(40, 0.5)],
        [(40, 1.0)],
    ]
    (record,) = objects(tmp_path, "eval")
    assert (record["iteration"], record["class_names"]) == (40, ["road", "car", "sky"])
    assert record["class_iou"] == [0.5, 0.5, 1.0]


def test_class_names_that_visualdl_cannot_hold_get_tags_of_their_own(tmp_path):
    with open_log(tmp_path) as log:
        log.evaluation(40, scored(), ["50% grass", "wall/fence", "wall_fence"])
    assert curve(tmp_path, "Evaluate/IoU/50pct grass") == [(40, 0.5)]
    assert curve(tmp_path, "Evaluate/IoU/wall_fence") == [(40, 0.5)]
    assert curve(tmp_path, "Evaluate/IoU/wall_fence (2)") == [(40, 1.0)]


def test_images_come_back_as_they_were_and_the_array_is_untouched(tmp_path):
    from visualdl import LogReader

    image = np.random.default_rng(0).integers(0, 2, (20, 30, 3), np.uint8)  # 0 and 1: VisualDL would scale it by 255
    before = image.copy()
    with open_log(tmp_path) as log:
        log.images(40, {"0 truth/prediction": image})
    (record,) = LogReader(file_path=str(tmp_path / RUN)).get_data("image", "Predictions/0 truth_prediction")
    stored = cv2.imdecode(np.frombuffer(record.image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert record.id == 40
    np.testing.assert_array_equal(stored[..., ::-1], before)
    np.testing.assert_array_equal(image, before)


def test_a_large_image_is_shrunk_in_proportion(tmp_path):
    from visualdl import LogReader

    with open_log(tmp_path) as log:
        log.images(40, {"wide": np.zeros((1024, 6144, 3), np.uint8)})
    (record,) = LogReader(file_path=str(tmp_path / RUN)).get_data("image", "Predictions/wide")
    stored = cv2.imdecode(np.frombuffer(record.image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert stored.shape == (256, 1536, 3)


def test_hparams_of_every_type_reach_visualdl(tmp_path):
    from visualdl import LogReader

    values = {"lr": 0.5, "flip": True, "none": None, "size": (769, 769), "seed": 2**70, "np": np.int64(3)}
    with open_log(tmp_path) as log:
        log.hparams({**values, "model": {"type": "ISANet", "channels": 256}}, ["Evaluate/mIoU"])
    (record,) = LogReader(file_path=str(tmp_path / RUN)).get_data("hyper_parameters", "hparam")
    found = {info.name: getattr(info, info.WhichOneof("type")) for info in record.hparam.hparamInfos}
    assert found == {
        "lr": 0.5,
        "flip": "True",
        "none": "None",
        "size": "[769, 769]",
        "seed": str(2**70),
        "np": 3,
        "model.type": "ISANet",
        "model.channels": 256,
    }
    assert [info.name for info in record.hparam.metricInfos] == ["Evaluate/mIoU"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_logged_everywhere(tmp_path, value):
    with open_log(tmp_path, log_iters=1) as log:
        step(log, 1, main=value)
        step(log, 2)
    assert str(curve(tmp_path, "Train/loss")) == str([(1, value), (2, 1.75)])
    assert [record["loss"] for record in objects(tmp_path, "train")] == [None, 1.75]
    assert f"loss: {value}," in (tmp_path / "train.log").read_text()
    assert [(p.step, p.value) for p in read_train_log(tmp_path / "train.log") if p.tag == "Train/loss"] == [(2, 1.75)]


def test_without_use_vdl_visualdl_is_neither_imported_nor_written(tmp_path):
    program = (
        "import sys\nfrom paddleisa.training.logging import open_run_log\n"
        f"with open_run_log({str(tmp_path)!r}, iters=1, batch_size=1, use_vdl=False) as log:\n"
        "    log.hparams({'a': 1}); log.step(1, 1, {'main': 1.0}, 0.1, 1.0, 0.0); log.images(1, {})\n"
        "print('visualdl' in sys.modules, 'paddle' in sys.modules, 'cv2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False False"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "train.log"]


def test_a_fresh_run_moves_earlier_logs_aside(tmp_path):
    for i in range(3):
        with open_log(tmp_path, log_iters=1) as log:
            step(log, 1, main=float(i))
    assert curve(tmp_path, "Train/loss_main") == [(1, 2.0)]
    names = {"train.log", "train.1.log", "train.2.log", "log.jsonl", "log.1.jsonl", "log.2.jsonl"}
    assert {path.name for path in tmp_path.iterdir()} == names | {"visualdl", "visualdl.1", "visualdl.2"}
    assert (tmp_path / "train.1.log").read_text().count("loss: 0.25") == 1


def test_a_closed_terminal_does_not_end_the_log(tmp_path):
    program = (
        "import os\nfrom paddleisa.training.logging import open_run_log\n"
        f"log = open_run_log({str(tmp_path)!r}, iters=9, batch_size=1)\n"
        "log.message('one')\nread, write = os.pipe()\nos.dup2(write, 1); os.close(read)\n"
        "log.message('two'); log.message('three'); log.close()\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.split("\t")[1] for line in lines] == ["one", "two", "three"]


def test_closing_twice_does_nothing(tmp_path):
    log = open_log(tmp_path)
    log.close()
    log.close()
