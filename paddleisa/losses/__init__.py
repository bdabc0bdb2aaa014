"""Losses. Importing this package fills their registry."""

from paddleisa.losses.cross_entropy import CrossEntropyLoss, OhemCrossEntropyLoss
from paddleisa.losses.region import DiceLoss
from paddleisa.losses.sum import LossTerms, MixedLoss

__all__ = ["CrossEntropyLoss", "DiceLoss", "LossTerms", "MixedLoss", "OhemCrossEntropyLoss"]
