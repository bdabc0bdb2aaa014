"""What a training run leaves to be read: console lines and ``train.log``, ``log.jsonl``, and a VisualDL run."""

from __future__ import annotations

from paddleisa.training.logging.run_log import RunLog, open_run_log

__all__ = ["RunLog", "open_run_log"]
