"""The paper's head: interlaced sparse self-attention."""

from __future__ import annotations

from typing import Any, Literal

import paddle

from paddleisa.models.attention import SelfAttention, interlace
from paddleisa.models.heads.base import NEGATIVE_SLOPE, Activation, Probability, SegmentationHead
from paddleisa.models.layers import ConvBNReLU
from paddleisa.registry import HEADS, LayerSize


class AttentionHead(SegmentationHead):
    """A 3x3 convolution, the context of ``relate``, both joined and classified."""

    def __init__(self, in_channels: int, channels: int | None, negative_slope: float):
        super().__init__()
        self.channels = channels or in_channels // 4
        self.in_conv = ConvBNReLU(in_channels, self.channels, 3, negative_slope=negative_slope)

    def add_out_conv(self, kernel_size: int, context_first: bool, negative_slope: float) -> None:
        """Make ``out_conv``, which joins the context and the features that it was made of."""
        self.context_first = context_first
        self.out_conv = ConvBNReLU(2 * self.channels, self.channels, kernel_size, negative_slope=negative_slope)

    def relate(self, x):
        """(N, channels, H, W) -> its context, of the same shape."""
        raise NotImplementedError

    def context(self, x):
        """The backbone's last map (N, C, H, W) -> features and their context, joined (N, channels, H, W)."""
        x = self.in_conv(x)
        context = self.relate(x)
        return self.out_conv(paddle.concat([context, x] if self.context_first else [x, context], axis=1))


@HEADS.register
class ISAHead(AttentionHead):
    """Interlaced sparse self-attention (arXiv:1907.12273; original file isanet.py). The defaults are PaddleSeg's.

    Args:
        num_classes: number of classes.
        in_channels: channels of the maps for the auxiliary classifier and, last, for the attention.
        isa_channels: channels of query and key.
        down_factor: window (Ph, Pw) of the attention, in positions.
        enable_auxiliary_loss: whether training has the auxiliary classifier. It is not run in evaluation.
        channels: width of the head; a quarter of the last map's channels unless given.
        out_kernel: kernel size of the convolution that joins context and features.
        joined: their order before it.
        value_bias: whether the projections to the values have a bias.
        output_norm: whether the context's projection ends in normalisation and activation. The authors' HRNet has a
            plain convolution.
        activation: after every normalisation of the head; ``leaky_relu`` has a slope of 0.01.
        aux_channels: width of the auxiliary classifier; a quarter of its map's channels unless given.
        dropout: probability of a feature to be dropped before either classifier.
        classifier_bias: whether the main classifier has a bias.
        fused_attention: use Paddle's flash kernel on GPUs that have it; nobody has run it with this package yet.
    """

    def __init__(
        self,
        num_classes: LayerSize,
        in_channels: tuple[LayerSize, ...],
        isa_channels: LayerSize = 256,
        down_factor: tuple[LayerSize, LayerSize] = (8, 8),
        enable_auxiliary_loss: bool = True,
        channels: LayerSize | None = None,
        out_kernel: Literal[1, 3] = 1,
        joined: Literal["context_first", "features_first"] = "context_first",
        value_bias: bool = True,
        output_norm: bool = True,
        activation: Activation = "relu",
        aux_channels: LayerSize | None = None,
        dropout: Probability = 0.1,
        classifier_bias: bool = True,
        fused_attention: bool = False,
    ):
        slope = NEGATIVE_SLOPE[activation]
        super().__init__(in_channels[-1], channels, slope)
        options: dict[str, Any] = {"value_bias": value_bias, "negative_slope": slope, "fused": fused_attention}
        options["output"] = "norm" if output_norm else "conv"
        self.global_relation = SelfAttention(self.channels, isa_channels, **options)
        self.local_relation = SelfAttention(self.channels, isa_channels, **options)
        self.add_out_conv(out_kernel, joined == "context_first", slope)
        self.add_classifiers(
            num_classes,
            in_channels,
            self.channels,
            enable_auxiliary_loss,
            aux_channels,
            dropout,
            activation,
            classifier_bias,
        )
        self.down_factor = tuple(down_factor)

    def relate(self, x):
        """(N, channels, H, W) -> long-range, then short-range context of the same shape."""
        return interlace(x, self.down_factor, self.global_relation, self.local_relation)
