"""Losses. Importing this package fills their registry."""

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle
from paddleisa.losses import elsewhere
from paddleisa.losses.base import SegmentationLoss
from paddleisa.losses.binary import BCELoss, FocalLoss, MultiClassFocalLoss
from paddleisa.losses.cross_entropy import BootstrappedCrossEntropyLoss, CrossEntropyLoss, OhemCrossEntropyLoss
from paddleisa.losses.region import DiceLoss, LovaszHingeLoss, LovaszSoftmaxLoss
from paddleisa.losses.rmi import RMILoss
from paddleisa.losses.sum import LossTerms, MixedLoss

__all__ = [
    "BCELoss",
    "BootstrappedCrossEntropyLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "LossTerms",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MixedLoss",
    "MultiClassFocalLoss",
    "OhemCrossEntropyLoss",
    "RMILoss",
    "SegmentationLoss",
    "elsewhere",
]
