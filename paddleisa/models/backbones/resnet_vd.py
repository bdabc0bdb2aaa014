"""ResNet-vd backbones with dilation (He et al. 2015; "vd": Bag of Tricks, arXiv:1812.01187; original resnet_vd.py).

Contract of every backbone: ``forward`` maps (N, 3, H, W) to the list of the four stages' outputs, and
``feat_channels`` lists their channels.
"""

from __future__ import annotations

from typing import Literal

import paddle.nn.functional as F
from paddle import nn

from paddleisa.models.backbones.foreign_names import TIMM_STEM, NameTable, identity_conv_bn, resnet
from paddleisa.models.layers import ConvBNReLU
from paddleisa.registry import BACKBONES, LayerSize

STAGE_WIDTHS = (64, 128, 256, 512)
# Stages that keep their resolution and dilate instead: {stage: dilation}.
DILATED_STAGES = {8: {2: 2, 3: 4}, 16: {3: 2}, 32: {}}


class _Shortcut(ConvBNReLU):
    """Projection of a block's input to its output's shape; "vd" averages 2x2 before, instead of skipping pixels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__(in_channels, out_channels, 1, relu=False)
        self._stride = stride

    def forward(self, x):
        if self._stride > 1:
            x = F.avg_pool2d(x, self._stride, self._stride, ceil_mode=True)
        return self._batch_norm(self._conv(x))  # no super() here: Paddle's to_static cannot translate it


class BasicBlock(nn.Layer):
    """Two 3x3 convolutions beside a shortcut (ResNet-18 and -34)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, dilation: int, project: bool):
        super().__init__()
        self.conv0 = ConvBNReLU(in_channels, width, 3, stride, dilation)
        self.conv1 = ConvBNReLU(width, width, 3, dilation=dilation, relu=False)
        if project:
            self.short = _Shortcut(in_channels, width, stride)
        self._project = project

    def forward(self, x):
        y = self.conv1(self.conv0(x))
        return F.relu(y + (self.short(x) if self._project else x))


class BottleneckBlock(nn.Layer):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut (ResNet-50 and -101); the stride sits on the 3x3."""

    expansion = 4
    shortcut: type = _Shortcut

    def __init__(self, in_channels: int, width: int, stride: int, dilation: int, project: bool):
        super().__init__()
        self.conv0 = ConvBNReLU(in_channels, width, 1)
        self.conv1 = ConvBNReLU(width, width, 3, stride, dilation)
        self.conv2 = ConvBNReLU(width, width * self.expansion, 1, relu=False)
        if project:
            self.short = self.shortcut(in_channels, width * self.expansion, stride)
        self._project = project

    def forward(self, x):
        y = self.conv2(self.conv1(self.conv0(x)))
        return F.relu(y + (self.short(x) if self._project else x))


class ResNet_vd(nn.Layer):
    """Common part of the four depths.

    Args:
        output_stride: input size / size of the last stage's map. 8 and 16 replace the last strides by dilation.
        multi_grid: factors on the dilation of the last stage's first three blocks.
        stem_width: channels of the stem's first two convolutions; the third has twice as many.
        ceil_pool: whether the stem's pooling rounds sizes up, so that an even size makes maps of one more than half.
        pretrained: path or URL of ImageNet weights that a training starts from. The training reads it from the
            config; nothing is loaded here.
    """

    block: type[BasicBlock] | type[BottleneckBlock]
    depths: tuple[int, int, int, int]
    contract_dilation = False  # whether a dilated stage begins with half its dilation

    def __init__(
        self,
        output_stride: Literal[8, 16, 32] = 8,
        multi_grid: tuple[LayerSize, LayerSize, LayerSize] = (1, 1, 1),
        pretrained: str | None = None,
        stem_width: LayerSize = 32,
        ceil_pool: bool = False,
    ):
        super().__init__()
        self.conv1_1 = ConvBNReLU(3, stem_width, 3, stride=2)
        self.conv1_2 = ConvBNReLU(stem_width, stem_width, 3)
        self.conv1_3 = ConvBNReLU(stem_width, 2 * stem_width, 3)
        self._ceil_pool = ceil_pool
        self._blocks: list[list[str]] = []  # of each stage, the names of its sublayers, as in the published weights
        self.feat_channels = [width * self.block.expansion for width in STAGE_WIDTHS]
        channels = 2 * stem_width
        for stage, (width, depth) in enumerate(zip(STAGE_WIDTHS, self.depths, strict=True)):
            stage_dilation = DILATED_STAGES[output_stride].get(stage, 1)
            blocks = []
            for i in range(depth):
                grid = multi_grid[i] if stage == 3 else 1
                contracted = i == 0 and self.contract_dilation
                dilation = max(1, stage_dilation // 2) if contracted else stage_dilation
                halve = i == 0 and stage > 0 and stage not in DILATED_STAGES[output_stride]
                block = self.block(channels, width, 2 if halve else 1, dilation * grid, project=i == 0)
                blocks.append(f"bb_{stage}_{i}")
                self.add_sublayer(blocks[-1], block)
                channels = self.feat_channels[stage]
            self._blocks.append(blocks)

    def forward(self, x):
        """(N, 3, H, W) -> four maps of 1/4, 1/8 and twice 1/output_stride (1/8 or 1/16 for stage 2) of H and W."""
        x = self.conv1_3(self.conv1_2(self.conv1_1(x)))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1, ceil_mode=self._ceil_pool)
        features = []
        for names in self._blocks:
            for name in names:
                x = getattr(self, name)(x)
            features.append(x)
        return features

    def name_tables(self) -> list[NameTable]:
        """timm's ``resnet18d`` to ``resnet101d``, which are this network (output stride 32).

        Where timm has no projection in the first stage, ours becomes the identity.
        """
        convs = 2 if self.block is BasicBlock else 3
        filled = identity_conv_bn("bb_0_0.short", 64, epsilon=1e-5) if convs == 2 else {}
        return [NameTable("timm's ResNet-D", dict(resnet(TIMM_STEM, self.depths, convs, shortcut=1)), filled)]


@BACKBONES.register
class ResNet18_vd(ResNet_vd):
    """18 layers, 512 channels at the end."""

    block, depths = BasicBlock, (2, 2, 2, 2)


@BACKBONES.register
class ResNet34_vd(ResNet_vd):
    """34 layers, 512 channels at the end."""

    block, depths = BasicBlock, (3, 4, 6, 3)


@BACKBONES.register
class ResNet50_vd(ResNet_vd):
    """50 layers, 2048 channels at the end."""

    block, depths = BottleneckBlock, (3, 4, 6, 3)


@BACKBONES.register
class ResNet101_vd(ResNet_vd):
    """101 layers, 2048 channels at the end."""

    block, depths = BottleneckBlock, (3, 4, 23, 3)


@BACKBONES.register
class ResNet152_vd(ResNet_vd):
    """152 layers, 2048 channels at the end."""

    block, depths = BottleneckBlock, (3, 8, 36, 3)
