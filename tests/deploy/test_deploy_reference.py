"""The published network with the reference weights: every engine and format against the original's own numbers."""

import numpy as np
import paddle
import pytest
import reference
from deploy_models import CONVERTED, FORMAT_OF
from published import ROWS

from paddleisa.deploy.export.formats import open_file, write_checked
from paddleisa.deploy.runtimes.open import open_engine
from paddleisa.inference.lazy_logits import LazyLogits

pytestmark = [pytest.mark.slow, pytest.mark.reference]
SIZES = ((129, 193), (97, 97))
ATOL = 5e-4


@pytest.mark.parametrize("engine", CONVERTED)
def test_logits_and_masks_are_the_originals(engine, published_model, vectors, home, tmp_path):
    model, expected = published_model(ROWS[0]), vectors("forward")
    network = open_engine(engine, "fp32", model).network
    written = write_checked(model, FORMAT_OF[engine], tmp_path, output_op="argmax")
    mask_of = open_file(FORMAT_OF[engine], written.files, onednn=written.onednn)
    for height, width in SIZES:
        x = reference.image(height * 1000 + width, (1, 3, height, width))
        key = f"{ROWS[0]}/{height}x{width}"
        with paddle.no_grad():
            dygraph = model(paddle.to_tensor(x))[0].numpy()
        scores = network(paddle.to_tensor(x))
        logits = LazyLogits.of(scores.values[0], (height, width), scores.upsampling).band(0, height)[None]
        print(f"{engine} {height}x{width}: {np.abs(logits - dygraph).max():.1e} from dygraph")
        np.testing.assert_allclose(logits, dygraph, rtol=0, atol=ATOL)
        np.testing.assert_allclose(logits[:, :, ::4, ::4], expected[f"{key}/logit"], rtol=0, atol=ATOL)
        assert (logits.argmax(1) == expected[f"{key}/pred"]).mean() >= 0.999
        assert (mask_of(x) == expected[f"{key}/pred"]).mean() >= 0.999
