"""What every head does: a context, a classifier on top of it, and an auxiliary classifier for training.

Contract of a head, whatever its base class, so that ``ISANet`` takes it:

* it joins the table with ``@HEADS.register``; its constructor takes ``num_classes``, and ``in_channels``, a tuple with
  the channels of the feature maps that ``ISANet.backbone_indices`` chooses. Both are supplied by ``ISANet``; what else
  the constructor takes are the head's options in a config;
* its forward takes those maps, (N, C, H, W) each, and gives a list of scores (N, num_classes, h, w): one in
  evaluation, in training one for each loss term;
* ``classifier_names`` lists the sublayers whose shape depends on ``num_classes``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from paddle import nn
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.models.layers import ConvBNReLU

Probability = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["relu", "leaky_relu"]
NEGATIVE_SLOPE = {"relu": 0.0, "leaky_relu": 0.01}


class SegmentationHead(nn.Layer):
    """Base of the package's heads; a subclass gives ``context`` and ends its constructor with ``add_classifiers``."""

    classifier_names: tuple[str, ...] = ("cls.1", "aux.2")

    def context(self, x):
        """The backbone's last map (N, C, H, W) -> features for the classifier (N, channels, H, W)."""
        raise NotImplementedError

    def add_classifiers(
        self,
        num_classes: int,
        in_channels: tuple[int, ...],
        channels: int,
        enable_auxiliary_loss: bool,
        aux_channels: int | None,
        dropout: float,
        activation: Activation,
        bias: bool = True,
    ) -> None:
        """Make ``cls``, on ``channels`` features of the context, and ``aux``, on the first of the backbone's maps.

        Args:
            num_classes: number of classes.
            in_channels: channels of the backbone's maps.
            channels: of the context.
            enable_auxiliary_loss: whether training has the auxiliary classifier.
            aux_channels: its width; a quarter of its map's unless given.
            dropout: probability of a whole feature to be dropped before either classifier.
            activation: after its 3x3 convolution.
            bias: whether ``cls`` has a bias.

        Raises:
            ConfigError: there is no map for the auxiliary classifier.
        """
        self.cls = nn.Sequential(
            nn.Dropout2D(dropout), nn.Conv2D(channels, num_classes, 1, bias_attr=None if bias else False)
        )
        self.enable_auxiliary_loss = enable_auxiliary_loss
        if enable_auxiliary_loss:
            if len(in_channels) < 2:
                raise ConfigError(
                    "the auxiliary classifier needs a feature map of its own, and backbone_indices names one map only",
                    fix="Name two maps, or write enable_auxiliary_loss: False",
                )
            width = aux_channels or in_channels[0] // 4
            first = ConvBNReLU(in_channels[0], width, 3, negative_slope=NEGATIVE_SLOPE[activation])
            self.aux = nn.Sequential(first, nn.Dropout2D(dropout), nn.Conv2D(width, num_classes, 1))

    def forward(self, features):
        """Feature maps (N, C, H, W) -> [scores (N, classes, H, W)], in training [scores, auxiliary scores]."""
        scores = [self.cls(self.context(features[-1]))]
        if self.training and self.enable_auxiliary_loss:
            scores.append(self.aux(features[0]))
        return scores
