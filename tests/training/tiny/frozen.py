"""A plug-in: ISANet whose batch norm keeps its statistics and whose dropout is off, so that a batch can be split.

With the environment variable PADDLEISA_TEST_KILL_RANK, that process dies in the third training step.
"""

import os
import signal

from paddle import nn

from paddleisa.models import ISANet
from paddleisa.registry import MODELS
from paddleisa.utils.environment import rank


@MODELS.register
class FrozenISANet(ISANet):
    calls = 0

    def train(self):
        super().train()
        for layer in self.sublayers():
            if isinstance(layer, nn.BatchNorm2D | nn.Dropout2D):
                layer.eval()

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            if type(self).calls == 3 and os.environ.get("PADDLEISA_TEST_KILL_RANK") == str(rank()):
                os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)
