"""The paper's baseline: dense self-attention, the Base-OC of OCNet."""

from __future__ import annotations

from paddleisa.models.attention import SelfAttention
from paddleisa.models.heads.base import NEGATIVE_SLOPE, Activation, Probability
from paddleisa.models.heads.isa_head import AttentionHead
from paddleisa.registry import HEADS, LayerSize


@HEADS.register
class OCHead(AttentionHead):
    """Dense self-attention over all positions (OCNet, arXiv:1809.00916; ``BaseOCNet`` of openseg.pytorch).

    Its convolutions have no bias where a normalisation follows, which would take it away again.

    Args:
        num_classes: number of classes.
        in_channels: channels of the maps for the auxiliary classifier and, last, for the attention.
        key_channels: channels of query and key.
        value_channels: channels of the value.
        enable_auxiliary_loss: whether training has the auxiliary classifier. It is not run in evaluation.
        channels: width of the head; a quarter of the last map's channels unless given.
        output_norm: whether the context's projection ends in normalisation and activation, as in ISA. Base-OC has a
            plain convolution that starts at zero.
        activation: after every normalisation of the head; ``leaky_relu`` has a slope of 0.01.
        aux_channels: width of the auxiliary classifier; a quarter of its map's channels unless given.
        dropout: probability of a feature to be dropped before either classifier.
    """

    def __init__(
        self,
        num_classes: LayerSize,
        in_channels: tuple[LayerSize, ...],
        key_channels: LayerSize = 256,
        value_channels: LayerSize = 256,
        enable_auxiliary_loss: bool = True,
        channels: LayerSize | None = None,
        output_norm: bool = False,
        activation: Activation = "relu",
        aux_channels: LayerSize | None = None,
        dropout: Probability = 0.05,
    ):
        slope = NEGATIVE_SLOPE[activation]
        super().__init__(in_channels[-1], channels, slope)
        self.relation = SelfAttention(
            self.channels,
            key_channels,
            value_channels,
            output="norm" if output_norm else "zero",
            negative_slope=slope,
        )
        self.add_out_conv(1, True, slope)
        self.add_classifiers(
            num_classes, in_channels, self.channels, enable_auxiliary_loss, aux_channels, dropout, activation
        )

    def relate(self, x):
        """(N, channels, H, W) -> context of the same shape, over all positions."""
        return self.relation(x)
