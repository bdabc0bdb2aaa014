"""int8: what is computed in 8 bits and what is not, from which images, how close to float32, and what is refused."""

import argparse

import numpy as np
import paddle
import pytest
import yaml
from deploy_models import CONFIG, images

from paddleisa import Predictor, load_config
from paddleisa.cli import common
from paddleisa.config import Config
from paddleisa.datasets.images import write_image
from paddleisa.datasets.scenes import Scenes
from paddleisa.deploy import packages
from paddleisa.deploy.export.calibration import Calibration, listed_images, training_images
from paddleisa.deploy.export.export import export_model
from paddleisa.deploy.export.int8 import quantise, refuse, trial, write_int8
from paddleisa.deploy.export.openvino import OPENVINO, OpenVinoRunner
from paddleisa.deploy.export.openvino_core import core
from paddleisa.deploy.runtimes import cache as conversion
from paddleisa.deploy.runtimes.cache import converted
from paddleisa.deploy.runtimes.open import open_engine, require_engine
from paddleisa.errors import DataError, DeployError, UsageError

TROUBLE = packages.problem_with((*OPENVINO.all_packages, *OPENVINO.quantised_packages))
int8 = pytest.mark.skipif(TROUBLE is not None, reason=str(TROUBLE and TROUBLE[0]))


@pytest.fixture(autouse=True)
def on_cpu():
    paddle.set_device("cpu")


def scenes(mode, count):
    """Images of a little drawn world, (64, 96, 3) uint8."""
    data = Scenes([], mode=mode, num_images=count, height=64, width=96)
    return [data.read(i)["img"] for i in range(count)]


def prepared(sample):
    return {"img": (sample["img"].astype("float32") / 127.5 - 1).transpose(2, 0, 1)}


CALIBRATION = Calibration(scenes("train", 4), prepared)


@pytest.fixture
def plain(model, home):
    """model.xml of the float32 network."""
    return converted(model, "openvino")[0][0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Filled by the first test that quantises."""
    return tmp_path_factory.mktemp("int8")


@pytest.fixture
def quantised(plain, made):
    return made / "model.xml" if (made / "model.xml").exists() else quantise(plain, CALIBRATION, made)[0]


def producers(file, kind):
    """{operation of that kind: the types of the operations that its inputs come from}, in order."""
    operations = core().read_model(file).get_ordered_ops()
    return {
        op.get_friendly_name(): [i.get_source_output().get_node().get_type_name() for i in op.inputs()]
        for op in operations
        if op.get_type_name() == kind
    }


@int8
def test_every_convolution_but_the_first_has_its_weights_in_8_bits(plain, quantised):
    import openvino

    before, after = producers(plain, "Convolution"), producers(quantised, "Convolution")
    assert list(before) == list(after)
    weights = [inputs[1] for inputs in after.values()]
    # In 8 bits they stand as small whole numbers behind a factor.
    assert weights[0] == "Constant" and set(weights[1:]) == {"Multiply"}
    constants = [op for op in core().read_model(quantised).get_ordered_ops() if op.get_type_name() == "Constant"]
    assert sum(op.get_element_type() == openvino.Type.i8 and len(op.shape) == 4 for op in constants) == len(weights) - 1


@int8
def test_what_the_convolutions_read_is_rounded_to_8_bits_and_what_the_attention_multiplies_is_not(quantised):
    read = [inputs[0] for inputs in producers(quantised, "Convolution").values()]
    assert read[0] == "Parameter"
    assert read.count("FakeQuantize") > len(read) / 2
    products = producers(quantised, "MatMul")
    assert len(products) == 4
    assert all("FakeQuantize" not in inputs for inputs in products.values())


@int8
def test_openvino_computes_the_convolutions_in_8_bits(quantised):
    compiled = core().compile_model(quantised, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kinds = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    types = [k["runtimePrecision"].astype(str) for k in kinds if k["layerType"].astype(str) == "Convolution"]
    assert sum(kind in ("u8", "i8") for kind in types) >= len(types) - 1


@pytest.fixture
def again(plain, made, capfd):
    """(files, what was printed) of a second time."""
    folder, said = made / "again", made / "said"
    if not folder.exists():
        folder.mkdir()
        quantise(plain, CALIBRATION, folder)
        said.write_text("".join(capfd.readouterr()))
    return [folder / "model.xml", folder / "model.bin"], said.read_text()


@int8
def test_the_same_images_give_the_same_file(quantised, again):
    assert [file.read_bytes() for file in again[0]] == [
        quantised.read_bytes(),
        quantised.with_suffix(".bin").read_bytes(),
    ]


@int8
def test_quantising_prints_nothing(quantised, again):
    assert again[1] == ""


@int8
def test_scores_in_int8_are_close_to_float32s_and_not_the_same(plain, quantised):
    x = prepared({"img": scenes("val", 1)[0]})["img"][None]
    expected, found = OpenVinoRunner(plain)(x), OpenVinoRunner(quantised, "int8")(x)
    error = np.sqrt(np.square(found - expected).mean() / np.square(expected).mean())
    assert 1e-4 < error < 0.15


@int8
@pytest.mark.parametrize("engine", ["openvino", "auto"])
def test_masks_in_int8_are_those_of_the_model_on_nearly_all_pixels(engine, model, home):
    predictor = Predictor(model, CONFIG, engine=engine, precision="int8", calibration=scenes("train", 8))
    assert (predictor.engine.name, predictor.engine.precision) == ("openvino", "int8")
    expected = Predictor(model, CONFIG)
    equal = [(predictor(image) == expected(image)).mean() for image in scenes("val", 3)]
    assert np.mean(equal) > 0.97


@int8
def test_a_file_from_unlike_images_is_refused(plain, tmp_path):
    def unlike(sample):
        return {"img": prepared(sample)["img"] * (1000 if sample["img"][0, 0, 0] else 1)}

    pictures = scenes("train", 4)
    for picture in pictures:
        picture[0, 0, 0] = 1
    pictures[3][0, 0, 0] = 0  # the one that it is tried on
    with pytest.raises(DeployError, match="model.xml: in int8 .*Calibrate with more images like those to predict"):
        write_int8(plain, Calibration(pictures, unlike), tmp_path)


def test_a_mask_that_differs_where_float32_is_sure_is_refused_and_one_that_differs_in_ties_is_not():
    scores = np.zeros((1, 3, 10, 10), "float32")
    scores[:, 1] = 4.0
    wrong = scores[:, ::-1].copy()
    wrong[:, 0, 0] = 5.0  # a row of ten
    with pytest.raises(DeployError, match=r"10.0 % of the pixels another class .*90.0 % of all are equal"):
        refuse([trial(scores, wrong.argmax(1), (1, 3, 10, 10))], "x")
    ties = scores.copy()
    ties[:, 0] = 3.5
    refuse([trial(ties, wrong.argmax(1), (1, 3, 10, 10))], "x")


@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_scores_that_are_far_off_are_refused_even_if_float32_is_never_sure(value):
    scores = np.random.default_rng(0).uniform(-0.1, 0.1, (1, 3, 9, 9)).astype("float32")
    found = scores.copy()
    found[0, 0, 0, 0] = value
    with pytest.raises(DeployError):
        refuse([trial(scores, found, (1, 3, 9, 9))], "x")


def test_the_digest_follows_pixels_order_and_preprocessing():
    pictures = scenes("train", 3)
    other = [picture.copy() for picture in pictures]
    other[2][5, 5, 1] ^= 1
    digests = [
        Calibration(pictures, prepared).digest,
        Calibration(other, prepared).digest,
        Calibration(pictures[::-1], prepared).digest,
        Calibration(pictures, lambda sample: {"img": prepared(sample)["img"] * 2}).digest,
    ]
    assert len(set(digests)) == 4
    assert digests[0] == Calibration(iter(pictures), prepared).digest


def test_other_calibration_images_are_another_entry_of_the_cache(model, fresh_home, monkeypatch):
    made = []

    def build(file, calibration, folder, *more):
        made.append(calibration.digest)
        for name in ("model.xml", "model.bin"):
            (folder / name).write_text(calibration.digest)

    monkeypatch.setattr("paddleisa.deploy.export.int8.write_int8", build)
    monkeypatch.setattr(conversion, "converted", lambda model, format: ([fresh_home / "model.xml"], {}))
    first, second = (Calibration(scenes("train", n), prepared) for n in (1, 2))
    for calibration in (first, second, first):
        files, _ = conversion.quantised(model, "openvino", calibration)
        assert files[0].read_text() == calibration.digest
    assert len(made) == 2
    monkeypatch.setattr(packages, "versions", lambda names: dict.fromkeys(names, "99"))
    conversion.quantised(model, "openvino", first)
    assert len(made) == 3  # another version of the quantiser


@pytest.mark.parametrize(("count", "held_out"), [(1, [0]), (3, [2]), (4, [3]), (20, [3, 7, 11, 15, 19])])
def test_images_that_the_result_is_tried_on_are_not_measured(count, held_out):
    calibration = Calibration(scenes("train", count), prepared)
    assert calibration.held_out == held_out
    if count > 1:
        assert sorted(calibration.measured + held_out) == list(range(count))
    else:
        assert calibration.measured == [0]


def test_without_images_the_configs_training_images_are_taken_evenly():
    config = load_config("isanet_resnet18_os8_scenes_128x128_200")
    found = training_images(config, 4)
    all_of_them = Scenes([], mode="train", num_images=400, height=found[0].shape[0], width=found[0].shape[1])
    assert config["train_dataset"]["num_images"] == 400
    for image, number in zip(found, [0, 100, 200, 300], strict=True):
        np.testing.assert_array_equal(image, all_of_them.read(number)["img"])


def test_a_folder_gives_its_images_evenly(tmp_path):
    pictures = [np.full((4, 5, 3), value, np.uint8) for value in range(7)]
    for value, picture in enumerate(pictures):
        write_image(tmp_path / f"{value}.png", picture)
    assert [image[0, 0, 0] for image in listed_images(tmp_path, 3)] == [0, 2, 4]
    assert len(listed_images(tmp_path)) == 7


def test_the_commands_options_name_the_images(tmp_path):
    for value in range(6):
        write_image(tmp_path / f"{value}.png", np.full((4, 5, 3), value, np.uint8))
    parser = argparse.ArgumentParser()
    common.add_test_arguments(parser)

    def given(*options):
        return common.calibration(parser.parse_args(options), CONFIG)

    found = given("--precision", "int8", "--calibration", str(tmp_path), "--calibration_images", "2")
    assert [image[0, 0, 0] for image in found] == [0, 3]
    assert given() is None
    with pytest.raises(UsageError, match="only int8 is calibrated. Add --precision int8"):
        given("--calibration", str(tmp_path))
    with pytest.raises(UsageError, match="--calibration FOLDER"):
        given("--precision", "int8")


@int8
def test_missing_calibration_images_are_said_with_what_to_give(model, home):
    with pytest.raises(UsageError, match=r"has no train_dataset.*--calibration FOLDER\|LIST, or Predictor\("):
        Predictor(model, CONFIG, engine="openvino", precision="int8")
    train = {**CONFIG["val_dataset"], "mode": "train", "train_path": "nowhere/train.txt"}
    with pytest.raises(UsageError, match=r"training data cannot be read \(nowhere: .*--calibration FOLDER\|LIST"):
        training_images(Config.from_dict({**CONFIG.to_dict(), "train_dataset": train}))
    with pytest.raises(UsageError, match="no image to calibrate"):
        Predictor(model, CONFIG, engine="openvino", precision="int8", calibration=[])
    with pytest.raises(UsageError, match="int8 needs images"):
        open_engine("openvino", "int8", model)


@int8
def test_something_that_is_no_image_is_named_by_its_number(model, home):
    pictures = [*scenes("train", 1), np.zeros((4, 4), np.uint8)]
    with pytest.raises(DataError, match=r"number 1 must be an array .* not \(4, 4\)"):
        Predictor(model, CONFIG, engine="openvino", precision="int8", calibration=pictures)


def test_a_missing_quantiser_is_named_with_the_pip_command(monkeypatch, tmp_path, converter):
    monkeypatch.setattr(packages, "installed", lambda name: name != "nncf")
    converter()
    with pytest.raises(DeployError, match="the package nncf is not installed. Run pip install nncf$"):
        require_engine("openvino", "int8")
    with pytest.raises(DeployError, match="int8 cannot be used: the package nncf is not installed"):
        quantise(tmp_path / "model.xml", CALIBRATION, tmp_path)
    require_engine("openvino", "fp32")


@int8
def test_an_export_in_int8_gives_class_ids_and_says_so(model, tmp_path):
    exported = export_model(model, CONFIG, tmp_path / "out", formats=["openvino"], calibration=CALIBRATION)
    described = yaml.safe_load(exported.description.read_text())
    assert described["files"]["openvino"]["precision"] == "int8"
    assert described["compared"]["openvino"][0]["equal_pixels"] > 0.9
    assert "nncf" in described["versions"]
    x = images(1, 3, 40, 70)
    with paddle.no_grad():
        expected = model(paddle.to_tensor(x))[0].argmax(1).numpy()
    assert (OpenVinoRunner(exported.written[0].files[0], "int8")(x) == expected).mean() > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": ["paddle"]}, "only the format openvino has int8"),
        ({"formats": ["openvino"], "input_shape": (1, 3, 64, 64)}, "an int8 export has free sizes"),
    ],
)
def test_an_export_that_int8_does_not_have_is_refused(options, message, model, tmp_path):
    if options["formats"] == ["openvino"] and TROUBLE:
        pytest.skip(TROUBLE[0])
    with pytest.raises(UsageError, match=message):
        export_model(model, CONFIG, tmp_path / "out", calibration=CALIBRATION, **options)


def test_paddle_has_no_int8(model):
    with pytest.raises(UsageError, match="'paddle' has no precision 'int8'.*another engine: openvino"):
        Predictor(model, CONFIG, precision="int8")
