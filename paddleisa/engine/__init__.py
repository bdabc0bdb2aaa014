"""The loops: evaluation, prediction, training."""
