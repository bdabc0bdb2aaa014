"""Everything that nobody has run on a card so far. Each test states what a CPU has shown already."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import paddleisa
from paddleisa.build import build_loss, build_optimizer
from paddleisa.utils.environment import set_device

pytestmark = pytest.mark.gpu
DEMO = "isanet_resnet18_os8_scenes_128x128_200"
ROWS = (
    "isanet_resnet50_os8_cityscapes_769x769_80k",
    "isanet_resnet101_os8_cityscapes_769x769_80k",
    "isanet_resnet50_os8_voc12aug_512x512_40k",
    "isanet_resnet101_os8_voc12aug_512x512_40k",
)


@pytest.fixture(autouse=True)
def device():
    set_device("gpu")
    yield
    set_device("cpu")


def demo_losses(folder: Path, device: str, *options: str, iters: int = 5) -> list[float]:
    """Losses of a short training of the demo's network."""
    from paddleisa.cli.main import main

    words = ["train", "--config", DEMO, "--save_dir", str(folder), "--iters", str(iters), "--log_iters", "1"]
    assert main([*words, "--device", device, *options]) == 0
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_the_published_network_gives_the_cpus_logits(measured):
    import paddle

    config = paddleisa.load_config(ROWS[0])
    model = paddleisa.build_model(config)
    model.eval()
    x = np.random.default_rng(0).standard_normal((1, 3, 129, 193)).astype(np.float32)
    with paddle.no_grad():
        on_card = model(paddle.to_tensor(x))[0].numpy()
        model.to("cpu")
        set_device("cpu")
        on_cpu = model(paddle.to_tensor(x))[0].numpy()
    measured(largest_difference=float(np.abs(on_card - on_cpu).max()))
    np.testing.assert_allclose(on_card, on_cpu, atol=2e-2)  # TF32 may be on; masks are held below
    assert (on_card.argmax(1) == on_cpu.argmax(1)).mean() > 0.999


def test_training_in_float32_gives_the_cpus_first_losses(tmp_path, measured):
    on_card, on_cpu = demo_losses(tmp_path / "card", "gpu"), demo_losses(tmp_path / "cpu", "cpu")
    measured(on_card=on_card, on_cpu=on_cpu)
    np.testing.assert_allclose(on_card[:2], on_cpu[:2], rtol=1e-2)


@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_training_in_short_types_stays_near_float32(tmp_path, measured, precision, level):
    options = ["--precision", precision, "--amp_level", level]
    short, full = demo_losses(tmp_path / "short", "gpu", *options), demo_losses(tmp_path / "full", "gpu")
    measured(short=short, full=full)
    assert np.isfinite(short).all()
    np.testing.assert_allclose(short[0], full[0], rtol=5e-2)


def test_a_training_resumed_on_the_card_goes_on(tmp_path, measured):
    demo_losses(tmp_path / "run", "gpu", "--save_interval", "3", iters=3)
    losses = demo_losses(tmp_path / "run", "gpu", "--resume_model", "auto", "--force", iters=6)
    measured(losses=losses)
    assert len(losses) == 6


@pytest.mark.gpu(cards=2)
def test_two_ranks_train_with_nccl_and_synchronised_batch_norm(tmp_path, measured):
    script = Path(sysconfig.get_path("scripts")) / "paddleisa"
    launch = [sys.executable, "-m", "paddle.distributed.launch", "--gpus", "0,1", "--log_dir", str(tmp_path / "launch")]
    words = ["train", "--config", DEMO, "--save_dir", str(tmp_path / "run"), "--iters", "5", "--log_iters", "1"]
    done = subprocess.run([*launch, str(script), *words], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    measured(losses=losses)
    assert len(losses) == 5 and np.isfinite(losses).all()


@pytest.mark.parametrize("row", ROWS)
def test_a_step_of_the_published_batch_fits_and_its_memory_is_measured(row, measured):
    import paddle

    config = paddleisa.load_config(row)
    model, loss = paddleisa.build_model(config), build_loss(config)
    optimizer, schedule = build_optimizer(config)
    optimizer = optimizer.create(model, schedule.scheduler(10))
    model.train()
    batch, side = (2, 769) if "cityscapes" in row else (4, 512)
    classes = 19 if "cityscapes" in row else 21
    try:
        sum(
            loss(model(paddle.rand([batch, 3, side, side])), paddle.randint(0, classes, [batch, side, side]))
        ).backward()
        optimizer.step()
    except MemoryError as error:
        pytest.skip(f"the card is too small: {error}")
    measured(batch=batch, side=side, peak_mib=paddle.device.cuda.max_memory_allocated() / 2**20)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("engine", ["paddle", "paddle_inference"])
def test_engines_on_the_card_give_the_masks_of_dygraph(engine, precision, measured):
    config = paddleisa.load_config(DEMO)
    model = paddleisa.build_model(config)
    image = np.random.default_rng(1).integers(0, 256, (128, 160, 3)).astype(np.uint8)
    expected = paddleisa.Predictor(model, config)(image)
    found = paddleisa.Predictor(model, config, engine=engine, precision=precision)(image)
    equal = float((found == expected).mean())
    measured(equal_pixels=equal)
    assert equal > (0.999 if precision == "fp32" else 0.9)
