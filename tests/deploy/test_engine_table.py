"""The table of engines and precisions in docs/performance.md says what is true of the small reference images."""

from pathlib import Path

import numpy as np
import paddle
import pytest
import reference
from published import ROWS

import paddleisa
from paddleisa.deploy.runtimes.open import require_engine, runtimes
from paddleisa.errors import PaddleISAError

PAGE = Path(__file__).parents[2] / "docs/performance.md"
HEADER = "| engine | precision | reference vectors, equal pixels |"
NAMES = (ROWS[0], ROWS[2])  # ResNet50 on Cityscapes and on VOC
SIZES = ((129, 193), (97, 97))


def rows():
    """(engine, precision): share of equal pixels, in per cent, as the page has it; None where it gives none."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(HEADER))
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        engine, precision, share = (cell.strip() for cell in line.strip("|").split("|")[:3])
        found[engine, precision] = float(share.removesuffix("%")) if share.endswith("%") else None
    return found


def image(height, width):
    """(height, width, 3) uint8 of a reference input."""
    x = reference.image(height * 1000 + width, (1, 3, height, width))[0].transpose(1, 2, 0)
    return np.clip((x / 2 + 0.5) * 255, 0, 255).astype(np.uint8)


def test_the_table_has_every_combination_that_can_be_computed_here():
    usable = set()
    for engine, runtime in runtimes().items():
        for precision in runtime.precisions:
            try:
                require_engine(engine, precision)
            except PaddleISAError:
                continue
            usable.add((engine, precision))
    assert usable - {("paddle", "fp32")} <= rows().keys()


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "precision"), [pair for pair, share in rows().items() if share is not None])
def test_the_share_of_equal_pixels_is_the_tables(engine, precision, published_model, home):
    try:
        require_engine(engine, precision)
    except PaddleISAError as error:
        pytest.skip(str(error))
    images = [image(*size) for size in SIZES]
    equal = pixels = 0
    for name in NAMES:
        model = published_model(name)
        config = paddleisa.load_config(name, opts=["val_dataset.transforms=[{type: Normalize}]"])
        predictor = paddleisa.Predictor(model, config, engine=engine, precision=precision)
        for pixel_values in images:
            x = paddle.to_tensor(((pixel_values / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].astype("float32"))
            with paddle.no_grad():
                expected = model(x)[0].argmax(1).numpy()[0]
            same = predictor(pixel_values) == expected
            equal, pixels = equal + same.sum(), pixels + same.size
    # Random weights give many near ties, which rounding decides; other versions of an engine round otherwise.
    tolerance = {"fp32": 0.02, "bf16": 0.5}[precision]
    assert 100 * equal / pixels >= rows()[engine, precision] - tolerance
