"""Every engine gives the masks of the model itself; what cannot be used is said, with what to do."""

import copy

import numpy as np
import paddle
import pytest
from deploy_models import CONFIG, CONVERTED, images, needs, small_model

from paddleisa import Predictor
from paddleisa.deploy import packages
from paddleisa.deploy.export import FORMATS, openvino_core
from paddleisa.deploy.export.export import export_model
from paddleisa.deploy.export.format import Format
from paddleisa.deploy.runtimes import open as engines
from paddleisa.deploy.runtimes import speed
from paddleisa.deploy.runtimes.open import open_engine, require_engine
from paddleisa.errors import DeployError, UsageError
from paddleisa.inference.lazy_logits import LazyLogits
from paddleisa.models import ISANet

IMAGE = np.random.default_rng(5).integers(0, 256, (45, 71, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def on_cpu():
    paddle.set_device("cpu")


@pytest.fixture
def installed(monkeypatch):
    """``installed("onnx", ...)`` makes exactly these packages look installed."""

    def set_installed(*names):
        monkeypatch.setattr(packages, "installed", lambda name: name in names)

    return set_installed


SETTINGS = (
    {},
    {"scales": (0.75, 1.25), "flip_horizontal": True},
    {"scales": (0.5, 1.0), "protocol": "published"},
    {"crop_size": (32, 32), "stride": (20, 20)},
)


@pytest.fixture(scope="module")
def masks(model):
    """The model's own masks of IMAGE under SETTINGS."""
    return [Predictor(model, CONFIG, **settings)(IMAGE) for settings in SETTINGS]


@pytest.mark.parametrize("engine", CONVERTED)
def test_an_engine_gives_the_models_masks_under_every_test_setting(engine, model, masks, home):
    for settings, expected in zip(SETTINGS, masks, strict=True):
        found = Predictor(model, CONFIG, engine=engine, **settings)(IMAGE)
        assert (found == expected).mean() >= 0.999, settings
    assert len(np.unique(masks)) > 1


@pytest.mark.parametrize("engine", ["paddle", *CONVERTED])
def test_a_network_maps_tensors_to_logits_whatever_computes_it(engine, model, home):
    x = paddle.to_tensor(images(2, 3, 33, 40))
    opened = open_engine(engine, "fp32", model)
    with paddle.no_grad():
        found, expected, logits = opened.network(x), model.scores(x)[0], model(x)[0]
    assert (opened.name, opened.precision) == (engine, "fp32")
    np.testing.assert_allclose(found.values, expected.numpy(), rtol=0, atol=5e-4)
    for values, whole in zip(found.values, logits.numpy(), strict=True):
        upsampled = LazyLogits.of(values, (33, 40), found.upsampling).band(0, 33)
        np.testing.assert_allclose(upsampled, whole, rtol=0, atol=5e-4)


class OtherForward(ISANet):
    """Gives twice the logits, which its inherited ``scores`` knows nothing of."""

    def forward(self, x):
        return [2 * super().forward(x)[0]]


class OtherScores(ISANet):
    """Twice the logits too, and its inherited forward knows."""

    def scores(self, x):
        return [2 * super().scores(x)[0]]


@pytest.mark.parametrize(("kind", "size"), [(OtherForward, (33, 40)), (OtherScores, (3, 3)), (ISANet, (3, 3))])
def test_scores_stand_for_the_forward_only_where_they_belong_to_it(kind, size, model):
    model = copy.deepcopy(model)
    model.__class__ = kind
    x = paddle.to_tensor(images(1, 3, 33, 40))
    with paddle.no_grad():
        found, expected = open_engine("paddle", "fp32", model).network(x), model(x)[0].numpy()[0]
    assert found.values.shape[2:] == size
    np.testing.assert_allclose(
        LazyLogits.of(found.values[0], (33, 40), found.upsampling).band(0, 33), expected, rtol=0, atol=5e-4
    )


@pytest.mark.parametrize("engine", CONVERTED)
def test_results_stay_when_the_engine_runs_again(engine, model, home):
    network = open_engine(engine, "fp32", model).network
    first = network(paddle.to_tensor(images(1, 3, 32, 32, seed=1))).values
    before = first.copy()
    network(paddle.to_tensor(images(1, 3, 32, 32, seed=2)))
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("engine", [needs("openvino")])
def test_openvino_in_bf16_gives_nearly_the_models_mask_or_says_that_the_processor_lacks_it(engine, model, home):
    if "BF16" not in openvino_core.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(DeployError, match="no bfloat16.*--precision fp32"):
            open_engine(engine, "bf16", model)
        return
    x = paddle.to_tensor(images(1, 3, 65, 96))
    with paddle.no_grad():
        found, expected = open_engine(engine, "bf16", model).network(x).values, model.scores(x)[0].numpy()
    assert 1e-4 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()  # really another precision


def test_openvino_without_bf16_in_the_processor_says_so(monkeypatch, tmp_path):
    pytest.importorskip("openvino")

    class Old:
        def get_property(self, device, name):
            return ["FP32", "INT8"]

    monkeypatch.setattr(openvino_core, "core", Old)
    with pytest.raises(DeployError, match="no bfloat16 arithmetic. Take --precision fp32"):
        openvino_core.OpenVinoRunner(tmp_path / "model.xml", "bf16")


@pytest.fixture
def speeds(monkeypatch, tmp_path):
    """``speeds(openvino=0.1, onnxruntime=DeployError(..))``: what measuring finds, without converting anything."""
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path))
    asked = []

    def given(**found):
        def opened(name, precision, model, calibration=None):
            asked.append(name)
            if isinstance(found[name], Exception):
                raise found[name]
            return name

        monkeypatch.setattr(engines, "open_network", opened)
        monkeypatch.setattr(speed, "seconds_of", lambda network: found[network])
        return asked

    return given


EVERYTHING = ("paddle2onnx", "onnx", "onnxruntime", "openvino")
TIMES = {"paddle": 0.5, "paddle_inference": 0.2, "onnxruntime": 0.1, "openvino": 0.15}


def test_auto_takes_the_engine_that_is_fastest_here_and_says_what_it_measured(model, installed, speeds, converter):
    installed(*EVERYTHING)
    converter()
    speeds(**TIMES)
    opened = open_engine("auto", "fp32", model)
    assert (opened.name, opened.network) == ("onnxruntime", "onnxruntime")
    order = "onnxruntime 100 ms, openvino 150 ms, paddle_inference 200 ms, paddle 500 ms"
    assert opened.reason == f"the fastest here, measured: {order}"


def test_what_was_measured_once_is_known_for_models_of_the_same_structure(model, installed, speeds, converter):
    installed(*EVERYTHING)
    converter()
    asked = speeds(**TIMES)
    open_engine("auto", "fp32", model)
    asked.clear()
    assert open_engine("auto", "fp32", small_model(seed=9)).name == "onnxruntime"
    assert asked == ["onnxruntime"]
    open_engine("auto", "fp32", small_model(align_corners=True))
    assert len(asked) > 2  # another network is measured anew


def test_auto_passes_over_engines_that_are_missing_or_cannot_convert_the_model(model, installed, speeds, converter):
    installed("paddle2onnx", "onnx", "openvino")
    converter()
    speeds(paddle=0.5, paddle_inference=0.2, openvino=DeployError("cannot read the ONNX file"))
    opened = open_engine("auto", "fp32", model)
    assert opened.name == "paddle_inference"
    assert "openvino is passed over: cannot read the ONNX file" in opened.reason
    assert "onnxruntime is passed over: the package onnxruntime is not installed" in opened.reason


def test_what_would_be_faster_is_told_before_and_after_it_was_measured(model, installed, speeds, converter):
    installed(*EVERYTHING)
    converter()
    speeds(**TIMES)
    before = engines.faster_engines(model, "fp32", "cpu")
    assert before.startswith("paddle_inference, onnxruntime, openvino may be faster: --engine auto measures")
    open_engine("auto", "fp32", model)
    assert engines.faster_engines(model, "fp32", "cpu") == "onnxruntime is 5.0 times as fast here: --engine onnxruntime"


def test_a_format_that_is_added_to_the_table_can_be_exported_and_computed(model, monkeypatch, tmp_path):
    """A toy whose file names its output, and whose runtime asks the model itself."""
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))

    def convert(files, folder, name):
        (folder / "toy.txt").write_text(name)
        return [folder / "toy.txt"]

    def opened(files, device, precision, **facts):
        outputs = {
            "scores": lambda x: model.scores(x)[0],
            "logits": lambda x: model(x)[0],
            "mask": lambda x: model(x)[0].argmax(1).astype("int32"),
        }
        return lambda images: outputs[files[0].read_text()](paddle.to_tensor(images)).numpy()

    toy = Format("toy", "text for children", "toyrun", "a toy's runtime", opened, convert=convert)
    monkeypatch.setitem(FORMATS, "toy", toy)
    x = paddle.to_tensor(images(1, 3, 33, 40))
    np.testing.assert_array_equal(open_engine("toyrun", "fp32", model).network(x).values, model.scores(x)[0].numpy())
    exported = export_model(model, CONFIG, tmp_path / "out", formats=["toy"])
    assert [file.read_text() for file in exported.written[0].files] == ["mask"]
    assert "toyrun: a toy's runtime" in engines.engine_help()


def test_auto_in_bf16_on_a_cpu_without_openvino_lists_what_is_wrong(installed):
    installed("paddle2onnx", "onnx", "onnxruntime")
    with pytest.raises(DeployError, match="no engine can be used with bf16 on cpu: .*openvino: .*pip install openvino"):
        require_engine("auto", "bf16", "cpu")


@pytest.mark.parametrize(
    ("engine", "there", "command"),
    [
        ("openvino", ("paddle2onnx", "onnx"), "the package openvino is not installed. Run pip install openvino$"),
        (
            "onnxruntime",
            (),
            r"packages paddle2onnx, onnx, onnxruntime are not.* pip install 'paddle2onnx[<>=2]+' onnx o",
        ),
    ],
)
def test_a_missing_package_is_named_with_the_pip_command(engine, there, command, installed):
    installed(*there)
    with pytest.raises(DeployError, match=command):
        require_engine(engine, "fp32")


@pytest.mark.parametrize(
    ("paddle_version", "of", "command"),
    [("3.3.1", "1.3.1", "pip install 'paddle2onnx>=2'"), ("2.6.2", "2.1.0", "pip install 'paddle2onnx<2'")],
)
def test_a_converter_for_another_paddle_is_named_with_the_pip_command(
    paddle_version, of, command, installed, converter, monkeypatch
):
    installed("paddle2onnx", "onnx", "onnxruntime")
    converter(of)
    monkeypatch.setattr(packages, "paddle_version", lambda: paddle_version)
    message = f"paddle2onnx {of} does not read the models of Paddle {paddle_version}. Run {command}"
    with pytest.raises(DeployError, match=message):
        require_engine("onnxruntime", "fp32")


@pytest.mark.parametrize(
    ("engine", "precision", "kind", "message"),
    [
        ("openvno", "fp32", UsageError, "Did you mean 'openvino'"),
        ("onnxruntime", "bf16", UsageError, "'onnxruntime' has no precision 'bf16'.*another engine: paddle, "),
        ("paddle_inference", "bf16", DeployError, "bf16 on GPUs only. Take --engine openvino"),
        ("paddle_inference", "fp16", UsageError, "has no precision 'fp16'"),
        ("onnxruntime", "int8", UsageError, "no precision 'int8'.*another engine: openvino"),
        ("auto", "int4", UsageError, "no precision 'int4'.*Choose one of: bf16, fp32, int8"),
        ("paddle", "bf16", DeployError, "bf16 on GPUs only. Take --engine openvino"),
    ],
)
def test_a_combination_that_is_not_there_is_refused(engine, precision, kind, message):
    with pytest.raises(kind, match=message):
        require_engine(engine, precision, "cpu")


def test_on_a_gpu_paddle_has_bf16_and_is_what_auto_takes():
    require_engine("paddle", "bf16", "gpu:0")
    assert engines.usable("bf16", "gpu:0") == (["paddle"], {})
