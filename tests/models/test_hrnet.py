"""HRNet's tensors beside the lists of PaddleSeg's and of the official implementation."""

from __future__ import annotations

import ast

import pytest
from published import REFERENCE

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
