"""ISANet: a dilated backbone, a head with interlaced attention, and its scores upsampled to the image's size."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import paddle.nn.functional as F
from paddle import nn

from paddleisa.errors import ConfigError
from paddleisa.models.heads.isa_head import ISAHead
from paddleisa.models.windows import size_of
from paddleisa.registry import BACKBONES, HEADS, MODELS, LayerSize
from paddleisa.utils.interpolation import Upsampling

Head = Annotated[Callable[..., nn.Layer], HEADS]


def interpolate(scores, size, how: Upsampling):
    """Bilinear interpolation of (N, C, h, w) to ``size``, [H, W] or a vector inside a static graph."""
    return F.interpolate(scores, size, mode="bilinear", align_corners=how.align_corners, align_mode=how.align_mode)


@MODELS.register
class ISANet(nn.Layer):
    """Interlaced Sparse Self-Attention for Semantic Segmentation, arXiv:1907.12273.

    Args:
        num_classes: number of classes.
        backbone: network that keeps the contract of ``backbones/resnet_vd.py``.
        backbone_indices: the feature maps that feed the head: for its auxiliary classifier and, last, its attention.
        isa_channels, down_factor, enable_auxiliary_loss: PaddleSeg's keys, the head's options of the same names:
            channels of query and key (256), window (Ph, Pw) of the attention in positions of the feature map (8, 8),
            whether training has the auxiliary classifier (True).
        align_corners: how scores are upsampled; False for the published Cityscapes rows, True for the VOC rows.
        pretrained: weights of the whole model that a training starts from. The training reads it from the config;
            nothing is loaded here.
        upsample: where the pixels of the logits lie when they are upsampled without align_corners: ``paddleseg``,
            pixel i at i * scale (so unless given), or ``half_pixel``, at half-pixel centres, as mmsegmentation's
            checkpoints need it.
        head: constructor of a head that keeps the contract of ``heads/base.py``, called with ``num_classes`` and
            ``in_channels``; ISAHead unless given. In a config, a mapping with ``type`` and the head's options.

    Raises:
        ConfigError: ``backbone_indices`` point outside the backbone, or two options contradict each other.
    """

    default_head = ISAHead
    head_keys = ("isa_channels", "down_factor", "enable_auxiliary_loss")  # the config check compares them with `head`

    def __init__(
        self,
        num_classes: LayerSize,
        backbone: Annotated[nn.Layer, BACKBONES],
        backbone_indices: tuple[int, ...] = (2, 3),
        isa_channels: LayerSize | None = None,
        down_factor: tuple[LayerSize, LayerSize] | None = None,
        align_corners: bool = False,
        enable_auxiliary_loss: bool | None = None,
        pretrained: str | None = None,
        upsample: Literal["paddleseg", "half_pixel"] | None = None,
        head: Head | None = None,
    ):
        super().__init__()
        if align_corners and upsample is not None:
            raise ConfigError(
                f"upsample: {upsample} has no effect with align_corners: True", fix="Remove one of the two"
            )
        flat = dict(zip(self.head_keys, (isa_channels, down_factor, enable_auxiliary_loss), strict=True))
        head = _with_flat_keys(
            head or self.default_head, {key: value for key, value in flat.items() if value is not None}
        )
        self.backbone, self.backbone_indices = backbone, tuple(backbone_indices)
        self.head = head(num_classes=num_classes, in_channels=_channels(backbone, self.backbone_indices))
        self.num_classes, self.align_corners = num_classes, align_corners
        self.upsampling = Upsampling(align_corners, 0 if align_corners or upsample == "half_pixel" else 1)
        self.interpolate = interpolate  # an export that cannot compute it has another

    @property
    def classifier_names(self) -> tuple[str, ...]:
        """The sublayers whose shape depends on the number of classes."""
        return tuple(f"head.{name}" for name in self.head.classifier_names)

    def forward(self, x):
        """(N, 3, H, W) -> [logits (N, num_classes, H, W)], in training [logits, auxiliary logits]. Any H and W."""
        size = size_of(x)
        return [self.interpolate(scores, size, self.upsampling) for scores in self.scores(x)]

    def scores(self, x):
        """(N, 3, H, W) -> what ``forward`` gives before it is upsampled, (N, num_classes, h, w) each."""
        features = self.backbone(x)
        return self.head([features[i] for i in self.backbone_indices])


def _channels(backbone: nn.Layer, indices: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(backbone.feat_channels[i] for i in indices)
    except IndexError:
        maps = len(backbone.feat_channels)
        raise ConfigError(
            f"backbone_indices {list(indices)} point outside the backbone's {maps} feature maps",
            fix=f"Write {[maps - 2, maps - 1] if maps > 1 else [0]}",
        ) from None


def _with_flat_keys(head: Callable[..., nn.Layer], flat: dict[str, object]) -> Callable[..., nn.Layer]:
    """``head`` with PaddleSeg's flat keys as its options.

    Raises:
        ConfigError: the head has no such option, or the config gives it another value.
    """
    cls, own = (head.func, head.keywords) if isinstance(head, partial) else (head, {})
    accepted = inspect.signature(cls).parameters
    for key, value in flat.items():
        if own.get(key, value) != value:
            raise ConfigError(f"{key} is {value} in the model and {own[key]} in its head", fix="Give it once")
        if key not in accepted:
            raise ConfigError(f"{cls.__name__} has no option {key!r}", fix=f"Remove {key} from the model")
    return partial(head, **flat)
