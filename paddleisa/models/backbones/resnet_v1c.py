"""ResNet-v1c backbones, those of mmsegmentation's checkpoints (its mmseg/models/backbones/resnet.py).

Like ResNet-vd (see there for the contract), with two differences: the shortcut's 1x1 convolution skips pixels itself
instead of averaging before, and the first block of a dilated stage has half the stage's dilation, that is, the
dilation of the stage before.
"""

from __future__ import annotations

from typing import Literal

from paddleisa.models.backbones.foreign_names import MMSEG_STEM, TIMM_STEM, NameTable, resnet
from paddleisa.models.backbones.resnet_vd import BottleneckBlock, ResNet_vd
from paddleisa.models.layers import ConvBNReLU
from paddleisa.registry import BACKBONES, LayerSize


class _StridedShortcut(ConvBNReLU):
    """Projection of a block's input to its output's shape by a 1x1 convolution with stride."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__(in_channels, out_channels, 1, stride, relu=False)


class BottleneckV1cBlock(BottleneckBlock):
    """1x1, 3x3 and 1x1 convolutions beside a strided shortcut; the stride sits on the 3x3."""

    shortcut = _StridedShortcut


class ResNet_v1c(ResNet_vd):
    """Common part of the two depths.

    Args:
        output_stride: input size / size of the last stage's map. 8 and 16 replace the last strides by dilation.
        stem_width: channels of the stem's first two convolutions; the third has twice as many. The networks of ISA's
            authors have 64.
        ceil_pool: whether the stem's pooling rounds sizes up, as in the networks of ISA's authors: 1024 pixels become
            129 positions at an eighth instead of 128.
        pretrained: path or URL of ImageNet weights that a training starts from. The training reads it from the
            config; nothing is loaded here.
    """

    block = BottleneckV1cBlock
    contract_dilation = True

    def __init__(
        self,
        output_stride: Literal[8, 16, 32] = 8,
        pretrained: str | None = None,
        stem_width: LayerSize = 32,
        ceil_pool: bool = False,
    ):
        super().__init__(output_stride, stem_width=stem_width, ceil_pool=ceil_pool)

    def name_tables(self) -> list[NameTable]:
        """open-mmlab's ``resnet50_v1c`` and ``resnet101_v1c``, and timm's ``resnet50c`` and ``resnet101c``."""
        stems = {"open-mmlab's ResNet-v1c": MMSEG_STEM, "timm's ResNet-C": TIMM_STEM}
        return [NameTable(origin, dict(resnet(stem, self.depths, 3, shortcut=0))) for origin, stem in stems.items()]


@BACKBONES.register
class ResNet50_v1c(ResNet_v1c):
    """50 layers, 2048 channels at the end."""

    depths = (3, 4, 6, 3)


@BACKBONES.register
class ResNet101_v1c(ResNet_v1c):
    """101 layers, 2048 channels at the end."""

    depths = (3, 4, 23, 3)
