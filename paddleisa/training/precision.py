"""One path for fp32, fp16 and bf16: what autocasts, what scales the loss, and how an optimizer steps."""

from __future__ import annotations

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle

# isort: split

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import paddle

from paddleisa.errors import UsageError

if TYPE_CHECKING:
    from paddle import nn

# Operations that lose by few bits: PaddleSeg's list for O1.
KEEP_IN_FLOAT32 = {"elementwise_add", "batch_norm", "sync_batch_norm"}


class Precision:
    """Arithmetic of a training.

    Args:
        kind: fp32; fp16 (GPU only; the loss is scaled); bf16 (float32 on CPUs, where ``note`` says so).
        level: O1 casts operation by operation; O2 keeps the weights in the short type, with float32 masters.

    Raises:
        UsageError: fp16 on a CPU, which Paddle does not compute.
    """

    def __init__(self, kind: Literal["fp32", "fp16", "bf16"] = "fp32", level: Literal["O1", "O2"] = "O1"):
        if kind == "fp16" and not paddle.get_device().startswith("gpu"):
            raise UsageError("fp16 needs a GPU", where="--precision", fix="Use bf16 or fp32 on a CPU")
        self.kind, self.level = kind, level
        # Paddle's autocast and decorate only act on accelerators; a run must not call itself bf16 when it is not.
        without_effect = kind == "bf16" and paddle.get_device() == "cpu"
        self.note = "Paddle's autocast has no effect on CPUs: bf16 is computed in float32" if without_effect else None
        self.short = kind != "fp32" and not without_effect
        self.dtype: Literal["float16", "bfloat16"] = "float16" if kind == "fp16" else "bfloat16"
        self.scaler = paddle.amp.GradScaler(enable=kind == "fp16", init_loss_scaling=2.0**15)

    def prepare(self, model: nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
        """Cast the weights for O2, in place."""
        if self.short and self.level == "O2":
            paddle.amp.decorate(models=model, optimizers=optimizer, level="O2", dtype=self.dtype, master_weight=True)

    def cast(self) -> AbstractContextManager:
        """Context of the forward pass and the loss."""
        return paddle.amp.auto_cast(
            enable=self.short,
            custom_black_list=KEEP_IN_FLOAT32 if self.short else None,
            level=self.level,
            dtype=self.dtype,
        )

    def update(self, loss: paddle.Tensor, optimizer: paddle.optimizer.Optimizer) -> None:
        """Backward pass and optimizer step; under fp16 a step whose gradients overflow is left out."""
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.clear_grad()

    def state(self) -> dict[str, object]:
        """The loss scaler's state as plain numbers and lists; empty unless fp16 trains."""
        return {key: np.asarray(value).tolist() for key, value in self.scaler.state_dict().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        if state:
            loaded: Any = {**state, "scale": np.asarray(state["scale"], np.float32).reshape(1)}
            self.scaler.load_state_dict(loaded)
