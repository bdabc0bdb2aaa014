"""An ISANet on EfficientNet-Lite, depthwise convolutions and ReLU6, in every engine."""

import numpy as np
import paddle
import pytest
from deploy_models import CONFIG, CONVERTED, with_statistics

from paddleisa import Predictor, models


class Thin(models.EfficientNet_Lite0):
    """Half as many blocks, and narrower ones: of every kind and stride, dilated ones too."""

    width, depth = 0.25, 0.4


@pytest.fixture(scope="module", params=["same", "centred"])
def lite(request):
    backbone = Thin(16, padding=request.param)
    model = models.ISANet(4, backbone, isa_channels=16, down_factor=(4, 4))
    rng = np.random.default_rng(0)
    for tensor in model.state_dict().values():
        if len(tensor.shape) == 4:  # large enough for the scores to differ by more than rounding
            fan = int(np.prod(tensor.shape[1:]))
            tensor.set_value((rng.standard_normal(tensor.shape) * (2 / fan) ** 0.5).astype(np.float32))
    with_statistics(model)
    with paddle.no_grad():  # no class may win everywhere
        scores = model.scores(paddle.to_tensor(rng.uniform(-1, 1, (1, 3, 96, 128)).astype("float32")))[0]
    bias = model.head.cls[1].bias
    bias.set_value(bias - scores.mean([0, 2, 3]))
    return model


@pytest.mark.parametrize("engine", CONVERTED)
def test_every_engine_gives_the_mask_of_the_network_at_odd_and_even_sizes(engine, lite):
    expected, found = Predictor(lite, CONFIG), Predictor(lite, CONFIG, engine=engine)
    for height, width in ((96, 128), (75, 93)):
        image = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
        wanted = expected(image)
        assert len(np.unique(wanted)) > 1
        assert (found(image) == wanted).mean() >= 0.999
