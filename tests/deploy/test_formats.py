"""Exported files, run by their own runtimes on sizes that the export itself did not try."""

import dataclasses
from functools import lru_cache
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import paddle
import pytest
from deploy_models import CONVERTED, FORMAT_OF, images, logits_of, needs, small_model

import paddleisa
from paddleisa.deploy.export import formats
from paddleisa.deploy.export import paddle as paddle_export
from paddleisa.deploy.export.formats import open_file, write_checked
from paddleisa.errors import DeployError
from paddleisa.models import attention
from paddleisa.models.windows import WindowGrid


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """``exported(format)``: what gives the logits of any size, written once."""
    return lru_cache(lambda format: write_checked(model, format, tmp_path_factory.mktemp(format)))


@pytest.mark.parametrize("engine", CONVERTED)
def test_any_batch_height_and_width_gives_the_models_logits(engine, model, exported):
    format = FORMAT_OF[engine]
    files = exported(format).files
    run, folder = open_file(format, files), files[0].parent
    for shape in ((1, 3, 32, 32), (3, 3, 50, 71), (1, 3, 17, 130), (2, 3, 64, 33)):
        x = images(*shape)
        found, expected = run(x), logits_of(model, x)
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4, err_msg=str(shape))
        assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.999
    for file in folder.iterdir():  # neither the machine's folders nor the code's lines travel with a model
        assert str(folder).encode() not in file.read_bytes()
        assert paddleisa.__path__[0].encode() not in file.read_bytes()


@pytest.mark.parametrize("engine", CONVERTED)
def test_class_ids_of_a_fixed_size_come_out_of_the_file(engine, model, tmp_path):
    format = FORMAT_OF[engine]
    written = write_checked(model, format, tmp_path, input_shape=(1, 3, 49, 70), output_op="argmax")
    x = images(1, 3, 49, 70)
    mask = open_file(format, written.files)(x)
    assert (mask.dtype, mask.shape) == (np.int32, (1, 49, 70))
    assert (mask == logits_of(model, x).argmax(1)).mean() >= 0.999
    assert [d.shape for d in written.differences] == [(1, 3, 49, 70)]


@pytest.mark.parametrize("engine", [needs("onnxruntime")])
def test_probabilities_come_out_of_the_file(engine, model, tmp_path):
    written = write_checked(model, "onnx", tmp_path, input_shape=(1, 3, -1, 40), output_op="softmax")
    x = images(1, 3, 23, 40)
    found = open_file("onnx", written.files)(x)
    e = np.exp(logits_of(model, x).astype(np.float64))
    np.testing.assert_allclose(found, e / e.sum(1, keepdims=True), rtol=0, atol=2e-4)


@pytest.mark.parametrize("engine", [needs("onnxruntime")])
def test_the_onnx_file_names_its_input_output_and_free_sizes(engine, exported):
    import onnx

    graph = onnx.load(exported("onnx").files[0]).graph
    sizes = [
        [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (graph.input[0], graph.output[0])
    ]
    assert (graph.input[0].name, graph.output[0].name) == ("x", "logits")
    assert sizes == [["batch", 3, "height", "width"], ["batch", 4, "height", "width"]]
    kinds = {node.op_type for node in graph.node}
    assert not kinds & {"If", "Loop", "Identity", "BatchNormalization"}


@pytest.mark.parametrize("engine", CONVERTED)
def test_a_file_that_computes_something_else_is_refused(engine, model, tmp_path, monkeypatch):
    real = formats.deploy_network

    def of_another_model(model, *args, **kwargs):
        return real(small_model(seed=8), *args, **kwargs)

    monkeypatch.setattr(formats, "deploy_network", of_another_model)
    with pytest.raises(DeployError, match="does not compute what the model computes"):
        write_checked(model, FORMAT_OF[engine], tmp_path, output_op="argmax")


def test_windows_cut_one_column_off_in_the_file_are_refused(model, tmp_path, monkeypatch):
    class OffByOne(WindowGrid):
        def partition(self, x):
            return super().partition(x if paddle.in_dynamic_mode() else paddle.roll(x, 1, axis=3))

    monkeypatch.setattr(attention, "WindowGrid", OffByOne)
    with pytest.raises(DeployError, match="does not compute"):
        write_checked(model, "paddle", tmp_path)


@pytest.mark.parametrize("engine", [needs("onnxruntime")])
def test_a_file_that_does_not_run_is_refused(engine, model, tmp_path, monkeypatch):
    def damaged(graph, output_op, format, folder):
        files = real(graph, output_op, format, folder)
        files[0].write_text("{}")
        return files

    real = formats._write
    monkeypatch.setattr(formats, "_write", damaged)
    with pytest.raises(DeployError, match="does not run"):
        write_checked(model, "onnx", tmp_path)


def test_a_model_that_cannot_be_traced_is_refused_with_the_place(tmp_path):
    class Refuses(paddle.nn.Layer):
        def forward(self, x):
            if not paddle.in_dynamic_mode():
                raise ValueError("my sizes are looked up")
            return [x * 2]

    with pytest.raises(DeployError, match="Refuses: Paddle cannot turn .* into a static graph.*my sizes are looked up"):
        write_checked(Refuses(), "paddle", tmp_path)


def test_a_plug_ins_own_layers_are_not_computed_with_onednn(tmp_path):
    class Mine(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = paddle.nn.Conv2D(3, 4, 3, padding=1)

        def forward(self, x):
            x = paddle.nn.functional.pad(self.conv(x), [0, 0, 0, 0, 1, 1, 1, 1])
            return [paddle.nn.functional.interpolate(x[:, :, 1:-1, 1:-1], paddle.shape(x)[2:4] - 2, mode="bilinear")]

    model = Mine()
    model.eval()
    written = write_checked(model, "paddle", tmp_path)
    assert not written.onednn
    x = images(1, 3, 20, 30)
    np.testing.assert_allclose(
        open_file("paddle", written.files, onednn=False)(x), logits_of(model, x), rtol=0, atol=1e-5
    )
    assert dataclasses.asdict(written)["format"] == "paddle"


class Settings:
    """Keeps what a runner sets, in the order of the calls; stands for Paddle's own where there is no GPU."""

    def __init__(self, *files):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **options: self.calls.append((name, *args, options))


@pytest.mark.parametrize("tensorrt", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_gpu_device_precision_and_tensorrt_are_what_was_asked_for(tensorrt, precision, monkeypatch, tmp_path):
    from paddle import inference

    made = []
    monkeypatch.setattr(inference, "Config", lambda *files: made.append(Settings()) or made[-1])
    monkeypatch.setattr(inference, "create_predictor", lambda config: MagicMock())
    paddle_export.PaddleRunner([tmp_path / "model.pdmodel"] * 2, "gpu:1", tensorrt=tensorrt, precision=precision)
    calls = {name: rest for name, *rest in made[0].calls}
    kind = {"fp32": inference.PrecisionType.Float32, "bf16": inference.PrecisionType.Bfloat16}[precision]
    assert calls["enable_use_gpu"] == [256, 1, kind, {}]
    assert ("enable_tensorrt_engine" in calls) == ("enable_tuned_tensorrt_dynamic_shape" in calls) == tensorrt
    assert "enable_mkldnn" not in calls


@pytest.mark.parametrize(
    ("device", "file", "version", "possible"),
    [
        ("gpu:0", "model.pdmodel", (8, 6, 1), True),
        ("gpu:0", "model.pdmodel", (0, 0, 0), False),
        ("gpu:0", "model.json", (8, 6, 1), False),
        ("cpu", "model.pdmodel", (8, 6, 1), False),
    ],
)
def test_tensorrt_needs_a_gpu_its_library_and_files_of_paddle_2(device, file, version, possible, monkeypatch):
    from paddle import inference

    monkeypatch.setattr(inference, "get_trt_compile_version", lambda: version)
    assert paddle_export.tensorrt_is_possible([Path(file)], device) is possible


@pytest.mark.parametrize("right", [True, False])
def test_a_file_that_tensorrt_computes_wrongly_is_kept_without_it(right, model, tmp_path, monkeypatch):
    real = formats.open_file
    monkeypatch.setattr(formats, "tensorrt_is_possible", lambda files, device: True)

    def opened(format, files, *, tensorrt, **options):
        run = real(format, files, **options)
        return (lambda images: run(images) + 1) if tensorrt and not right else run

    monkeypatch.setattr(formats, "open_file", opened)
    assert write_checked(model, "paddle", tmp_path).tensorrt is right
