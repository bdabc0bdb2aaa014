"""A plug-in: a backbone of four convolutions, so that a row is measured in a second."""

from paddle import nn

from paddleisa.registry import BACKBONES


@BACKBONES.register
class FourConvolutions(nn.Layer):
    feat_channels = [4, 6, 6, 8]

    def __init__(self, pretrained: str | None = None):
        super().__init__()
        self.stages = nn.LayerList(
            nn.Conv2D(a, b, 3, stride=stride, padding=1)
            for a, b, stride in zip([3, 4, 6, 6], self.feat_channels, [2, 2, 1, 1], strict=True)
        )

    def forward(self, x):
        features = []
        for stage in self.stages:
            x = nn.functional.relu(stage(x))
            features.append(x)
        return features
