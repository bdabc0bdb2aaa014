"""Optimizers and learning-rate schedules. Importing this package fills their registries."""

from paddleisa.optim.lr_schedules import (
    CosineAnnealingDecay,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialDecay,
    InverseTimeDecay,
    LinearLR,
    MultiStepDecay,
    NaturalExpDecay,
    NoamDecay,
    OneCycleLR,
    PiecewiseDecay,
    PolynomialDecay,
    StepDecay,
)
from paddleisa.optim.optimizers import SGD, Adam, AdamW, Momentum, Optimizer
from paddleisa.optim.schedule import Schedule

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineAnnealingDecay",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearLR",
    "Momentum",
    "MultiStepDecay",
    "NaturalExpDecay",
    "NoamDecay",
    "OneCycleLR",
    "Optimizer",
    "PiecewiseDecay",
    "PolynomialDecay",
    "Schedule",
    "StepDecay",
]
