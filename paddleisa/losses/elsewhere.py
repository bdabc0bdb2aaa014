"""Losses of PaddleSeg that cannot concern ISANet: each is refused by name, with what to write instead."""

from paddleisa.registry import LOSSES

_WHY = {
    "no teacher stands beside the model: train it on labels with CrossEntropyLoss": (
        "DistillCrossEntropyLoss",
        "DistillationLoss",
        "KLLoss",
    ),
    "it compares continuous values: labels of classes need CrossEntropyLoss, or BCELoss for masks that overlap": (
        "L1Loss",
        "MSELoss",
    ),
    "ISANet has no edge branch: leave it out and keep the term of the segmentation, or write OhemCrossEntropyLoss": (
        "DualTaskLoss",
        "EdgeAttentionLoss",
        "OhemEdgeAttentionLoss",
        "RelaxBoundaryLoss",
    ),
    "it belongs to STDC's detail branch: leave it out": ("DetailAggregateLoss",),
    "it belongs to PointRend's sampled points: write CrossEntropyLoss with top_k_percent_pixels, or "
    "OhemCrossEntropyLoss, for the hard pixels": ("PointCrossEntropyLoss",),
    "it needs a network that also gives embeddings: write CrossEntropyLoss": ("PixelContrastCrossEntropyLoss",),
    "it needs EncNet's vector of present classes: write CrossEntropyLoss": ("SECrossEntropyLoss",),
    "it matches MaskFormer's queries: write a MixedLoss of CrossEntropyLoss and DiceLoss": ("MaskFormerLoss",),
    "it has no gradient, since it is computed from the masks and not from the logits: leave it out, training is the "
    "same": ("SemanticConnectivityLoss",),
}

for sentence, names in _WHY.items():
    for name in names:
        LOSSES.explain(name, sentence[0].upper() + sentence[1:])
