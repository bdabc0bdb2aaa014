"""Every option of PaddleSeg's losses, optimizers and schedules is here under its name, with its default."""

import pytest

from paddleisa.config.signature import options_of
from paddleisa.registry import LOSSES, OPTIMIZERS, SCHEDULES

REQUIRED = object()
COMMON = {"weight_decay": None, "grad_clip_cfg": None, "custom_cfg": None}
ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "lazy_mode": False}
OURS = object()  # a default of ours where PaddleSeg has none, or another one on purpose; the docstring says which
RATE = {"learning_rate": OURS, "warmup_iters": OURS, "warmup_start_lr": OURS}

PADDLESEG = {
    (LOSSES, "CrossEntropyLoss"): {
        "weight": None,
        "ignore_index": 255,
        "top_k_percent_pixels": 1.0,
        "avg_non_ignore": True,
        "data_format": "NCHW",
    },
    (LOSSES, "OhemCrossEntropyLoss"): {"thresh": 0.7, "min_kept": 10000, "ignore_index": 255, "weight": None},
    (LOSSES, "BootstrappedCrossEntropyLoss"): {
        "min_K": REQUIRED,
        "loss_th": REQUIRED,
        "weight": None,
        "ignore_index": 255,
    },
    (LOSSES, "DiceLoss"): {"weight": None, "ignore_index": 255, "smooth": 1.0},
    (LOSSES, "LovaszSoftmaxLoss"): {"ignore_index": 255, "classes": "present"},
    (LOSSES, "LovaszHingeLoss"): {"ignore_index": 255},
    (LOSSES, "FocalLoss"): {"alpha": 0.25, "gamma": 2.0, "ignore_index": 255},
    (LOSSES, "MultiClassFocalLoss"): {"num_class": REQUIRED, "alpha": 1.0, "gamma": 2.0, "ignore_index": 255},
    (LOSSES, "BCELoss"): {"weight": None, "pos_weight": None, "ignore_index": 255, "edge_label": False},
    (LOSSES, "RMILoss"): {
        "num_classes": 19,
        "rmi_radius": 3,
        "rmi_pool_way": 0,
        "rmi_pool_size": 3,
        "rmi_pool_stride": 3,
        "loss_weight_lambda": 0.5,
        "ignore_index": 255,
    },
    (LOSSES, "MixedLoss"): {"losses": REQUIRED, "coef": REQUIRED},
    (OPTIMIZERS, "SGD"): COMMON,
    (OPTIMIZERS, "Momentum"): COMMON | {"momentum": 0.9, "use_nesterov": False},
    (OPTIMIZERS, "Adam"): COMMON | ADAM,
    (OPTIMIZERS, "AdamW"): COMMON | ADAM | {"weight_decay": 0.01},
    (SCHEDULES, "PolynomialDecay"): RATE | {"decay_steps": OURS, "end_lr": OURS, "power": OURS, "cycle": False},
    (SCHEDULES, "PiecewiseDecay"): RATE | {"boundaries": REQUIRED, "values": REQUIRED},
    (SCHEDULES, "StepDecay"): RATE | {"step_size": REQUIRED, "gamma": 0.1},
    (SCHEDULES, "MultiStepDecay"): RATE | {"milestones": REQUIRED, "gamma": 0.1},
    (SCHEDULES, "ExponentialDecay"): RATE | {"gamma": REQUIRED},
    (SCHEDULES, "NaturalExpDecay"): RATE | {"gamma": REQUIRED},
    (SCHEDULES, "InverseTimeDecay"): RATE | {"gamma": REQUIRED},
    (SCHEDULES, "NoamDecay"): RATE | {"d_model": REQUIRED, "warmup_steps": REQUIRED, "learning_rate": 1.0},
    (SCHEDULES, "CosineAnnealingDecay"): RATE | {"T_max": OURS, "eta_min": 0},
    (SCHEDULES, "CosineAnnealingWarmRestarts"): RATE | {"T_0": REQUIRED, "T_mult": 1, "eta_min": 0},
    (SCHEDULES, "LinearLR"): RATE | {"total_steps": OURS, "start_factor": 1 / 3, "end_factor": 1.0},
    (SCHEDULES, "OneCycleLR"): {
        "max_learning_rate": REQUIRED,
        "total_steps": OURS,
        "divide_factor": 25.0,
        "end_learning_rate": 0.0001,
        "phase_pct": 0.3,
        "anneal_strategy": "cos",
        "three_phase": False,
    },
    (SCHEDULES, "CyclicLR"): {
        "base_learning_rate": REQUIRED,
        "max_learning_rate": REQUIRED,
        "step_size_up": REQUIRED,
        "step_size_down": None,
        "mode": "triangular",
        "exp_gamma": 1.0,
    },
}


@pytest.mark.parametrize(("table", "name"), PADDLESEG, ids=lambda part: str(part))
def test_an_option_has_paddlesegs_name_and_default(table, name):
    known = options_of(table.get(name)).known
    for option, default in PADDLESEG[table, name].items():
        assert option in known, f"{name} lacks {option}"
        assert known[option].required == (default is REQUIRED), option
        if default not in (REQUIRED, OURS):
            assert known[option].default == default, option


def test_every_component_of_the_tables_is_compared():
    for table in (LOSSES, OPTIMIZERS, SCHEDULES):
        ours = {name for name in table if table.get(name).__module__.startswith("paddleisa.")}  # no plug-in's
        assert {name for of, name in PADDLESEG if of is table} == ours
