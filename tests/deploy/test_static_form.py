"""ISANet as it is traced: the same numbers as the model, whatever the form, the size and the upsampling."""

import copy

import numpy as np
import paddle
import pytest
from deploy_models import images, logits_of, with_statistics
from paddle import nn

from paddleisa.deploy.export.network import interpolate_by_products, use_static_form
from paddleisa.models import ISANet


class Strides(nn.Layer):
    """A backbone of stride 4, so that small images have features of every remainder."""

    feat_channels = [4, 4, 4, 8]

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2D(3, 4, 3, stride=2, padding=1), nn.Conv2D(4, 8, 3, stride=2, padding=1)

    def forward(self, x):
        x = self.first(x)
        return [x, x, x, self.last(x)]


@pytest.mark.parametrize("form", ["paddle", "onnx"])
@pytest.mark.parametrize("window", [(2, 2), (3, 5), (1, 4), (8, 8)], ids=str)
@pytest.mark.parametrize(
    "options",
    [{}, {"align_corners": True}, {"upsample": "half_pixel"}],
    ids=["published", "align_corners", "half_pixel"],
)
def test_the_static_form_computes_what_the_model_computes(form, window, options):
    paddle.seed(0)
    model = with_statistics(ISANet(3, Strides(), isa_channels=4, down_factor=window, **options))
    static = copy.deepcopy(model)
    use_static_form(static, form)
    assert (static.interpolate is interpolate_by_products) == (form == "paddle")
    for height, width in ((32, 32), (33, 41), (24, 60), (9, 7), (1, 1)):
        x = images(2, 3, height, width)
        found = logits_of(static, x)
        np.testing.assert_allclose(found, logits_of(model, x), rtol=0, atol=2e-5, err_msg=f"{height}x{width}")


def test_another_model_keeps_its_own_forward():
    class Mine(ISANet):
        pass

    model = Mine(3, Strides(), isa_channels=4)
    use_static_form(model, "onnx")
    assert type(model) is Mine
