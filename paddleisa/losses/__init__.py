"""Losses. Importing this package fills their registry."""

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle
from paddleisa.losses.base import LossTerms, MixedLoss, SegmentationLoss
from paddleisa.losses.pixel import (
    BCELoss,
    BootstrappedCrossEntropyLoss,
    CrossEntropyLoss,
    FocalLoss,
    MultiClassFocalLoss,
    OhemCrossEntropyLoss,
)
from paddleisa.losses.region import DiceLoss, LovaszHingeLoss, LovaszSoftmaxLoss, RMILoss
from paddleisa.registry import LOSSES

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
]

# PaddleSeg's losses that cannot concern ISANet: each is refused by name, with what to write instead.
for _names, _sentence in {
    "DistillCrossEntropyLoss DistillationLoss KLLoss": (
        "No teacher stands beside the model: train it on labels with CrossEntropyLoss"
    ),
    "L1Loss MSELoss": (
        "It compares continuous values: labels of classes need CrossEntropyLoss, or BCELoss for masks that overlap"
    ),
    "DualTaskLoss EdgeAttentionLoss OhemEdgeAttentionLoss RelaxBoundaryLoss": (
        "ISANet has no edge branch: leave it out and keep the term of the segmentation, or write OhemCrossEntropyLoss"
    ),
    "DetailAggregateLoss": "It belongs to STDC's detail branch: leave it out",
    "PointCrossEntropyLoss": (
        "It belongs to PointRend's sampled points: write CrossEntropyLoss with top_k_percent_pixels, or "
        "OhemCrossEntropyLoss, for the hard pixels"
    ),
    "PixelContrastCrossEntropyLoss": "It needs a network that also gives embeddings: write CrossEntropyLoss",
    "SECrossEntropyLoss": "It needs EncNet's vector of present classes: write CrossEntropyLoss",
    "MaskFormerLoss": "It matches MaskFormer's queries: write a MixedLoss of CrossEntropyLoss and DiceLoss",
    "SemanticConnectivityLoss": (
        "It has no gradient, since it is computed from the masks and not from the logits: leave it out, training is "
        "the same"
    ),
}.items():
    for _name in _names.split():
        LOSSES.explain(_name, _sentence)
