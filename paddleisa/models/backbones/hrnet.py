"""HRNet: branches of 1/4, 1/8, 1/16 and 1/32 side by side, fused again and again (Wang et al. 2019, arXiv:1908.07919).

Written from the paper's figures with PaddleSeg's names (original file hrnet.py), so that its weights fit. Stage s of
2..4 has s branches and some modules; a module is four residual blocks in each branch, then a fusion in which every
branch gets the sum of all, brought to its resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddleisa.models.backbones.foreign_names import NameTable, Pair, conv_bn
from paddleisa.models.windows import size_of
from paddleisa.registry import BACKBONES

MODULES = {2: 1, 3: 4, 4: 3}  # by stage
BLOCKS = 4  # of a branch in a module, and of the first stage


class _ConvBN(nn.Layer):
    """Convolution without bias and batch normalisation, with ReLU if ``relu``."""

    def __init__(self, channels: tuple[int, int], kernel: int, stride: int = 1, relu: bool = True, same: bool = True):
        super().__init__()
        padding: Literal["SAME"] | int = "SAME" if same else kernel // 2
        self._conv = nn.Conv2D(*channels, kernel, stride, padding, bias_attr=False)
        self._batch_norm = nn.BatchNorm2D(channels[1])
        self._relu = relu

    def forward(self, x):
        """(N, channels[0], H, W) -> (N, channels[1], ceil(H / stride), ceil(W / stride))."""
        x = self._batch_norm(self._conv(x))
        return F.relu(x) if self._relu else x


class _Bottleneck(nn.Layer):
    """1x1, 3x3, 1x1 beside a shortcut: (N, channels, H, W) -> (N, 256, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = _ConvBN((channels, 64), 1)
        self.conv2 = _ConvBN((64, 64), 3)
        self.conv3 = _ConvBN((64, 256), 1, relu=False)
        if channels != 256:
            self.conv_down = _ConvBN((channels, 256), 1, relu=False)
        self._projects = channels != 256

    def forward(self, x):
        y = self.conv3(self.conv2(self.conv1(x)))
        return F.relu(y + (self.conv_down(x) if self._projects else x))


class _Basic(nn.Layer):
    """Two 3x3 beside a shortcut; the shape stays."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = _ConvBN((channels, channels), 3)
        self.conv2 = _ConvBN((channels, channels), 3, relu=False)

    def forward(self, x):
        return F.relu(self.conv2(self.conv1(x)) + x)


class _Named(nn.Layer):
    """A layer that only gives its parts the names of the published weights."""


class _Fusion(nn.Layer):
    """Every branch becomes the sum of all branches at its resolution, and ReLU."""

    def __init__(self, widths: list[int], name: str, same: bool, align_corners: bool):
        super().__init__()
        self._align_corners = align_corners
        self._paths: dict[tuple[int, int], list[str]] = {}  # (to, from): names of the layers in between
        for i, wide in enumerate(widths):
            for j, narrow in enumerate(widths):
                layers = []
                if j > i:
                    layers = [(f"{name}_layer_{i + 1}_{j + 1}", _ConvBN((narrow, wide), 1, relu=False))]
                for k in range(i - j):  # halved i - j times; only the last one changes the width and has no ReLU
                    last = k == i - j - 1
                    layer = _ConvBN((narrow, wide if last else narrow), 3, 2, relu=not last, same=same)
                    layers.append((f"{name}_layer_{i + 1}_{j + 1}_{k + 1}", layer))
                self._paths[i, j] = [key for key, _ in layers]
                for key, layer in layers:
                    self.add_sublayer(key, layer)

    def forward(self, branches):
        fused = []
        for i, own in enumerate(branches):
            total = own
            for j, x in enumerate(branches):
                if i == j:
                    continue
                for name in self._paths[i, j]:
                    x = getattr(self, name)(x)
                total = total + (_resized(x, own, self._align_corners) if j > i else x)
            fused.append(F.relu(total))
        return fused


class _Module(nn.Layer):
    """Four residual blocks in each branch, then the fusion."""

    def __init__(self, widths: list[int], name: str, same: bool, align_corners: bool):
        super().__init__()
        self.branches_func = _Named()
        self._branches = [
            [f"bb_{name}_branch_layer_{branch + 1}_{i + 1}" for i in range(BLOCKS)] for branch in range(len(widths))
        ]
        for names, width in zip(self._branches, widths, strict=True):
            for block in names:
                self.branches_func.add_sublayer(block, _Basic(width))
        self.fuse_func = _Fusion(widths, f"residual_{name}", same, align_corners)

    def forward(self, branches):
        deeper = []
        for x, names in zip(branches, self._branches, strict=True):
            for name in names:
                x = getattr(self.branches_func, name)(x)
            deeper.append(x)
        return self.fuse_func(deeper)


class HRNet(nn.Layer):
    """Common part of the widths.

    Args:
        align_corners: how coarser branches are upsampled; False in PaddleSeg, True in the official code.
        padding_same: how convolutions of stride 2 pad even sizes: True, PaddleSeg's default, pads only at the right and
            bottom; False pads all sides, which the official weights and those of ISA's authors need (outputs differ by
            as much as the values themselves otherwise).
        pretrained: path, URL or name of weights that a training starts from. The training reads it from the config;
            nothing is loaded here.

    Attributes:
        feat_channels: ``[15 * width]``: one map, all branches at 1/4 side by side.
    """

    width: int

    def __init__(self, align_corners: bool = False, padding_same: bool = True, pretrained: str | None = None):
        super().__init__()
        widths = [self.width * 2**branch for branch in range(4)]
        self.conv_layer1_1 = _ConvBN((3, 64), 3, 2, same=padding_same)
        self.conv_layer1_2 = _ConvBN((64, 64), 3, 2, same=padding_same)
        self.la1 = _Named()
        for i in range(BLOCKS):
            self.la1.add_sublayer(f"bb_layer2_{i + 1}", _Bottleneck(256 if i else 64))
        for stage in (2, 3, 4):
            transition, before = _Named(), [256] if stage == 2 else widths[: stage - 1]
            if stage == 2:
                transition.add_sublayer("transition_tr1_layer_1", _ConvBN((256, widths[0]), 3))
            newest = _ConvBN((before[-1], widths[stage - 1]), 3, 2, same=padding_same)
            transition.add_sublayer(f"transition_tr{stage - 1}_layer_{stage}", newest)
            self.add_sublayer(f"tr{stage - 1}", transition)
            modules = _Named()
            for m in range(MODULES[stage]):
                name = f"st{stage}_{m + 1}"
                modules.add_sublayer(f"stage_{name}", _Module(widths[:stage], name, padding_same, align_corners))
            self.add_sublayer(f"st{stage}", modules)
        self.feat_channels = [sum(widths)]
        self._align_corners = align_corners

    @paddle.jit.not_to_static  # plain Python at tracing: nothing here depends on a tensor's value
    def forward(self, x):
        """(N, 3, H, W) -> [(N, 15 * width, ceil(H / 4), ceil(W / 4))]."""
        x = self.conv_layer1_2(self.conv_layer1_1(x))
        for block in self.la1.children():
            x = block(x)
        branches = [self.tr1.transition_tr1_layer_1(x)]
        coarsest = x
        for stage in (2, 3, 4):
            transition = getattr(self, f"tr{stage - 1}")
            branches.append(getattr(transition, f"transition_tr{stage - 1}_layer_{stage}")(coarsest))
            for module in getattr(self, f"st{stage}").children():
                branches = module(branches)
            coarsest = branches[-1]
        return [paddle.concat([branches[0], *(_resized(b, branches[0], self._align_corners) for b in branches[1:])], 1)]

    def name_tables(self) -> list[NameTable]:
        """The official HRNet's names, which ISA's authors and timm use too."""
        return [NameTable("the official HRNet", dict(_official_names()))]


def _resized(x, like, align_corners: bool):
    """``x`` at the height and width of ``like``, bilinear."""
    return F.interpolate(x, size_of(like), mode="bilinear", align_corners=align_corners)


def _official_names() -> Iterator[Pair]:
    """(official name, ours): the two implementations differ in names only."""
    for n in (1, 2):
        yield from conv_bn(f"conv{n}", f"bn{n}", f"conv_layer1_{n}")
    for i in range(BLOCKS):
        for n in (1, 2, 3):
            yield from conv_bn(f"layer1.{i}.conv{n}", f"layer1.{i}.bn{n}", f"la1.bb_layer2_{i + 1}.conv{n}")
    yield from conv_bn("layer1.0.downsample.0", "layer1.0.downsample.1", "la1.bb_layer2_1.conv_down")
    yield from conv_bn("transition1.0.0", "transition1.0.1", "tr1.transition_tr1_layer_1")
    for t in (1, 2, 3):
        newest = f"transition{t}.{t}.0"
        yield from conv_bn(f"{newest}.0", f"{newest}.1", f"tr{t}.transition_tr{t}_layer_{t + 1}")
    for stage, modules in MODULES.items():
        for m in range(modules):
            theirs, name = f"stage{stage}.{m}", f"st{stage}_{m + 1}"
            ours = f"st{stage}.stage_{name}"
            for b in range(stage):
                for i in range(BLOCKS):
                    block = f"{ours}.branches_func.bb_{name}_branch_layer_{b + 1}_{i + 1}"
                    for n in (1, 2):
                        conv = f"{theirs}.branches.{b}.{i}"
                        yield from conv_bn(f"{conv}.conv{n}", f"{conv}.bn{n}", f"{block}.conv{n}")
            for i in range(stage):
                for j in range(stage):
                    fuse = f"{theirs}.fuse_layers.{i}.{j}"
                    residual = f"{ours}.fuse_func.residual_{name}_layer_{i + 1}_{j + 1}"
                    if j > i:
                        yield from conv_bn(f"{fuse}.0", f"{fuse}.1", residual)
                    for k in range(i - j):
                        yield from conv_bn(f"{fuse}.{k}.0", f"{fuse}.{k}.1", f"{residual}_{k + 1}")


@BACKBONES.register
class HRNet_W18(HRNet):
    """Branches of 18, 36, 72 and 144 channels; 270 at the end."""

    width = 18


@BACKBONES.register
class HRNet_W30(HRNet):
    """Branches of 30, 60, 120 and 240 channels; 450 at the end."""

    width = 30


@BACKBONES.register
class HRNet_W32(HRNet):
    """Branches of 32, 64, 128 and 256 channels; 480 at the end."""

    width = 32


@BACKBONES.register
class HRNet_W40(HRNet):
    """Branches of 40, 80, 160 and 320 channels; 600 at the end."""

    width = 40


@BACKBONES.register
class HRNet_W44(HRNet):
    """Branches of 44, 88, 176 and 352 channels; 660 at the end."""

    width = 44


@BACKBONES.register
class HRNet_W48(HRNet):
    """Branches of 48, 96, 192 and 384 channels; 720 at the end."""

    width = 48


@BACKBONES.register
class HRNet_W60(HRNet):
    """Branches of 60, 120, 240 and 480 channels; 900 at the end."""

    width = 60


@BACKBONES.register
class HRNet_W64(HRNet):
    """Branches of 64, 128, 256 and 512 channels; 960 at the end."""

    width = 64
