"""ISANet as mmsegmentation computes it, in plain PyTorch with its names: the oracle of the conversion.

Written from its description (shared facts and the paper), with explicit loops over groups instead of permutations, so
that it shares neither code nor method with paddleisa.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class Unit(nn.Module):
    """mmcv's ConvModule: conv, bn, ReLU."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, dilation, project):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNetV1c(nn.Module):
    def __init__(self, depth):
        super().__init__()
        layers, inputs = [], 3
        for outputs, stride in ((32, 2), (32, 1), (64, 1)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        self.stem = nn.Sequential(*layers)
        # stride, dilation of the first block, dilation of the others
        plan = [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4)]
        for stage, (stride, first, rest) in enumerate(plan):
            width, blocks = 64 * 2**stage, []
            for i in range(BLOCKS[depth][stage]):
                blocks.append(
                    Bottleneck(inputs, width, stride if i == 0 else 1, first if i == 0 else rest, project=i == 0)
                )
                inputs = 4 * width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


class Relation(nn.Module):
    """Dense self-attention of each map of a batch."""

    def __init__(self, inputs, channels):
        super().__init__()
        self.key_project = nn.Sequential(Unit(inputs, channels, 1), Unit(channels, channels, 1))
        self.query_project = nn.Sequential(Unit(inputs, channels, 1), Unit(channels, channels, 1))
        self.value_project = nn.Conv2d(inputs, inputs, 1)
        self.output_project = Unit(inputs, inputs, 1)
        self.channels = channels

    def forward(self, x):
        query, key, value = (p(x).flatten(2) for p in (self.query_project, self.key_project, self.value_project))
        weights = torch.softmax(torch.einsum("ncq,nck->nqk", query, key) / self.channels**0.5, dim=2)
        return self.output_project(torch.einsum("nqk,nck->ncq", weights, value).reshape(x.shape))


class DecodeHead(nn.Module):
    def __init__(self, classes, inputs=2048, channels=512, isa_channels=256, window=8):
        super().__init__()
        self.in_conv = Unit(inputs, channels, 3)
        self.global_relation = Relation(channels, isa_channels)
        self.local_relation = Relation(channels, isa_channels)
        self.out_conv = Unit(2 * channels, channels, 1)
        self.conv_seg = nn.Conv2d(channels, classes, 1)
        self.window = window

    def forward(self, x):
        x = self.in_conv(x)
        (h, w), p = x.shape[2:], self.window
        missing_h, missing_w = -h % p, -w % p
        y = F.pad(x, (missing_w // 2, missing_w - missing_w // 2, missing_h // 2, missing_h - missing_h // 2))
        far, near = torch.empty_like(y), torch.empty_like(y)
        for i in range(p):
            for j in range(p):  # positions one window apart
                far[:, :, i::p, j::p] = self.global_relation(y[:, :, i::p, j::p])
        for i in range(0, y.shape[2], p):
            for j in range(0, y.shape[3], p):  # positions of one window
                near[:, :, i : i + p, j : j + p] = self.local_relation(far[:, :, i : i + p, j : j + p])
        top, left = missing_h // 2, missing_w // 2
        near = near[:, :, top : top + h, left : left + w]
        return self.conv_seg(self.out_conv(torch.cat([near, x], 1)))


class AuxiliaryHead(nn.Module):
    def __init__(self, classes, inputs=1024, channels=256):
        super().__init__()
        self.convs = nn.Sequential(Unit(inputs, channels, 3))
        self.conv_seg = nn.Conv2d(channels, classes, 1)

    def forward(self, x):
        return self.conv_seg(self.convs(x))


class MMSegISANet(nn.Module):
    """Evaluation only: dropout is left out, it has no weights."""

    def __init__(self, depth, classes, align_corners):
        super().__init__()
        self.backbone = ResNetV1c(depth)
        self.decode_head, self.auxiliary_head = DecodeHead(classes), AuxiliaryHead(classes)
        self.align_corners = align_corners

    def forward(self, x):
        """Logits of the decode head and of the auxiliary head, at the input's size."""
        maps = self.backbone(x)
        scores = self.decode_head(maps[3]), self.auxiliary_head(maps[2])
        return [F.interpolate(s, x.shape[2:], mode="bilinear", align_corners=self.align_corners) for s in scores]


def random_model(depth, classes, align_corners, seed=0):
    """A model whose statistics are far from their initial values and whose activations stay of order one."""
    torch.manual_seed(seed)
    model = MMSegISANet(depth, classes, align_corners).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.0)
            module.bias.data.uniform_(-0.3, 0.3)
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            module.num_batches_tracked += 7
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for name, module in model.named_modules():
        if name.endswith("bn3"):
            module.weight.data.mul_(0.3)  # residual branches add up over the blocks
    return model
