"""--opts and the plain flags."""

from __future__ import annotations

import pytest

from paddleisa.config import read_config
from paddleisa.errors import ConfigError

BASE = """
    iters: 10
    train:
      transforms:
        - {type: Scale, factor: 2}
        - {type: Crop, size: [4, 4]}
    lr_scheduler: {type: Poly, learning_rate: 0.01}
"""


@pytest.fixture
def load(write):
    path = write("a.yml", BASE)
    return lambda *opts, **options: read_config(path, opts, **options)


def test_a_value_is_yaml(load):
    config = load("iters=1e3", "a=[1, {b: no}]", "c='5'", "d=", "e=null")
    assert [config[key] for key in ("iters", "a", "c", "d", "e")] == [1000.0, [1, {"b": False}], "5", None, None]


def test_an_index_reaches_into_a_list(load):
    config = load("train.transforms.0.factor=0.5", "train.transforms.1.size.1=9")
    assert config["train"]["transforms"] == [{"type": "Scale", "factor": 0.5}, {"type": "Crop", "size": [4, 9]}]


def test_a_value_may_hold_equals_signs(load):
    assert load("url=http://x/?a=1&b=2")["url"] == "http://x/?a=1&b=2"


def test_the_later_option_wins(load):
    assert load("iters=1", "iters=2")["iters"] == 2


def test_the_origin_is_the_option_itself(load):
    assert load("train.transforms.0={type: Flip, prob: 1}").origin("train.transforms.0.prob") == (
        "--opts train.transforms.0={type: Flip, prob: 1}"
    )


@pytest.mark.parametrize(
    ("opt", "words"),
    [
        ("iters", "is not of the form key.path=value"),
        ("=3", "is not of the form"),
        ("train.transforms.2.x=1", "has 2 items, none at index 2. Use 0 to 1: 0 Scale, 1 Crop"),
        ("train.transforms.-1=1", "'-1' is not an index"),
        ("train.transforms.first=1", "'first' is not an index. 0 Scale, 1 Crop"),
        ("trian.mode=1", "the config has no 'trian'. Did you mean 'train'?"),
        ("test_config.a.b=1", "write --opts 'test_config={a: {b: VALUE}}'"),
        ("iters.a=1", "iters is 10: it has no 'a'. Its value stands at a.yml:2"),
        ("iters=[1", "is not YAML, column"),
        ("iters=!!python/name:os.system x", "is not allowed"),
    ],
)
def test_a_path_that_leads_nowhere_is_explained(load, opt, words):
    with pytest.raises(ConfigError) as caught:
        load(opt)
    assert str(caught.value).startswith(f"--opts {opt}")
    assert words in str(caught.value)


def test_flags_set_top_level_keys_and_the_learning_rate_of_the_schedule(load):
    config = load(flags={"batch_size": 4, "iters": 20, "learning_rate": 0.1, "seed": None})
    assert (config["batch_size"], config["iters"], config["lr_scheduler"]["learning_rate"]) == (4, 20, 0.1)
    assert "seed" not in config
    assert config.origin("batch_size") == "--batch_size 4"
    assert config.origin("lr_scheduler.learning_rate") == "--learning_rate 0.1"


def test_opts_win_over_flags(load):
    assert load("iters=5", flags={"iters": 20})["iters"] == 5


def test_a_learning_rate_without_a_schedule_says_what_is_missing(write):
    with pytest.raises(ConfigError, match=r"--learning_rate 0.1: the config has no 'lr_scheduler' yet"):
        read_config(write("b.yml", "a: 1"), flags={"learning_rate": 0.1})


def test_a_config_is_not_changed_by_what_is_made_from_it(load):
    config = load()
    config["train"]["transforms"].clear()
    changed = config.with_values({"iters": 3}, ["train.transforms.0.factor=7"])
    assert config["train"]["transforms"][0]["factor"] == 2
    assert changed["train"]["transforms"][0]["factor"] == 7
    assert config.differences(changed) == [
        "iters: 10 -> 3 (--iters 3)",
        "train.transforms.0.factor: 2 -> 7 (--opts train.transforms.0.factor=7)",
    ]
