"""ISANet on ResNet-vd in plain PyTorch eager mode: the other side of training_step.py.

The same layers as paddleisa's ISANet (tensors and operations are counted there), written as a PyTorch user would.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

PLANS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}


class ConvBN(nn.Sequential):
    """Convolution, batch norm, and ReLU unless it is left out."""

    def __init__(self, inputs, outputs, kernel, stride=1, dilation=1, relu=True):
        conv = nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if relu else []))


class Block(nn.Module):
    """Residual block of ResNet-vd: two 3x3 convolutions, or a bottleneck."""

    def __init__(self, inputs, width, stride, dilation, project, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            middle = ConvBN(width, width, 3, stride, dilation)
            self.body = nn.Sequential(ConvBN(inputs, width, 1), middle, ConvBN(width, outputs, 1, relu=False))
        else:
            first = ConvBN(inputs, width, 3, stride, dilation)
            self.body = nn.Sequential(first, ConvBN(width, width, 3, dilation=dilation, relu=False))
        self.short = nn.Identity()
        if project:
            pool = [nn.AvgPool2d(stride, stride, ceil_mode=True)] if stride > 1 else []
            self.short = nn.Sequential(*pool, ConvBN(inputs, outputs, 1, relu=False))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x), inplace=True)


class Attention(nn.Module):
    """Self-attention whose positions are grouped by an order of (N, C, Qh, Ph, Qw, Pw)."""

    def __init__(self, channels, inner, order):
        super().__init__()
        self.query = nn.Sequential(ConvBN(channels, inner, 1), ConvBN(inner, inner, 1))
        self.key = nn.Sequential(ConvBN(channels, inner, 1), ConvBN(inner, inner, 1))
        self.value, self.out = nn.Conv2d(channels, channels, 1), ConvBN(channels, channels, 1)
        self.order, self.inverse = order, [order.index(axis) for axis in range(6)]

    def forward(self, x, window):
        (n, c, h, w), (ph, pw) = x.shape, window
        sizes = [n, c, h // ph, ph, w // pw, pw]

        def split(y):
            parts = y.reshape(n, y.shape[1], *sizes[2:]).permute(self.order)
            return parts.reshape(-1, y.shape[1], parts.shape[4] * parts.shape[5]).transpose(1, 2)

        y = F.scaled_dot_product_attention(split(self.query(x)), split(self.key(x)), split(self.value(x)))
        y = y.transpose(1, 2).reshape([sizes[axis] for axis in self.order]).permute(self.inverse)
        return self.out(y.reshape(n, c, h, w))


class TorchISANet(nn.Module):
    """(N, 3, H, W) -> [logits, auxiliary logits] at the image's size.

    Args:
        depth: 18 or 50.
        classes: number of classes.
        output_stride: 8 or 16.
    """

    def __init__(self, depth, classes=19, output_stride=8):
        super().__init__()
        self.stem = nn.Sequential(ConvBN(3, 32, 3, 2), ConvBN(32, 32, 3), ConvBN(32, 64, 3), nn.MaxPool2d(3, 2, 1))
        dilations = {8: (1, 1, 2, 4), 16: (1, 1, 1, 2)}[output_stride]
        stages, inputs, bottleneck = [], 64, depth == 50
        for stage, (blocks, dilation) in enumerate(zip(PLANS[depth], dilations, strict=True)):
            width, layers = 64 * 2**stage, []
            for i in range(blocks):
                stride = 2 if i == 0 and stage and dilation == 1 else 1
                layers.append(Block(inputs, width, stride, dilation, i == 0, bottleneck))
                inputs = width * (4 if bottleneck else 1)
            stages.append(nn.Sequential(*layers))
        self.stages, inner = nn.ModuleList(stages), inputs // 4
        self.in_conv = ConvBN(inputs, inner, 3)
        self.long_range = Attention(inner, 256, [0, 3, 5, 1, 2, 4])
        self.short_range = Attention(inner, 256, [0, 2, 4, 1, 3, 5])
        self.classify = nn.Sequential(ConvBN(2 * inner, inner, 1), nn.Dropout2d(0.1), nn.Conv2d(inner, classes, 1))
        aux = inputs // 8
        self.aux = nn.Sequential(ConvBN(inputs // 2, aux, 3), nn.Dropout2d(0.1), nn.Conv2d(aux, classes, 1))

    def forward(self, image):
        x, maps = self.stem(image), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        x = self.in_conv(x)
        h, w = x.shape[2:]
        down, right = -h % 8, -w % 8
        y = F.pad(x, [right // 2, right - right // 2, down // 2, down - down // 2])
        y = self.short_range(self.long_range(y, (8, 8)), (8, 8))[
            :, :, down // 2 : down // 2 + h, right // 2 : right // 2 + w
        ]
        scores = self.classify(torch.cat([y, x], 1)), self.aux(maps[2])
        return [F.interpolate(s, image.shape[2:], mode="bilinear", align_corners=False) for s in scores]
