"""HRNet's tensors beside the lists of PaddleSeg's and of the official implementation."""

from __future__ import annotations

import ast

import pytest
from published import REFERENCE

import paddleisa
from paddleisa.models import HRNet_W48

pytestmark = pytest.mark.slow  # initialising 65 million weights takes ten seconds


def listed(file):
    """(name, shape) of a list of tensors, in order."""
    lines = (REFERENCE / file).read_text().splitlines()
    return [(name, ast.literal_eval(shape)) for name, shape in (line.split("\t") for line in lines if line)]


@pytest.fixture(scope="module")
def w48():
    return HRNet_W48()


def test_hrnet_w48_has_paddlesegs_names_and_shapes(w48):
    own = {name: tuple(tensor.shape) for name, tensor in w48.state_dict().items()}
    assert own == dict(listed("hrnet48_paddleseg_names.txt"))


def test_the_official_names_of_hrnet_w48_map_one_to_one_and_keep_their_shapes(w48):
    own = {name: tuple(tensor.shape) for name, tensor in w48.state_dict().items()}
    (table,) = w48.name_tables()
    official = dict(listed("hrnet48_official_names.txt"))
    assert set(table.names) == set(official) and sorted(table.names.values()) == sorted(own)
    assert {ours: official[theirs] for theirs, ours in table.names.items()} == own


def test_the_recipes_network_is_hrnet_with_the_authors_head():
    """HRNet_W48_ISA of their commit 5ec9f10: widths, no auxiliary head, W without a norm, a classifier without bias."""
    model = paddleisa.build_model(paddleisa.load_config("isanet_hrnet_w48_ade20k_520x520_150k"))
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    backbone = {name.removeprefix("backbone."): shape for name, shape in own.items() if name.startswith("backbone.")}
    (table,) = model.backbone.name_tables()
    official = dict(listed("hrnet48_official_names.txt"))
    assert backbone == {table.names[theirs]: shape for theirs, shape in official.items()}
    parameters = sum(p.size for p in model.backbone.parameters() if not p.stop_gradient)
    assert parameters == 65_325_120
    kernels = {"head.in_conv": (512, 720, 3, 3), "head.out_conv": (512, 1024, 1, 1)}
    for relation in ("head.global_relation", "head.local_relation"):
        for part in ("key", "query"):
            kernels |= {
                f"{relation}.{part}_project.0": (256, 512, 1, 1),
                f"{relation}.{part}_project.1": (256,) * 2 + (1, 1),
            }
    expected = {"head.cls.1.weight": (150, 512, 1, 1)}
    for name, shape in kernels.items():
        expected |= {f"{name}._conv.weight": shape}
        expected |= {f"{name}._batch_norm.{part}": shape[:1] for part in ("weight", "bias", "_mean", "_variance")}
    for relation in ("head.global_relation", "head.local_relation"):
        for name in (f"{relation}.value_project", f"{relation}.output_project"):
            expected |= {f"{name}.weight": (512, 512, 1, 1), f"{name}.bias": (512,)}
    assert {name: shape for name, shape in own.items() if name.startswith("head.")} == expected
