"""``zoo convert``: formats into each other, and mmsegmentation's ISANet by a list of names that was written by hand."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from paddleisa.cli import main as cli
from paddleisa.errors import UsageError, WeightsError
from paddleisa.weights import read_weights, save_weights
from paddleisa.zoo.convert import convert, rename
from paddleisa.zoo.lineages import MMSEG

# One name of each kind, with ours, as the two projects' documents have them.
PAIRS = {
    "backbone.stem.0.weight": "backbone.conv1_1._conv.weight",
    "backbone.stem.4.bias": "backbone.conv1_2._batch_norm.bias",
    "backbone.stem.7.running_var": "backbone.conv1_3._batch_norm._variance",
    "backbone.layer1.0.downsample.0.weight": "backbone.bb_0_0.short._conv.weight",
    "backbone.layer2.0.downsample.1.running_mean": "backbone.bb_1_0.short._batch_norm._mean",
    "backbone.layer3.5.conv2.weight": "backbone.bb_2_5.conv1._conv.weight",
    "backbone.layer4.2.bn3.weight": "backbone.bb_3_2.conv2._batch_norm.weight",
    "decode_head.in_conv.conv.weight": "head.in_conv._conv.weight",
    "decode_head.global_relation.key_project.1.bn.running_mean": "head.global_relation.key_project.1._batch_norm._mean",
    "decode_head.local_relation.query_project.0.conv.weight": "head.local_relation.query_project.0._conv.weight",
    "decode_head.local_relation.value_project.bias": "head.local_relation.value_project.bias",
    "decode_head.global_relation.output_project.bn.bias": "head.global_relation.output_project._batch_norm.bias",
    "decode_head.out_conv.conv.weight": "head.out_conv._conv.weight",
    "decode_head.conv_seg.weight": "head.cls.1.weight",
    "auxiliary_head.convs.0.bn.running_var": "head.aux.0._batch_norm._variance",
    "auxiliary_head.conv_seg.bias": "head.aux.2.bias",
}
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def mmseg_names(depth: int) -> list[str]:
    """All names of such a checkpoint, in plain loops."""
    names, units = [], []
    for first in (0, 3, 6):
        units.append((f"backbone.stem.{first}", f"backbone.stem.{first + 1}"))
    for stage, count in enumerate(BLOCKS[depth], 1):
        for block in range(count):
            at = f"backbone.layer{stage}.{block}"
            units += [(f"{at}.conv{k}", f"{at}.bn{k}") for k in (1, 2, 3)]
            if block == 0:
                units.append((f"{at}.downsample.0", f"{at}.downsample.1"))
    modules = ["decode_head.in_conv", "decode_head.out_conv", "auxiliary_head.convs.0"]
    for relation in ("decode_head.global_relation", "decode_head.local_relation"):
        modules += [f"{relation}.{kind}_project.{k}" for kind in ("key", "query") for k in (0, 1)]
        modules.append(f"{relation}.output_project")
        names += [f"{relation}.value_project.weight", f"{relation}.value_project.bias"]
    units += [(f"{module}.conv", f"{module}.bn") for module in modules]
    for conv, norm in units:
        names += [f"{conv}.weight", *(f"{norm}.{kind}" for kind in NORM)]
    return [*names, *(f"{head}.conv_seg.{kind}" for head in ("decode_head", "auxiliary_head") for kind in NORM[:2])]


def mmseg_state(depth: int = 50) -> dict[str, np.ndarray]:
    return {name: np.full((5,), i, np.float32) for i, name in enumerate(mmseg_names(depth))}


@pytest.mark.parametrize("depth, tensors", [(50, 348), (101, 603)])
def test_every_tensor_gets_another_name_of_ours_and_keeps_its_values(depth, tensors, manifest):
    state = mmseg_state(depth)
    renamed, facts = rename(state, MMSEG)
    assert len(renamed) == tensors and facts["backbone"] == f"ResNet{depth}_v1c" and facts["num_classes"] == 5
    assert sorted(a[0] for a in renamed.values()) == sorted(
        a[0] for name, a in state.items() if "num_batches" not in name
    )
    for theirs, ours in PAIRS.items():
        np.testing.assert_array_equal(renamed[ours], state[theirs])
    # The original's ISANet has the same tensors: its backbone differs in arithmetic only.
    row = f"isanet_resnet{depth}_os8_cityscapes_769x769_80k"
    assert renamed.keys() == {name for name, _, _ in manifest[row]["state"]}


def test_data_parallel_and_a_wrapped_value_projection_make_no_difference():
    state = mmseg_state()
    other = {f"module.{name.replace('value_project.', 'value_project.conv.')}": array for name, array in state.items()}
    assert rename(other, MMSEG)[0].keys() == rename(state, MMSEG)[0].keys()


def test_the_auxiliary_head_may_be_missing_as_a_whole():
    state = {name: array for name, array in mmseg_state().items() if not name.startswith("auxiliary_head")}
    renamed, facts = rename(state, MMSEG)
    assert facts["auxiliary_head"] is False and not any("aux" in name for name in renamed)


@pytest.mark.parametrize("name", ["backbone.stem.4.bias", "decode_head.conv_seg.bias", "auxiliary_head.conv_seg.bias"])
def test_a_missing_tensor_is_named(name):
    state = mmseg_state()
    del state[name]
    with pytest.raises(WeightsError, match=f"1 missing: {name}"):
        rename(state, MMSEG)


def test_an_unexpected_tensor_is_named():
    with pytest.raises(WeightsError, match=r"1 unexpected: decode_head\.extra\.weight"):
        rename({**mmseg_state(), "decode_head.extra.weight": np.ones(1)}, MMSEG)


@pytest.mark.parametrize("blocks", [4, 7])
def test_another_backbone_is_named(blocks):
    state = {name: a for name, a in mmseg_state().items() if not name.startswith("backbone.layer3.")}
    state.update({f"backbone.layer3.{i}.conv1.weight": np.ones(1) for i in range(blocks)})
    with pytest.raises(WeightsError, match=f"{blocks} blocks in its third stage"):
        rename(state, MMSEG)


def test_a_model_of_something_else_is_refused():
    with pytest.raises(WeightsError, match="does not hold mmsegmentation's names, but fc.weight"):
        rename({"fc.weight": np.ones(3)}, MMSEG)


@pytest.fixture
def pdparams(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(3, dtype=np.int64)}
    return save_weights(arrays, tmp_path / "model.pdparams"), arrays


def test_pdparams_to_safetensors_and_back_changes_nothing(pdparams, tmp_path):
    path, arrays = pdparams
    convert(path, tmp_path / "m.safetensors")
    done = convert(tmp_path / "m.safetensors", tmp_path / "again.pdparams")
    assert (done.names, done.tensors, done.elements) == ("paddleisa", 2, 9)
    for name, array in read_weights(tmp_path / "again.pdparams").items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype
    assert pickle.loads((tmp_path / "again.pdparams").read_bytes()).keys() == arrays.keys()


def test_a_safetensors_with_mmsegmentations_names_is_recognised(tmp_path):
    save_weights(mmseg_state(), tmp_path / "theirs.safetensors")
    done = convert(tmp_path / "theirs.safetensors", tmp_path / "ours.pdparams")
    assert done.names == "mmsegmentation" and len(done.dropped) == 68
    assert "head.cls.1.weight" in read_weights(tmp_path / "ours.pdparams")


def test_a_file_that_is_there_is_kept_unless_forced(pdparams, tmp_path):
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"out.safetensors: exists already.*--force"):
        convert(pdparams[0], target)
    assert target.read_bytes() == b"mine"
    convert(pdparams[0], target, force=True)
    assert read_weights(target).keys() == pdparams[1].keys()


def test_a_file_cannot_be_converted_into_itself(pdparams):
    with pytest.raises(UsageError, match="the same file"):
        convert(pdparams[0], pdparams[0], force=True)


def test_a_failed_conversion_leaves_nothing(tmp_path):
    (tmp_path / "in.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(WeightsError, match=r"in\.pth: "):
        convert(tmp_path / "in.pth", tmp_path / "out.pdparams")
    assert [path.name for path in tmp_path.iterdir()] == ["in.pth"]


def test_the_command_converts_reports_and_refuses(pdparams, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["zoo", "convert", "model.pdparams", "m.safetensors", "--json", "report.json"]) == 0
    assert "m.safetensors: 2 tensors, 9 numbers, from model.pdparams" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["tensors"] == 2 and len(report["target_sha256"]) == 64
    assert cli.main(["zoo", "convert", "model.pdparams", "m.safetensors"]) == 2
    assert cli.main(["zoo", "convert", "model.pdparams", "m.onnx"]) == 2
    assert cli.main(["zoo", "convert", "model.pdparams"]) == 2
    assert cli.main(["zoo", "convert", "model.pdparams", "n.pdparams", "--from", "mmseg"]) == 2
    messages = capsys.readouterr().err
    for words in ("exists already", "the suffix", "say where to write", "does not hold mmsegmentation's names"):
        assert words in messages


def test_a_model_of_the_catalogue_that_is_not_here_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["zoo", "convert", "isanet_r50-d8_512x1024_40k_cityscapes"]) == 2
    assert "isanet_r50-d8_512x1024_40k_cityscapes" in capsys.readouterr().err
