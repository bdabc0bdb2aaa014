"""HRNet and ResNet-D executed in PyTorch, written from their papers' descriptions with the public projects' names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def conv(channels_in, channels_out, kernel, stride=1, same=False):
    return (
        Same2d(channels_in, channels_out, kernel, stride, bias=False)
        if same
        else nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
    )


class Same2d(nn.Conv2d):
    """TensorFlow's "same": ceil(size / stride) outputs, of the padding that takes the smaller half before."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(
            reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


class Basic(nn.Module):
    def __init__(self, channels_in, width, stride=1, shortcut=None):
        super().__init__()
        self.conv1, self.bn1 = conv(channels_in, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = shortcut

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels_in, width, stride=1, shortcut=None):
        super().__init__()
        self.conv1, self.bn1 = conv(channels_in, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, width * 4, 1), nn.BatchNorm2d(width * 4)
        self.downsample = shortcut

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNetD(nn.Module):
    """timm's resnetNd: deep stem, average pooling before the shortcut's convolution. Gives the four stages' maps."""

    def __init__(self, depths, basic):
        super().__init__()
        stem = [3, 32, 32, 64]
        layers = []
        for i, (a, b) in enumerate(zip(stem, stem[1:], strict=False)):
            layers += [conv(a, b, 3, 2 if i == 0 else 1)] + ([nn.BatchNorm2d(b), nn.ReLU()] if i < 2 else [])
        self.conv1, self.bn1 = nn.Sequential(*layers), nn.BatchNorm2d(64)
        channels, growth = 64, 1 if basic else 4
        for stage, depth in enumerate(depths):
            width, stride, blocks = 64 * 2**stage, 1 if stage == 0 else 2, []
            for i in range(depth):
                shortcut = None
                if i == 0 and (stride > 1 or channels != width * growth):
                    pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
                    shortcut = nn.Sequential(pool, conv(channels, width * growth, 1), nn.BatchNorm2d(width * growth))
                blocks.append((Basic if basic else Bottleneck)(channels, width, stride if i == 0 else 1, shortcut))
                channels = width * growth
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        x, maps = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1), []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            maps.append(x)
        return maps


class Module(nn.Module):
    """One module of HRNet: blocks in each branch, then the exchange between branches."""

    def __init__(self, widths, same, align_corners):
        super().__init__()
        self.align_corners = align_corners
        self.branches = nn.ModuleList(nn.Sequential(*(Basic(w, w) for _ in range(4))) for w in widths)
        rows = []
        for i, to in enumerate(widths):
            row = []
            for j, of in enumerate(widths):
                if j == i:
                    row.append(nn.Identity())
                elif j > i:
                    row.append(nn.Sequential(conv(of, to, 1), nn.BatchNorm2d(to)))
                else:
                    steps = []
                    for k in range(i - j):
                        out = to if k == i - j - 1 else of
                        step = [conv(of, out, 3, 2, same), nn.BatchNorm2d(out)]
                        steps.append(nn.Sequential(*step, *([] if k == i - j - 1 else [nn.ReLU()])))
                    row.append(nn.Sequential(*steps))
            rows.append(nn.ModuleList(row))
        self.fuse_layers = nn.ModuleList(rows)

    def forward(self, xs):
        xs = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
        fused = []
        for i, row in enumerate(self.fuse_layers):
            parts = [layer(x) for layer, x in zip(row, xs, strict=True)]
            parts = [upsample(p, xs[i], self.align_corners) if j > i else p for j, p in enumerate(parts)]
            fused.append(F.relu(sum(parts)))
        return fused


class HRNet(nn.Module):
    """The official HRNet up to the concatenation of its branches at 1/4; ``same`` pads as PaddleSeg does."""

    def __init__(self, width, same, align_corners):
        super().__init__()
        self.align_corners = align_corners
        widths = [width * 2**i for i in range(4)]
        self.conv1, self.bn1 = conv(3, 64, 3, 2, same), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = conv(64, 64, 3, 2, same), nn.BatchNorm2d(64)
        shortcut = nn.Sequential(conv(64, 256, 1), nn.BatchNorm2d(256))
        self.layer1 = nn.Sequential(Bottleneck(64, 64, 1, shortcut), *(Bottleneck(256, 64) for _ in range(3)))

        def unit(a, b, stride):
            return nn.Sequential(conv(a, b, 3, stride, same and stride > 1), nn.BatchNorm2d(b), nn.ReLU())

        self.transition1 = nn.ModuleList([unit(256, widths[0], 1), nn.Sequential(unit(256, widths[1], 2))])
        self.transition2 = nn.ModuleList([nn.Identity(), nn.Identity(), nn.Sequential(unit(widths[1], widths[2], 2))])
        self.transition3 = nn.ModuleList([nn.Identity()] * 3 + [nn.Sequential(unit(widths[2], widths[3], 2))])
        for stage, modules in ((2, 1), (3, 4), (4, 3)):
            made = (Module(widths[:stage], same, align_corners) for _ in range(modules))
            setattr(self, f"stage{stage}", nn.Sequential(*made))

    def forward(self, x):
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        x = self.layer1(x)
        xs = self.stage2([layer(x) for layer in self.transition1])
        xs = self.stage3([*xs, self.transition2[2](xs[-1])])
        xs = self.stage4([*xs, self.transition3[3](xs[-1])])
        return [torch.cat([upsample(each, xs[0], self.align_corners) for each in xs], 1)]


def upsample(x, like, align_corners):
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=align_corners)


def randomised(model, seed):
    """The model in evaluation with weights and statistics that keep values of about 1 through its depth."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.ndim > 1:
                scale = (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)
            elif name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif name.endswith(("running_mean", "bias")):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
            elif name.endswith("weight"):
                tensor.copy_(0.3 + 0.4 * torch.rand(tensor.shape, generator=generator))
    return model.eval()
