"""The head without attention, to see what the attention is worth."""

from __future__ import annotations

from paddleisa.models.heads.base import NEGATIVE_SLOPE, Activation, Probability, SegmentationHead
from paddleisa.models.layers import ConvBNReLU
from paddleisa.registry import HEADS, LayerSize


@HEADS.register
class FCNHead(SegmentationHead):
    """A 3x3 convolution and a classifier: ``ISAHead`` without its attention.

    Args:
        num_classes: number of classes.
        in_channels: channels of the maps for the auxiliary classifier and, last, for the main one.
        enable_auxiliary_loss: whether training has the auxiliary classifier. It is not run in evaluation.
        channels: width of the head; a quarter of the last map's channels unless given.
        activation: after the normalisations; ``leaky_relu`` has a slope of 0.01.
        aux_channels: width of the auxiliary classifier; a quarter of its map's channels unless given.
        dropout: probability of a feature to be dropped before either classifier.
    """

    def __init__(
        self,
        num_classes: LayerSize,
        in_channels: tuple[LayerSize, ...],
        enable_auxiliary_loss: bool = True,
        channels: LayerSize | None = None,
        activation: Activation = "relu",
        aux_channels: LayerSize | None = None,
        dropout: Probability = 0.1,
    ):
        super().__init__()
        channels = channels or in_channels[-1] // 4
        self.in_conv = ConvBNReLU(in_channels[-1], channels, 3, negative_slope=NEGATIVE_SLOPE[activation])
        self.add_classifiers(
            num_classes, in_channels, channels, enable_auxiliary_loss, aux_channels, dropout, activation
        )

    def context(self, x):
        """The backbone's last map (N, C, H, W) -> features (N, channels, H, W)."""
        return self.in_conv(x)
