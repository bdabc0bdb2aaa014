"""Cards and builds: what fits, and what is said where it does not. No card is needed."""

from __future__ import annotations

import pytest

from paddleisa.utils import gpu

SMI = """NVIDIA H100 80GB HBM3, 535.104.05, 9.0, 81559
NVIDIA A100-SXM4-40GB, 535.104.05, 8.0, 40960
[Unknown Error]
Tesla T4, 470.57.02, 7.5, 15109
"""


def test_cards_are_read_from_nvidia_smi_and_other_lines_passed_over():
    found = gpu.parse_cards(SMI)
    assert [(c.name, c.capability, c.memory) for c in found] == [
        ("NVIDIA H100 80GB HBM3", 9.0, 81559),
        ("NVIDIA A100-SXM4-40GB", 8.0, 40960),
        ("Tesla T4", 7.5, 15109),
    ]


@pytest.mark.parametrize(
    ("capability", "fits"),
    [(6.1, True), (7.5, True), (8.0, True), (8.6, True), (8.9, True), (9.0, False), (10.0, False)],
)
def test_pypis_build_runs_from_pascal_to_ada_and_not_beyond(capability, fits):
    card = gpu.Card("card", "1", capability, 1)
    assert (gpu.unfit(card, "paddlepaddle-gpu", "11.8") is None) == fits


def test_a_card_older_than_the_machine_code_of_its_generation_is_told():
    assert gpu.unfit(gpu.Card("P100", "1", 6.0, 1), "paddlepaddle-gpu", "11.8") is not None


def test_a_build_that_is_not_in_the_table_is_not_judged():
    assert gpu.unfit(gpu.Card("H100", "1", 9.0, 1), "paddlepaddle-gpu", "12.6") is None


@pytest.mark.parametrize(
    "text",
    [
        "ExternalError: CUDA error(209), no kernel image is available for execution on the device.",
        "CUDA error(98): invalid device function",
    ],
)
def test_paddles_error_of_a_missing_kernel_becomes_our_sentence(text, monkeypatch):
    monkeypatch.setattr(gpu, "cards", lambda: gpu.parse_cards(SMI)[:1])
    assert gpu.explained(RuntimeError(text)) == (
        "this build of Paddle has no machine code for NVIDIA H100 80GB HBM3 (compute capability 9.0)"
    )


def test_other_errors_are_left_alone():
    assert gpu.explained(RuntimeError("out of memory")) is None
