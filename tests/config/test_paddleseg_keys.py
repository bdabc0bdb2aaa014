"""Every top-level key of PaddleSeg, and those of its sections: accepted, accepted and told, or explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleisa.cli.main import COMMANDS, ELSEWHERE
from paddleisa.config import load_config, read_config
from paddleisa.config.checker import check
from paddleisa.errors import ConfigError

DEMO = "isanet_resnet18_os8_scenes_128x128_200"
ACCEPTED = [
    "batch_size=2",
    "iters=9",
    "test_config={aug_eval: true, scales: [0.75, 1.0], flip_horizontal: true, flip_vertical: false}",
    "test_config={is_slide: true, crop_size: [64, 64], stride: [32, 32]}",
    "test_config.auc_roc=false",
    "test_config.auc_roc=true",
    "test_config.use_multilabel=false",
    "export={transforms: [{type: Normalize}]}",
    "loss={types: [{type: CrossEntropyLoss}], coef: [1, 0.4]}",
    "optimizer={type: SGD, momentum: 0.9, weight_decay: 4.0e-5}",
    "lr_scheduler={type: PolynomialDecay, learning_rate: 0.01, end_lr: 0, power: 0.9}",
]
TOLD = [  # accepted, with a warning that they change nothing
    "to_static_training=true",
    "uniform_output_enabled=true",
    "print_mem_info=true",
    "log_ranks='0,1'",
    "log_ranks=0",
    "pdx_model_name=ISANet",
    "hpi_config_path=hpi.yml",
]
EXPLAINED = {
    "test_config.use_multilabel=true": "classes exclude each other here",
    "use_multilabel=true": "Remove it: classes exclude each other",
    "distill_loss={types: [], coef: []}": "no teacher stands beside the model",
    "save_dir=output": "It is an option of the command: paddleisa train --save_dir",
    "do_eval=true": "It is an option of the command: paddleisa train --do_eval",
    "use_ema=true": "The key is ema",
    "early_stop_intervals=3": "The key is early_stop",
    "data_format=NHWC": "networks are NCHW",
    "test_dataset={}": "the config has no key 'test_dataset'. Did you mean",
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("opt", ACCEPTED)
def test_keys_with_a_meaning_are_accepted_without_a_word(opt):
    opts = [opt] if opt.startswith(("iters", "batch")) or "." not in opt.partition("=")[0] else ["test_config={}", opt]
    load_config(DEMO, opts=opts)


@pytest.mark.parametrize("opt", TOLD)
def test_keys_without_an_effect_are_accepted_and_told(opt):
    key = opt.partition("=")[0]
    (told,) = check(read_config(DEMO, opts=[opt]), "train").warnings
    assert told.startswith(f"--opts {opt}: {key}: changes nothing here: ")


def test_keys_without_an_effect_are_not_written_out_as_defaults():
    dumped = check(read_config(DEMO), "train", defaults=True).dump()
    assert not [opt for opt in TOLD if opt.partition("=")[0] in dumped]


@pytest.mark.parametrize("opt", EXPLAINED)
def test_keys_that_have_no_place_here_are_refused_with_what_to_write_instead(opt):
    opts = ["test_config={}", opt] if opt.startswith("test_config") else [opt]
    with pytest.raises(ConfigError) as caught:
        check(read_config(DEMO, opts=opts))
    (problem,) = caught.value.problems
    assert EXPLAINED[opt] in str(problem)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("{type: ISAHead, isa_channels: 32}", "isa_channels is 24 in the model and 32 in its head (head.yml:5)"),
        ("{type: FCNHead}", "FCNHead has no option 'isa_channels'. Remove isa_channels from the model"),
    ],
)
def test_a_flat_key_that_contradicts_the_head_is_told_at_check_with_its_line(head, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("head.yml").write_text(f"_base_: {DEMO}\nmodel:\n  isa_channels: 24\n  down_factor: null\n  head: {head}\n")
    with pytest.raises(ConfigError) as caught:
        load_config("head.yml")
    assert f"head.yml:3: model.isa_channels: {told}" in str(caught.value)


# PaddleSeg's command options that are ours too, by command; those that it has for other models are not here.
OPTIONS = {
    "train": "config device save_dir num_workers do_eval use_vdl use_ema resume_model iters batch_size learning_rate "
    "save_interval log_iters keep_checkpoint_max seed precision amp_level repeats profiler_options to_static_training "
    "early_stop_intervals opts",
    "val": "config model_path num_workers device aug_eval scales flip_horizontal flip_vertical is_slide crop_size "
    "stride opts",
    "predict": "config model_path image_path save_dir device device_id aug_pred custom_color scales flip_horizontal "
    "flip_vertical is_slide crop_size stride opts",
    "export": "config model_path save_dir input_shape output_op opts",
}


@pytest.mark.parametrize("option", ELSEWHERE)
@pytest.mark.parametrize("command", ["val", "predict"])
def test_other_options_of_paddlesegs_tools_are_refused_with_what_to_write_instead(command, option, call):
    answer = call(command, "--config", "x", option, "1")
    assert answer.code == 2
    assert f"unrecognized arguments: {option} 1. {ELSEWHERE[option]}" in answer.err


@pytest.mark.parametrize(("command", "option"), [(c, o) for c, words in OPTIONS.items() for o in words.split()])
def test_options_of_paddlesegs_tools_exist(command, option, call):
    assert command in COMMANDS
    assert f"--{option}" in call(command, "--help").out
