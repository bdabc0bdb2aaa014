"""What holds for every transform, whatever it does: labels follow images, and randomness follows the generator."""

import numpy as np
import pytest

from paddleisa.config.signature import options_of
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms import Compose, Normalize, Padding, Resize, ResizeByLong, ResizeByShort
from paddleisa.transforms.compose import prepared_by
from paddleisa.transforms.traits import traits_of

OPTIONS = {
    "LimitLong": {"max_long": 50},
    "Padding": {"target_size": (90, 80), "position": "random"},
    "RandomAffine": {"size": (60, 50), "translation_offset": 5},
    "RandomBlur": {"prob": 0.5},
    "RandomHorizontalFlip": {"swapped_labels": [(1, 2)]},
    "RandomPaddingCrop": {"crop_size": (50, 30), "category_max_ratio": 0.9},
    "Resize": {"target_size": (50, 40), "interp": "RANDOM"},
    "ResizeByLong": {"long_size": 50},
    "ResizeByShort": {"short_size": 25},
    "ResizeRangeScaling": {"min_value": 30, "max_value": 90},
    "ResizeStepScaling": {"scale_step_size": 0, "aspect_range": (0.5, 2.0)},
    "ResizeToFit": {"target_size": (50, 40), "ratio_range": (0.5, 2.0)},
    "ScalePadding": {"target_size": (60, 50)},
}
NAMES = list(TRANSFORMS)
LEVELS = np.array([10, 80, 150, 220], np.uint8)  # of the four classes; each stays nearest to its own when blurred a bit
COLOURS_CHANGE = {"RandomDistort", "RandomBlur", "RandomNoise", "RandomBrightnessShift", "Normalize"}


def built(name):
    return TRANSFORMS.get(name)(**OPTIONS.get(name, {}))


def traits(name):
    cls = TRANSFORMS.get(name)
    defaults = {option.name: option.default for option in options_of(cls).known.values()}
    return traits_of(cls, defaults | OPTIONS.get(name, {}))


def sample(seed, training=True, height=41, width=64):
    """Large patches of four classes, each with a grey of its own."""
    rng = np.random.default_rng(seed)
    label = np.kron(rng.integers(0, 4, (3, 4)), np.ones((14, 16)))[:height, :width].astype(np.uint8)
    img = np.repeat(LEVELS[label][..., None], 3, axis=2)
    return {"img": img, "label": label, "gt_fields": ["label"] if training else [], "rng": rng, "trans_info": []}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_generator_gives_the_same_sample(name):
    for seed in range(5):
        one, two = (Compose([built(name)])(sample(seed)) for _ in range(2))
        np.testing.assert_array_equal(one["img"], two["img"])
        np.testing.assert_array_equal(one["label"], two["label"])


@pytest.mark.parametrize("name", NAMES)
def test_what_draws_says_so_and_what_does_not_leaves_the_generator_alone(name):
    outs, drew = set(), False
    for seed in range(20):
        data = sample(0) | {"rng": np.random.default_rng(seed)}
        state = data["rng"].bit_generator.state
        outs.add(Compose([built(name)])(data)["img"].tobytes())
        drew = drew or data["rng"].bit_generator.state != state
    random = traits(name).random
    assert random == drew == (len(outs) > 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_label_goes_where_the_image_goes(name):
    for seed in range(10):
        out = Compose([built(name)])(sample(seed))
        grey, label = out["img"][0], out["label"]
        assert grey.shape == label.shape
        if name in COLOURS_CHANGE:
            np.testing.assert_array_equal(label, sample(seed)["label"])
            continue
        if name == "RandomHorizontalFlip":  # classes 1 and 2 change places in a mirror
            mirrored = not np.array_equal(out["img"], sample(seed)["img"].transpose(2, 0, 1))
            label = np.array([0, 2, 1, 3], np.uint8)[label] if mirrored else label
        inside = label < 4
        assert inside.mean() > 0.1
        nearest = np.abs(grey[..., None] - LEVELS.astype(np.float32)).argmin(-1)
        assert (nearest == label)[inside].mean() > 0.85  # only pixels at borders between patches may differ


@pytest.mark.parametrize("name", NAMES)
def test_what_says_recorded_or_kept_can_be_undone(name):
    says = traits(name)
    out = Compose([built(name)])(sample(3, training=False))
    size = out["img"].shape[1:]
    if says.geometry == "kept":
        assert size == (41, 64) and out["trans_info"] == []
    if says.geometry == "recorded":
        assert [size for _, size in out["trans_info"]] == [(41, 64)]


@pytest.mark.parametrize(
    "steps",
    [
        [Resize((50, 30))],
        [ResizeByLong(90)],
        [ResizeByShort(33)],
        [Resize((31, 33), "CUBIC")],
        [Normalize((0.4,), (0.2,))],
    ],
    ids=lambda steps: type(steps[0]).__name__,
)
def test_mirroring_before_or_after_is_the_same(steps):
    data, mirrored = sample(1), sample(1)
    for key in ("img", "label"):
        mirrored[key] = np.ascontiguousarray(mirrored[key][:, ::-1])
    straight, other = Compose(steps)(data), Compose(steps)(mirrored)
    np.testing.assert_allclose(straight["img"][:, :, ::-1], other["img"], atol=1e-2)


@pytest.mark.parametrize(
    "steps", [[], [Normalize()], [Padding((80, 60)), Normalize()], [ResizeByLong(90), Normalize()]]
)
def test_prediction_prepares_an_image_as_evaluation_does(steps):
    data = sample(2, training=False)
    alone = prepared_by(steps)({"img": data["img"].copy()})
    evaluated = Compose(steps)(data)
    np.testing.assert_array_equal(alone["img"], evaluated["img"])
    assert alone["trans_info"] == evaluated["trans_info"]
