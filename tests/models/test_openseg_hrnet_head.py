"""The head of the authors' HRNet_W48_ISA, in PyTorch as it is described: ours computes the same from its values.

Described (their commit 5ec9f10): a 3x3 convolution, long-range then short-range attention by reshapes, a bias on every
convolution but the classifier, no normalisation after W, [x, context] joined, leaky ReLU, InPlaceABN's |gamma| + 1e-5.
"""

import numpy as np
import paddle
import pytest

import paddleisa
from paddleisa.models import ISAHead

torch = pytest.importorskip("torch", reason="torch is an extra of the development install: pip install torch")
f = torch.nn.functional
IN, WIDTH, KEY, CLASSES, WINDOW = 15, 12, 6, 5, (4, 4)
UNITS = {
    "isa_head.0": (WIDTH, IN, 3),
    **{f"long.f_{part}.{i}": (KEY, (WIDTH, KEY)[i], 1) for part in ("key", "query") for i in (0, 1)},
    **{f"short.f_{part}.{i}": (KEY, (WIDTH, KEY)[i], 1) for part in ("key", "query") for i in (0, 1)},
    "conv_bn": (WIDTH, 2 * WIDTH, 1),
}
PLAIN = {f"{range_}.{name}": (WIDTH, WIDTH, 1) for range_ in ("long", "short") for name in ("f_value", "W")}


def their_values():
    rng, state = np.random.default_rng(0), {}
    for name, (out, into, kernel) in (UNITS | PLAIN).items():
        state[f"{name}.weight"] = rng.standard_normal((out, into, kernel, kernel)) * (2 / into) ** 0.5 / kernel
        state[f"{name}.bias"] = rng.standard_normal(out) * 0.3
    for name, (out, *_) in UNITS.items():
        state[f"{name}.gamma"] = rng.choice([-1, 1], out) * rng.uniform(0.5, 1.5, out)
        state[f"{name}.beta"] = rng.standard_normal(out) * 0.1
        state[f"{name}.mean"], state[f"{name}.var"] = rng.standard_normal(out) * 0.1, rng.uniform(0.5, 1.5, out)
    state["cls_head.weight"] = rng.standard_normal((CLASSES, WIDTH, 1, 1))
    return {name: torch.from_numpy(value) for name, value in state.items()}


def described(state, x):
    def conv(name, x, padding=0):
        return f.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    def unit(name, x, padding=0):
        x = conv(name, x, padding)
        norm = [state[f"{name}.{part}"] for part in ("mean", "var")]
        x = f.batch_norm(x, *norm, state[f"{name}.gamma"].abs() + 1e-5, state[f"{name}.beta"], eps=1e-5)
        return f.leaky_relu(x, 0.01)

    def attention(name, x):
        n, _, h, w = x.shape
        query, key = (unit(f"{name}.f_{p}.1", unit(f"{name}.f_{p}.0", x)).flatten(2) for p in ("query", "key"))
        weights = torch.softmax(KEY**-0.5 * query.transpose(1, 2) @ key, dim=-1)
        context = weights @ conv(f"{name}.f_value", x).flatten(2).transpose(1, 2)
        return conv(f"{name}.W", context.transpose(1, 2).reshape(n, WIDTH, h, w))

    x = unit("isa_head.0", x, 1)
    h, w = x.shape[2:]
    rows, columns = -(-h // WINDOW[0]), -(-w // WINDOW[1])
    pad_h, pad_w = rows * WINDOW[0] - h, columns * WINDOW[1] - w
    y = f.pad(x, (pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))
    after = torch.empty_like(y)
    for i in range(WINDOW[0]):
        for j in range(WINDOW[1]):
            after[:, :, i :: WINDOW[0], j :: WINDOW[1]] = attention("long", y[:, :, i :: WINDOW[0], j :: WINDOW[1]])
    context = torch.empty_like(y)
    for top in range(0, rows * WINDOW[0], WINDOW[0]):
        for left in range(0, columns * WINDOW[1], WINDOW[1]):
            window = np.s_[:, :, top : top + WINDOW[0], left : left + WINDOW[1]]
            context[window] = attention("short", after[window])
    context = context[:, :, pad_h // 2 : pad_h // 2 + h, pad_w // 2 : pad_w // 2 + w]
    return f.conv2d(unit("conv_bn", torch.cat([x, context], 1)), state["cls_head.weight"])


def our_values(theirs):
    """A bias before a normalisation is the same as a mean that is less by it."""
    ours = {"isa_head.0": "in_conv", "conv_bn": "out_conv"}
    for theirs_range, relation in (("long", "global_relation"), ("short", "local_relation")):
        for part in ("key", "query"):
            ours |= {f"{theirs_range}.f_{part}.{i}": f"{relation}.{part}_project.{i}" for i in (0, 1)}
        ours |= {
            f"{theirs_range}.f_value": f"{relation}.value_project",
            f"{theirs_range}.W": f"{relation}.output_project",
        }
    state = {"cls.1.weight": theirs["cls_head.weight"]}
    for name, own in ours.items():
        if name in PLAIN:
            state |= {f"{own}.{part}": theirs[f"{name}.{part}"] for part in ("weight", "bias")}
            continue
        state[f"{own}._conv.weight"] = theirs[f"{name}.weight"]
        norm = f"{own}._batch_norm"
        state |= {f"{norm}.weight": theirs[f"{name}.gamma"].abs() + 1e-5, f"{norm}.bias": theirs[f"{name}.beta"]}
        state |= {f"{norm}._mean": theirs[f"{name}.mean"] - theirs[f"{name}.bias"]}
        state[f"{norm}._variance"] = theirs[f"{name}.var"]
    return {name: value.numpy().astype(np.float32) for name, value in state.items()}


@pytest.mark.parametrize("size", [(8, 12), (7, 10), (3, 5)], ids=str)
def test_the_head_of_the_recipes_computes_what_is_described(size):
    options = dict(paddleisa.load_config("isanet_hrnet_w48_lip_473x473_100k")["model"]["head"])
    assert options.pop("type") == "ISAHead"
    assert (options.pop("channels"), options.pop("isa_channels"), options.pop("down_factor")) == (512, 256, [8, 8])
    head = ISAHead(CLASSES, (IN,), channels=WIDTH, isa_channels=KEY, down_factor=WINDOW, **options)
    theirs = their_values()
    assert head.set_state_dict(our_values(theirs)) == ([], [])
    head.eval()
    x = np.random.default_rng(1).standard_normal((2, IN, *size))
    with torch.no_grad(), paddle.no_grad():
        expected = described(theirs, torch.from_numpy(x)).numpy()
        (found,) = head([paddle.to_tensor(x.astype(np.float32))])
    assert expected.std() > 0.3
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4)
