"""What several processes of one training exchange. Every function is a no-op, or the identity, for one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from paddleisa.errors import TrainingError
from paddleisa.utils import environment
from paddleisa.utils.process import stop_with_parent

if TYPE_CHECKING:
    from paddle import nn


_LOST = ("gloo", "nccl", "connection", "socket", "timed out")


@contextmanager
def peers_alive() -> Iterator[None]:
    """Within the block, a lost connection to another process is an error of ours.

    Raises:
        TrainingError: an exchange failed: another process of the job has died. The launcher then ends the rest.
    """
    try:
        yield
    except RuntimeError as error:
        if environment.world_size() == 1 or not any(word in str(error).lower() for word in _LOST):
            raise
        raise TrainingError(
            "the connection to another process of the job is lost, most likely because it died",
            where=f"process {environment.rank()} of {environment.world_size()}",
            fix="Its log says why; start again with --resume_model auto",
        ) from error


def start() -> None:
    """Join the job that ``python -m paddle.distributed.launch`` started: NCCL on GPUs, gloo on CPUs.

    A launcher that is killed takes its processes along, which would otherwise train on with nobody to end them.
    """
    if environment.world_size() > 1 and not (dist := _exchange()).is_initialized():
        stop_with_parent()
        dist.init_parallel_env()


def wrap(model: nn.Layer) -> nn.Layer:
    """``model`` for this process: SyncBatchNorm when several GPUs train, gradients averaged over processes.

    Paddle has no SyncBatchNorm on CPUs; there each process normalises its own images.
    """
    if environment.world_size() == 1:
        return model
    import paddle

    if paddle.get_device().startswith("gpu"):
        model = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return paddle.DataParallel(model)


def summed(array: np.ndarray) -> np.ndarray:
    """Sum of every process's int64 or float32 array."""
    if environment.world_size() == 1:
        return array
    import paddle

    tensor = paddle.to_tensor(array)
    _exchange().all_reduce(tensor)
    return tensor.numpy()


def same_buffers(model: nn.Layer) -> None:
    """Give every process the running statistics of rank 0: those that are saved are those that are evaluated."""
    if environment.world_size() > 1:
        for buffer in model.buffers():
            _exchange().broadcast(buffer, src=0)


def barrier() -> None:
    """Wait for the others."""
    summed(np.zeros(1, np.int64))


def _exchange() -> Any:
    """``paddle.distributed``, imported where there is something to exchange: this module is used before paddle is."""
    import paddle.distributed

    return paddle.distributed
