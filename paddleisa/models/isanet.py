"""ISANet: a dilated backbone, interlaced attention, a classifier, and an auxiliary head for training."""

from __future__ import annotations

from typing import Annotated, Literal

import paddle
import paddle.nn.functional as F
from paddle import nn
from pydantic import Field

from paddleisa.errors import ConfigError
from paddleisa.inference.interpolation import Upsampling
from paddleisa.models.attention import SelfAttention, interlace
from paddleisa.models.layers import ConvBNReLU
from paddleisa.registry import BACKBONES, HEADS, MODELS

PositiveInt = Annotated[int, Field(gt=0)]


@HEADS.register
class ISAHead(nn.Layer):
    """From the backbone's last two stages to class scores at the backbone's resolution (original file isanet.py).

    Args:
        num_classes: number of classes.
        in_channels: channels of the last but one stage, for the auxiliary head, and of the last one.
        isa_channels: channels of query and key.
        down_factor: window (Ph, Pw) of the attention, in positions.
        enable_auxiliary_loss: whether training has the auxiliary head.
    """

    def __init__(
        self,
        num_classes: PositiveInt,
        in_channels: tuple[PositiveInt, PositiveInt],
        isa_channels: PositiveInt = 256,
        down_factor: tuple[PositiveInt, PositiveInt] = (8, 8),
        enable_auxiliary_loss: bool = True,
    ):
        aux_channels, channels = in_channels
        inner = channels // 4
        super().__init__()
        self.in_conv = ConvBNReLU(channels, inner, 3)
        self.global_relation = SelfAttention(inner, isa_channels)
        self.local_relation = SelfAttention(inner, isa_channels)
        self.out_conv = ConvBNReLU(2 * inner, inner, 1)
        self.cls = nn.Sequential(nn.Dropout2D(0.1), nn.Conv2D(inner, num_classes, 1))
        self.down_factor, self.enable_auxiliary_loss = tuple(down_factor), enable_auxiliary_loss
        if enable_auxiliary_loss:
            hidden = aux_channels // 4
            self.aux = nn.Sequential(
                ConvBNReLU(aux_channels, hidden, 3), nn.Dropout2D(0.1), nn.Conv2D(hidden, num_classes, 1)
            )

    def forward(self, features):
        """Two feature maps (N, C, H, W) -> [scores (N, classes, H, W)], in training [scores, auxiliary scores]."""
        before, last = features
        x = self.in_conv(last)
        context = interlace(x, self.down_factor, self.global_relation, self.local_relation)
        x = self.out_conv(paddle.concat([context, x], axis=1))
        scores = [self.cls(x)]
        if self.training and self.enable_auxiliary_loss:
            scores.append(self.aux(before))
        return scores


@MODELS.register
class ISANet(nn.Layer):
    """Interlaced Sparse Self-Attention for Semantic Segmentation, arXiv:1907.12273.

    Args:
        num_classes: number of classes.
        backbone: network whose forward gives a list of feature maps and whose ``feat_channels`` gives their channels.
        backbone_indices: the two maps that feed the auxiliary head and the attention.
        isa_channels: channels of query and key.
        down_factor: window (Ph, Pw) of the attention, in positions of the feature map.
        align_corners: how logits are upsampled; False for the published Cityscapes rows, True for the VOC rows.
        enable_auxiliary_loss: whether training has the auxiliary head. It is not run in evaluation.
        pretrained: weights of the whole model for a training to start from; kept here for the trainer, not loaded.
        upsample: where the pixels of the logits lie when they are upsampled without align_corners: ``paddleseg``,
            pixel i at i * scale, or ``half_pixel``, at half-pixel centres, as mmsegmentation's checkpoints need it.
    """

    classifier_names = ("head.cls.1", "head.aux.2")  # what depends on the number of classes

    def __init__(
        self,
        num_classes: PositiveInt,
        backbone: Annotated[nn.Layer, BACKBONES],
        backbone_indices: tuple[int, int] = (2, 3),
        isa_channels: PositiveInt = 256,
        down_factor: tuple[PositiveInt, PositiveInt] = (8, 8),
        align_corners: bool = False,
        enable_auxiliary_loss: bool = True,
        pretrained: str | None = None,
        upsample: Literal["paddleseg", "half_pixel"] = "paddleseg",
    ):
        super().__init__()
        try:
            in_channels = tuple(backbone.feat_channels[i] for i in backbone_indices)
        except IndexError:
            raise ConfigError(
                f"backbone_indices {list(backbone_indices)} point outside the backbone's "
                f"{len(backbone.feat_channels)} feature maps",
                fix="Write [2, 3]",
            ) from None
        self.backbone, self.backbone_indices = backbone, tuple(backbone_indices)
        self.head = ISAHead(num_classes, in_channels, isa_channels, down_factor, enable_auxiliary_loss)
        self.num_classes, self.align_corners, self.pretrained = num_classes, align_corners, pretrained
        self.upsampling = Upsampling(align_corners, 1 if upsample == "paddleseg" else 0)

    @property
    def num_outputs(self) -> int:
        """Logit maps in training: one loss term is needed for each."""
        return 2 if self.head.enable_auxiliary_loss else 1

    def forward(self, x):
        """(N, 3, H, W) -> [logits (N, num_classes, H, W)], in training [logits, auxiliary logits]. Any H and W."""
        size, how = [x.shape[2], x.shape[3]], vars(self.upsampling)
        return [F.interpolate(scores, size, mode="bilinear", **how) for scores in self.scores(x)]

    def scores(self, x):
        """The same at the backbone's resolution, before ``upsampling`` brings it to the image's."""
        features = self.backbone(x)
        return self.head([features[i] for i in self.backbone_indices])
