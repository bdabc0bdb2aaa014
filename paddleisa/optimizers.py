"""The optimizers under their former name; new code imports ``paddleisa.optim``."""

from paddleisa.optim.optimizers import SGD, Adam, AdamW, Momentum, Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Momentum", "Optimizer"]
