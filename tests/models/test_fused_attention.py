"""The flash kernel's conditions, and attention in the kernel's form against attention as it is written plainly."""

import numpy as np
import paddle
import pytest

from paddleisa.models import SelfAttention, attention
from paddleisa.models import fused_attention as module
from paddleisa.models.attention import scaled_dot_product_attention
from paddleisa.models.fused_attention import can_fuse, fused_attention, unsupported_reason

A100 = {
    "dtype": "float16",
    "channels": 256,
    "capability": (8, 0),
    "cuda": (11, 8),
    "platform": "linux",
    "gradients": True,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"dtype": "bfloat16"},
        {"capability": (9, 0)},
        {"capability": (8, 6), "gradients": False},
        {"capability": (8, 9), "channels": 192},
        {"channels": 8},
        {"cuda": (11, 4)},
        {"cuda": (12, 6)},
    ],
    ids=str,
)
def test_the_kernel_takes(change):
    assert unsupported_reason(**{**A100, **change}) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"capability": None}, "the tensors are not on a GPU"),
        ({"cuda": None}, "Paddle is built without flash attention"),
        ({"cuda": (11, 2)}, "Paddle is built without flash attention"),
        ({"platform": "win32"}, "Paddle is built without flash attention"),
        ({"capability": (7, 5)}, "the GPU's compute capability 7.5 is neither 8.x nor 9.0"),
        ({"capability": (10, 0)}, "the GPU's compute capability 10.0 is neither 8.x nor 9.0"),
        ({"dtype": "float32"}, "the values are float32, not float16 or bfloat16"),
        ({"channels": 264}, "264 channels of query and key are no multiple of 8 up to 256"),
        ({"channels": 100}, "100 channels of query and key are no multiple of 8 up to 256"),
        ({"capability": (8, 6)}, "gradients of 256 channels need a GPU of compute capability 8.0 or 9.0"),
        ({"capability": (8, 9), "channels": 200}, "gradients of 200 channels need a GPU of compute capability"),
    ],
    ids=str,
)
def test_the_kernel_refuses(change, reason):
    assert unsupported_reason(**{**A100, **change}).startswith(reason)


def tensors(groups=3, channels=8, value_channels=16, positions=20, dtype="float64"):
    rng = np.random.default_rng(0)
    shapes = [(groups, c, positions) for c in (channels, channels, value_channels)]
    return [paddle.to_tensor(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


def asked(monkeypatch, *arguments):
    """What ``can_fuse`` asks ``unsupported_reason`` about these tensors."""
    questions = []
    monkeypatch.setattr(module, "unsupported_reason", lambda **question: questions.append(question))
    can_fuse(*arguments)
    return questions[0]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_type_that_counts_is_the_value_s(monkeypatch, dtype):
    """Under auto_cast query and key are still float32."""
    query, key, value = tensors(dtype="float32")
    assert asked(monkeypatch, query, key, value.astype(dtype))["dtype"] == dtype


def test_gradients_count_where_one_of_the_three_has_them(monkeypatch):
    query, key, value = tensors()
    assert not asked(monkeypatch, query, key, value)["gradients"]
    for tensor in (query, key, value):
        tensor.stop_gradient = False
        assert asked(monkeypatch, query, key, value)["gradients"]
        with paddle.no_grad():
            assert not asked(monkeypatch, query, key, value)["gradients"]
        tensor.stop_gradient = True


@pytest.mark.parametrize(("said", "version"), [("11.8", (11, 8)), ("12.6", (12, 6)), ("11.2.2", (11, 2))])
def test_cuda_s_version_is_read_as_paddle_says_it(monkeypatch, said, version):
    monkeypatch.setattr(paddle.version, "cuda", lambda: said)
    assert asked(monkeypatch, *tensors())["cuda"] == version


def test_without_cuda_paddle_says_false(monkeypatch):
    monkeypatch.setattr(paddle.version, "cuda", lambda: "False")
    assert asked(monkeypatch, *tensors())["cuda"] is None


def layer(fused):
    paddle.seed(0)
    made = SelfAttention(16, 8, fused=fused)
    made.eval()
    return made


def a_map():
    return paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 16, 4, 5)).astype(np.float32))


def test_attention_is_not_fused_unless_asked_for(monkeypatch):
    monkeypatch.setattr(module, "unsupported_reason", lambda **_: None)
    monkeypatch.setattr(attention, "fused_attention", lambda *_: pytest.fail("fused"))
    layer(fused=False)(a_map())


@pytest.mark.skipif(paddle.get_device() != "cpu", reason="about CPUs")
def test_on_a_cpu_fused_attention_is_computed_by_products_and_says_so(monkeypatch):
    monkeypatch.setattr(attention, "fused_attention", lambda *_: pytest.fail("fused"))
    with pytest.warns(UserWarning, match="not by the fused kernel: the tensors are not on a GPU"):
        found = layer(fused=True)(a_map())
    # float32 rounding of the same sums in another order: without the option, projections are products too
    np.testing.assert_allclose(found.numpy(), layer(fused=False)(a_map()).numpy(), atol=1e-5)


@pytest.mark.parametrize("groups", [None, attention.ROWS, attention.COLUMNS], ids=str)
def test_where_nothing_stands_against_it_attention_is_fused_with_the_same_numbers(monkeypatch, groups):
    calls = []
    monkeypatch.setattr(module, "unsupported_reason", lambda **_: None)
    monkeypatch.setattr(attention, "fused_attention", lambda *args: calls.append(1) or fused_attention(*args))
    found, expected = (layer(fused)(a_map(), groups).numpy() for fused in (True, False))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert calls == [1]


def test_a_graph_for_export_holds_the_plain_products_even_where_nothing_stands_against_fusing(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "unsupported_reason", lambda **_: None)
    monkeypatch.setattr(attention, "fused_attention", lambda *_: pytest.fail("fused"))
    made, x = layer(fused=True), a_map()
    paddle.jit.save(made, str(tmp_path / "model"), [paddle.static.InputSpec([None, 16, None, None], "float32")])
    exported = paddle.jit.load(str(tmp_path / "model"))(x)
    np.testing.assert_allclose(exported.numpy(), layer(fused=False)(x).numpy(), rtol=1e-5, atol=1e-6)


VALUE_CHANNELS = [8, 16, 20, 5]  # as many as the query, twice as many, no multiple, fewer


def with_gradients(function, arrays, dtype):
    """[result, gradient of query, of key, of value], for a gradient of the result that differs everywhere."""
    inputs = [a.astype(dtype).detach() for a in arrays]
    for tensor in inputs:
        tensor.stop_gradient = False
    result = function(*inputs)
    gradient = np.cos(np.arange(result.size)).reshape(result.shape)
    result.backward(paddle.to_tensor(gradient).astype(result.dtype))
    return [t.astype("float64").numpy() for t in (result, *(tensor.grad for tensor in inputs))]


@pytest.mark.parametrize("value_channels", VALUE_CHANNELS)
def test_fused_attention_has_the_numbers_and_gradients_of_plain_attention(value_channels):
    """In float64, so that only rounding can differ: a wrong head, scale or filling is off by far more."""
    arrays = tensors(value_channels=value_channels)
    found, expected = (with_gradients(f, arrays, "float64") for f in (fused_attention, scaled_dot_product_attention))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


def test_fused_attention_has_the_numbers_of_plain_attention_at_the_network_s_sizes():
    """float32, 256 channels and 512 of values, 13 x 13 positions: measured at most 1.4e-6 apart."""
    arrays = tensors(2, 256, 512, 169, "float32")
    found, expected = (with_gradients(f, arrays, "float32") for f in (fused_attention, scaled_dot_product_attention))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_fused_attention_computes_in_the_value_s_type():
    query, key, value = tensors()
    assert fused_attention(query.astype("float32"), key.astype("float32"), value).dtype == paddle.float64


needs_kernel = pytest.mark.skipif(
    not paddle.is_compiled_with_cuda() or paddle.device.cuda.device_count() == 0, reason="needs a GPU"
)


@needs_kernel
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(64, 561), (1, 1024)], ids=str)
@pytest.mark.parametrize("channels", [192, 256])
def test_on_a_gpu_the_kernel_has_the_numbers_and_gradients_of_float32_up_to_its_type_s_rounding(dtype, shape, channels):
    groups, positions = shape
    arrays = tensors(groups, channels, 512, positions, "float32")
    halves = [a.astype(dtype) for a in arrays]
    if not can_fuse(*halves):
        pytest.skip("this GPU's kernel cannot compute it")
    found = with_gradients(fused_attention, halves, dtype)
    expected = with_gradients(scaled_dot_product_attention, halves, "float32")
    unit = 2.0**-10 if dtype == "float16" else 2.0**-7
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=4 * unit * np.abs(b).max())
