"""PaddleSeg's training logs, in both spellings, become VisualDL runs with the same numbers."""

# ruff: noqa: E501  (the log's lines are as long as PaddleSeg writes them)

from __future__ import annotations

import pytest
from visualdl import LogReader

from paddleisa.errors import DataError
from paddleisa.zoo.train_log import read_train_log, write_run

NEW = """\
2021-03-30 06:55:50 [INFO]\t
------------Environment Information-------------
Python: 3.7.7
2021-03-30 06:55:57 [INFO]\t[TRAIN] epoch: 1, iter: 20/500, loss: 2.0859, lr: 0.009657, batch_cost: 0.5344, reader_cost: 0.07273, ips: 3.7425 samples/sec | ETA 00:04:16
2021-03-30 06:56:04 [INFO]\t[TRAIN] epoch: 1, iter: 40/500, loss: 1.8769, lr: 9.295e-03, batch_cost: 0.3483, reader_cost: 0.00205, ips: 5.7421 samples/sec | ETA 00:02:40
2021-03-30 06:56:05 [INFO]\tStart evaluating (total_samples: 500, total_iters: 500)...
2021-03-30 06:57:05 [INFO]\t[EVAL] #Images: 500 mIoU: 0.7903 Acc: 0.9612 Kappa: 0.9500 Dice: 0.8801
2021-03-30 06:57:05 [INFO]\t[EVAL] Class IoU:
[0.98 0.8  0.9 ]
2021-03-30 06:57:06 [INFO]\t[EVAL] The model with the best validation mIoU (0.7903) was saved at iter 40.
2021-03-30 06:57:11 [INFO]\t[TRAIN] epoch: 2, iter: 60/500, loss: nan, lr: 0.008931, batch_cost: 0.3532, reader_cost: 0.00204, ips: 5.6622 samples/sec | ETA 00:02:35
"""
OLD = """\
2021-01-19 07:02:41 [INFO]\t[TRAIN] epoch=1, iter=5/100, loss=2.8735, lr=0.009639, batch_cost=0.8913, reader_cost=0.2592 | ETA 00:01:24
2021-01-19 07:02:44 [INFO]\t[TRAIN] epoch=1, iter=10/100, loss=2.2584, lr=0.009186, batch_cost=0.6143, reader_cost=0.0000 | ETA 00:00:55
2021-01-19 07:02:50 [INFO]\t[EVAL] #Images=500 mIoU=0.7912 Acc=0.9613 Kappa=0.9501
2021-01-19 07:02:50 [INFO]\t[EVAL] Class IoU: \n[0.98 0.8 ]
"""


def curve(points, tag):
    return [(point.step, point.value) for point in points if point.tag == tag]


@pytest.fixture
def log(tmp_path):
    def write(text):
        (tmp_path / "train.log").write_text(text)
        return tmp_path / "train.log"

    return write


def test_todays_spelling_is_read(log):
    points = read_train_log(log(NEW))
    assert curve(points, "Train/loss") == [(20, 2.0859), (40, 1.8769)]  # the nan cannot be drawn
    assert curve(points, "Train/lr") == [(20, 0.009657), (40, 0.009295), (60, 0.008931)]
    assert curve(points, "Evaluate/mIoU") == [(40, 0.7903)]
    assert curve(points, "Evaluate/Acc") == [(40, 0.9612)]


def test_the_spelling_of_2020_is_read(log):
    points = read_train_log(log(OLD))
    assert curve(points, "Train/loss") == [(5, 2.8735), (10, 2.2584)]
    assert curve(points, "Evaluate/mIoU") == [(10, 0.7912)]


def test_what_a_resumed_training_repeats_replaces_what_it_repeats(log):
    again = OLD.splitlines()[1].replace("2.2584", "2.2000")
    points = read_train_log(log(OLD + again + "\n"))
    assert curve(points, "Train/loss") == [(5, 2.8735), (10, 2.2)]
    assert curve(points, "Evaluate/mIoU") == []


@pytest.mark.parametrize(
    "text", ["", "hello\n", "2021-01-19 07:02:50 [INFO]\t[EVAL] #Images=500 mIoU=0.7912 Acc=0.9\n"]
)
def test_a_file_without_training_lines_is_refused(log, text):
    with pytest.raises(DataError, match="no line of PaddleSeg's training log"):
        read_train_log(log(text))


def test_a_missing_file_and_binary_data_are_errors_in_words(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_train_log(tmp_path / "none.log")
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(DataError, match="no line"):
        read_train_log(tmp_path / "binary")


def test_visualdl_reads_back_every_number_and_time(log, tmp_path):
    run = write_run(read_train_log(log(NEW)), tmp_path / "run")
    reader = LogReader(file_path=str(run))
    for tag, values in {
        "Train/loss": {20: 2.0859, 40: 1.8769},
        "Train/lr": {20: 0.009657, 40: 0.009295, 60: 0.008931},
        "Evaluate/mIoU": {40: 0.7903},
        "Evaluate/Acc": {40: 0.9612},
    }.items():
        found = reader.get_data("scalar", tag)
        assert {record.id: record.value for record in found} == pytest.approx(values, rel=1e-6)
    first, second = reader.get_data("scalar", "Train/loss")
    assert second.timestamp - first.timestamp == 7000


def test_writing_a_run_again_replaces_it(log, tmp_path):
    points = read_train_log(log(OLD))
    write_run(points, tmp_path / "run")
    run = write_run(points, tmp_path / "run")
    assert len(LogReader(file_path=str(run)).get_data("scalar", "Train/loss")) == 2


def test_a_folder_that_holds_another_run_is_refused(log, tmp_path):
    (tmp_path / "vdlrecords.1.log").write_bytes(b"")
    with pytest.raises(DataError, match="holds another run"):
        write_run(read_train_log(log(OLD)), tmp_path)
