"""Whatever a config says, in bytes or in --opts: a Trainer stands, or an error of ours says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st

from paddleisa.config import load_config
from paddleisa.errors import ConfigError, PaddleISAError
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import Trainer

TINY = Path(__file__).parent / "tiny/tiny.yml"
TEXT = TINY.read_text(encoding="utf-8").replace("backbone.py", str(TINY.with_name("backbone.py")))
TREE = yaml.safe_load(TEXT)
NUMBERS = st.sampled_from(
    [0, -1, 1, 2, 3, 7, 255, 256, 32767, 65536, 2**31, 2**63, 10**30, 0.0, -0.5, 1e-300, 1e300, 0.9998, 1.0]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "train", "fp16", "ISANet", "Scenes", "nosuch.pdparams"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "decay"]), inner, max_size=2),
    max_leaves=4,
)
KEYS = [
    *("seed", "precision", "amp_level", "ema", "early_stop", "repeats", "test_config", "export", "model.pretrained"),
    *("train_dataset.ignore_index", "loss.types.0.ignore_index", "optimizer.custom_cfg", "optimizer.grad_clip_cfg"),
    *("lr_scheduler.warmup_iters", "lr_scheduler.decay_steps", "model.align_corners", "model.num_classes"),
]


def places(tree, path=()):
    """Every key path of a plain tree, as --opts writes it."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [p for key, child in items for p in [".".join(map(str, (*path, key))), *places(child, (*path, key))]]


def stands(path, folder, opts=()):
    """A Trainer, or an error with a place and one line."""
    try:
        config = load_config(path, opts=opts, purpose="train")
        assert Trainer(config, TrainOptions(save_dir=folder)).plan.iters == config.settings.iters
    except PaddleISAError as error:
        assert str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.filterwarnings("ignore")
@fuzz(40)
@given(data=st.data())
def test_random_values_at_random_places(folder, data):
    keys = st.sampled_from([*places(TREE), *KEYS])
    pairs = data.draw(st.lists(st.tuples(keys, VALUES.map(json.dumps)).map("=".join), min_size=1, max_size=3))
    stands(TINY, folder, pairs)


@pytest.mark.filterwarnings("ignore")
@fuzz(40)
@given(
    cut=st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12)),
    put=st.binary(max_size=8) | st.sampled_from([b'"\\UFFFFFFFF"', b"&a [*a]", b"%YAML 9.9\n", b": ", b"\t", b"null"]),
)
def test_random_bytes_in_the_file(folder, cut, put):
    start, length = cut
    file = folder / "a.yml"
    file.write_bytes(TEXT.encode()[:start] + put + TEXT.encode()[start + length :])
    stands(file, folder)


@pytest.mark.filterwarnings("ignore")
@fuzz(40)
@given(opt=st.text(max_size=20) | st.tuples(st.sampled_from(places(TREE)), st.text(max_size=12)).map("=".join))
def test_random_text_as_an_option(folder, opt):
    stands(TINY, folder, [opt])


def test_the_base_of_all_that_is_a_trainer(folder):
    config = load_config(TINY, purpose="train")
    assert Trainer(config, TrainOptions(save_dir=folder)).plan.iters == 12
    with pytest.raises(ConfigError):
        load_config(TINY, opts=["iters=0"])
