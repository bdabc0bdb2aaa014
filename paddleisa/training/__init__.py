"""Training: the loop, its state, checkpoints and logs."""

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle
