"""Backbones, heads and models. Importing this package fills their registries."""

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle
from paddleisa.models.attention import SelfAttention, interlace
from paddleisa.models.backbones.efficientnet_lite import EfficientNet_Lite0, EfficientNet_Lite1, EfficientNet_Lite2
from paddleisa.models.backbones.hrnet import (
    HRNet_W18,
    HRNet_W30,
    HRNet_W32,
    HRNet_W40,
    HRNet_W44,
    HRNet_W48,
    HRNet_W60,
    HRNet_W64,
)
from paddleisa.models.backbones.resnet_v1c import ResNet50_v1c, ResNet101_v1c
from paddleisa.models.backbones.resnet_vd import ResNet18_vd, ResNet34_vd, ResNet50_vd, ResNet101_vd, ResNet152_vd
from paddleisa.models.heads.fcn_head import FCNHead
from paddleisa.models.heads.isa_head import ISAHead
from paddleisa.models.heads.oc_head import OCHead
from paddleisa.models.isanet import ISANet

__all__ = [
    "EfficientNet_Lite0",
    "EfficientNet_Lite1",
    "EfficientNet_Lite2",
    "HRNet_W18",
    "HRNet_W30",
    "HRNet_W32",
    "HRNet_W40",
    "HRNet_W44",
    "HRNet_W48",
    "HRNet_W60",
    "HRNet_W64",
    "FCNHead",
    "ISAHead",
    "ISANet",
    "OCHead",
    "ResNet18_vd",
    "ResNet34_vd",
    "ResNet50_v1c",
    "ResNet50_vd",
    "ResNet101_v1c",
    "ResNet101_vd",
    "ResNet152_vd",
    "SelfAttention",
    "interlace",
]
