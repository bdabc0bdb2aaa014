"""Any list of transforms is refused for evaluation, or gives the same mask of the image's own size every time."""

from __future__ import annotations

import numpy as np
import paddle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddleisa.build import build_val_transforms
from paddleisa.config import Config, check
from paddleisa.errors import ConfigError
from paddleisa.predictor import Predictor
from paddleisa.transforms import Compose

SIDE = st.integers(8, 60)
SIZE = st.lists(SIDE, min_size=2, max_size=2)
UNIT = st.sampled_from([0, 0.25, 0.5, 0.9])
COLOUR = st.sampled_from([127.5, 0, [10, 20, 30], 0.5, -1, 300])


def one(name, **options):
    return st.fixed_dictionaries({"type": st.just(name)}, optional=options)


TRANSFORM = st.one_of(
    one("Normalize", mean=st.lists(UNIT, min_size=3, max_size=3), std=st.just([0.5])),
    st.fixed_dictionaries({"type": st.just("Padding"), "target_size": SIZE}, optional={"im_padding_value": COLOUR}),
    st.fixed_dictionaries({"type": st.just("ResizeByLong"), "long_size": SIDE}),
    st.fixed_dictionaries({"type": st.just("ResizeByShort"), "short_size": SIDE}, optional={"max_size": SIDE}),
    st.fixed_dictionaries({"type": st.just("LimitLong")}, optional={"max_long": SIDE}),
    one("Resize", target_size=SIZE, interp=st.sampled_from(["LINEAR", "CUBIC", "RANDOM"])),
    one("PaddingByAspectRatio", aspect_ratio=st.sampled_from([0.5, 1, 2])),
    one("ResizeStepScaling", min_scale_factor=st.just(1.25)),
    *(one(name) for name in ("RandomHorizontalFlip", "RandomBlur", "RandomDistort", "RandomRotation", "ScalePadding")),
    *(one(name) for name in ("RandomPaddingCrop", "RandomCenterCrop", "RandomNoise", "RandomAffine")),
)


class Brightest(paddle.nn.Layer):
    """A network whose class is the brightest colour."""

    def forward(self, x):
        return [x * 10]


def config(transforms):
    dataset = {"type": "Dataset", "dataset_root": "d", "val_path": "v", "num_classes": 3, "transforms": transforms}
    model = {"type": "ISANet", "backbone": {"type": "ResNet18_vd"}}
    return Config.from_dict({"model": model, "val_dataset": dataset})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TRANSFORM, max_size=4), st.integers(1, 50), st.integers(1, 50))
def test_a_list_is_refused_or_gives_the_same_mask_of_the_images_size(transforms, height, width):
    try:
        predictor = Predictor(Brightest(), config(transforms))
    except ConfigError:
        return
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = predictor(image)
    assert mask.shape == (height, width)
    np.testing.assert_array_equal(mask, predictor(image))


@settings(max_examples=150, deadline=None)
@given(st.lists(TRANSFORM, max_size=4))
def test_what_is_accepted_draws_no_random_number(transforms):
    try:
        steps = build_val_transforms(config(transforms))
    except ConfigError:
        return
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Compose(steps)({"img": image, "rng": None})  # whoever draws fails


@settings(max_examples=100, deadline=None)
@given(st.lists(TRANSFORM, min_size=1, max_size=4))
def test_every_problem_has_its_place_and_says_what_to_do(transforms):
    try:
        check(config(transforms), "val")
    except ConfigError as error:
        for problem in error.problems:
            assert "val_dataset.transforms" in problem.where and problem.fix
