"""Every registered backbone passes the shared contract."""

from backbone_contract import BackboneContract

from paddleisa import models
from paddleisa.registry import BACKBONES

SHALLOW, DEEP = (64, 128, 256, 512), (256, 512, 1024, 2048)


class TestResNet18Vd(BackboneContract):
    backbone, channels = models.ResNet18_vd, SHALLOW


class TestResNet34Vd(BackboneContract):
    backbone, channels = models.ResNet34_vd, SHALLOW


class TestResNet50Vd(BackboneContract):
    backbone, channels = models.ResNet50_vd, DEEP


class TestResNet101Vd(BackboneContract):
    backbone, channels = models.ResNet101_vd, DEEP


class TestResNet50V1c(BackboneContract):
    backbone, channels = models.ResNet50_v1c, DEEP


class TestResNet101V1c(BackboneContract):
    backbone, channels = models.ResNet101_v1c, DEEP


class TestHRNetW18(BackboneContract):
    backbone, channels, strides = models.HRNet_W18, (270,), {None: (4,)}


class TestEfficientNetLite0(BackboneContract):
    backbone, channels = models.EfficientNet_Lite0, (24, 40, 112, 320)


class TestEfficientNetLite1(BackboneContract):
    backbone, channels = models.EfficientNet_Lite1, (24, 40, 112, 320)


class TestEfficientNetLite2(BackboneContract):
    backbone, channels = models.EfficientNet_Lite2, (24, 48, 120, 352)


def test_no_backbone_of_the_package_is_left_out():
    """Classes that share a tested one's forward and constructor differ in depth or width only."""
    tested = {(case.backbone.forward, case.backbone.__init__) for case in BackboneContract.__subclasses__()}
    ours = [c for c in map(BACKBONES.get, BACKBONES) if c.__module__.startswith("paddleisa.")]
    assert [cls.__name__ for cls in ours if (cls.forward, cls.__init__) not in tested] == []
