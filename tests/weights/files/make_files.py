"""Writes the small files beside it with the installed Paddle: `python make_files.py 2.6.2` or `3.3.1`."""

import sys
from pathlib import Path

import numpy as np
import paddle
from paddle.framework import io

here, version = Path(__file__).parent, sys.argv[1]
if paddle.__version__ != version:
    sys.exit(f"this is Paddle {paddle.__version__}")
model = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3, bias_attr=False), paddle.nn.BatchNorm2D(4))
for tensor in model.state_dict().values():
    values = np.arange(np.prod(tensor.shape), dtype="float32") * 0.5 + len(tensor.shape)
    tensor.set_value(values.reshape(tensor.shape))
for protocol in (2, 3, 4):
    paddle.save(model.state_dict(), str(here / f"paddle{version}_protocol{protocol}.pdparams"), protocol=protocol)
    with (here / f"paddle{version}_tuples{protocol}.pdparams").open("wb") as stream:
        io._pickle_save(model.state_dict(), stream, protocol)
optimizer = paddle.optimizer.Momentum(paddle.optimizer.lr.PolynomialDecay(0.1, 10), parameters=model.parameters())
paddle.save(optimizer.state_dict(), str(here / f"paddle{version}_optimizer.pdopt"))
paddle.save({"model": model.state_dict(), "epoch": 3}, str(here / f"paddle{version}_checkpoint.pdparams"))
half = {"w": model[0].weight.astype("bfloat16"), "s": paddle.to_tensor(2.5), "n": paddle.to_tensor([3, 4])}
paddle.save(half, str(here / f"paddle{version}_types.pdparams"))
